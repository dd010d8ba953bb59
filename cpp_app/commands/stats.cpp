#include "stats.h"

#include <array>
#include <optional>

#include "errors.h"
#include "images/decode.h"
#include "images/image_library.h"
#include "images/scan.h"
#include "json.h"
#include "kernels/channel_stats.h"
#include "kernels/thread_pool.h"
#include "model.h"
#include "output.h"
#include "skipped.h"
#include "text.h"
#include "timer.h"

namespace imgsim::app {
namespace {

constexpr std::array kChannels{"red", "green", "blue"};
constexpr double kLargest = 255;

struct Answer {
  std::vector<Moments> moments;  // of each channel; empty where no picture could be read
  int64_t pictures = 0;
  std::vector<Skipped> skipped;
};

struct Row {
  int threads;
  double microseconds;
};

std::vector<Moments> moments_of(const std::string& path) {
  const Picture picture = decode(path);
  const Images pixels{DType::kUInt8, picture.pixels, 1, 3, picture.height * picture.width, 0, 1, 3};
  return channel_moments(pixels, SerialExecutor());
}

/// The whole job: threads started, files read, decoded, summed and merged. Pictures are the tasks, so at most one
/// decoded picture a thread is in memory; the merge goes in the order of the paths, so the bits do not depend on the
/// threads.
Answer run_job(const std::vector<std::string>& paths, int threads) {
  struct Outcome {
    std::vector<Moments> moments;
    std::optional<Skipped> skipped;
  };
  std::vector<Outcome> outcomes(paths.size());
  const QuietDecoders quiet;
  const ThreadPool pool(threads);
  run_tasks(pool, threads, static_cast<int64_t>(paths.size()), [&](int64_t /*slot*/, int64_t i) {
    try {
      outcomes[i].moments = moments_of(paths[i]);
    } catch (const PictureError& error) {
      outcomes[i].skipped = Skipped{paths[i], error.code(), error.what()};
    }
  });
  Answer answer;
  for (Outcome& outcome : outcomes) {
    if (outcome.skipped) {
      answer.skipped.push_back(std::move(*outcome.skipped));
      continue;
    }
    ++answer.pictures;
    if (answer.moments.empty()) {
      answer.moments = std::move(outcome.moments);
      continue;
    }
    for (size_t c = 0; c < answer.moments.size(); ++c) {
      answer.moments[c].merge(outcome.moments[c]);
    }
  }
  return answer;
}

/// 1, 2, 4 ... and all.
std::vector<int> thread_counts(int all) {
  std::vector<int> counts;
  for (int64_t threads = 1; threads < all; threads *= 2) {
    counts.push_back(static_cast<int>(threads));
  }
  counts.push_back(all);
  return counts;
}

/// Rounds go through all rows, so that a change in what else the machine does meets every row.
std::vector<Row> time_rows(const std::vector<std::string>& paths, int threads, int repeat) {
  const std::vector<int> counts = thread_counts(threads);
  std::vector<std::vector<double>> times(counts.size());
  for (int round = 0; round < repeat; ++round) {
    for (size_t i = 0; i < counts.size(); ++i) {
      const Timer timer;
      run_job(paths, counts[i]);
      times[i].push_back(timer.microseconds());
    }
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < counts.size() && repeat > 0; ++i) {
    rows.push_back({counts[i], median(times[i])});
  }
  return rows;
}

int64_t pixels_of(const Answer& answer) {
  return answer.moments.empty() ? 0 : static_cast<int64_t>(answer.moments[0].count);
}

void print_json(const Answer& answer, const std::vector<Row>& rows, const Arguments& arguments, int repeat) {
  Json json;
  json.open('{').field("pictures", answer.pictures).field("pixels", pixels_of(answer)).key("channels");
  if (answer.moments.empty()) {
    json.null();
  } else {
    json.open('{');
    for (size_t c = 0; c < kChannels.size(); ++c) {
      const double mean = answer.moments[c].mean, std = answer.moments[c].std();
      json.key(kChannels[c]).open('{').field("mean", mean / kLargest).field("std", std / kLargest);
      json.field("mean_255", mean).field("std_255", std).close();
    }
    json.close();
  }
  json.field("threads", arguments.threads).field("repeat", repeat).key("timings").open('[');
  for (const Row& row : rows) {
    json.open('{').field("threads", row.threads).field("microseconds", row.microseconds);
    json.field("speedup", rows.front().microseconds / row.microseconds).close();
  }
  json.close();
  add_skipped(json, answer.skipped);
  print("%s\n", json.close().text().c_str());
}

void print_text(const Answer& answer, const std::vector<Row>& rows, int repeat) {
  print("%s picture%s, %s pixels, %zu skipped\n", grouped(answer.pictures).c_str(), answer.pictures == 1 ? "" : "s",
        grouped(pixels_of(answer)).c_str(), answer.skipped.size());
  if (!answer.moments.empty()) {
    print("\n%-8s %10s %10s %10s %10s\n", "channel", "mean", "std", "mean/255", "std/255");
    for (size_t c = 0; c < kChannels.size(); ++c) {
      const double mean = answer.moments[c].mean, std = answer.moments[c].std();
      print("%-8s %10.4f %10.4f %10.6f %10.6f\n", kChannels[c], mean, std, mean / kLargest, std / kLargest);
    }
  }
  if (!rows.empty()) {
    print("\n%-8s %14s %9s\n", "threads", "microseconds", "speed-up");
    for (const Row& row : rows) {
      print("%-8d %14s %8.2fx\n", row.threads, grouped(static_cast<int64_t>(row.microseconds + 0.5)).c_str(),
            rows.front().microseconds / row.microseconds);
    }
    print("\nreading and decoding counted, median of %d\n", repeat);
  }
}

}  // namespace

int stats(const Arguments& arguments) {
  const std::vector<std::string> paths = scan(arguments.paths);
  if (paths.empty()) {
    throw UserError("stats: there must be a picture to read (got none in " + printable(arguments.paths.front()) + ")");
  }
  load_image_library();
  set_torch_threads(1);  // a thread of the table is a thread: decoders must not start others
  const int repeat = arguments.repeat < 0 ? 3 : arguments.repeat;
  const Answer answer = run_job(paths, arguments.threads);  // the answer, and the warm-up for the table
  const std::vector<Row> rows = time_rows(paths, arguments.threads, repeat);
  if (arguments.json) {
    print_json(answer, rows, arguments, repeat);
  } else {
    print_text(answer, rows, repeat);
  }
  return report_skipped(answer.skipped);
}

}  // namespace imgsim::app
