#include "compare.h"

#include <array>
#include <exception>

#include "images/decode.h"
#include "images/image_library.h"
#include "json.h"
#include "kernels/thread_pool.h"
#include "model.h"
#include "output.h"
#include "text.h"
#include "timer.h"

namespace imgsim::app {
namespace {

constexpr std::array kSteps{"decode", "preprocess", "forward", "cosine"};

struct Run {
  float similarity;
  std::array<double, kSteps.size()> milliseconds;
};

/// Runs body(0) and body(1) side by side and then throws what the first that failed threw.
template <class Body>
void for_both(const Executor& executor, const Body& body) {
  std::exception_ptr errors[2];
  executor.parallel_for(2, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      try {
        body(i);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

class Comparison {
 public:
  Comparison(const std::vector<std::string>& paths, const Executor& executor) : paths_(paths), executor_(executor) {}

  void decode_both() {
    const Timer timer;
    const QuietDecoders quiet;
    for_both(executor_, [&](int64_t i) { pictures_[i] = decode(paths_[i]); });
    milliseconds_[0] = timer.milliseconds();
  }

  Run finish(const Model& model) {
    const Timer preprocessing;
    std::vector<uint8_t> pixels(2 * model.pixel_bytes());
    for_both(executor_, [&](int64_t i) {
      preprocess(pictures_[i], model.resize(), model.crop(), pixels.data() + i * model.pixel_bytes());
    });
    milliseconds_[1] = preprocessing.milliseconds();
    const Timer forward;
    const std::vector<float> vectors = model.embed(pixels, 2);
    milliseconds_[2] = forward.milliseconds();
    const Timer cosine;
    const std::span<const float> both(vectors);
    const size_t dimension = both.size() / 2;
    const float similarity = cosine_similarity(both.first(dimension), both.last(dimension));
    milliseconds_[3] = cosine.milliseconds();
    return {similarity, milliseconds_};
  }

 private:
  const std::vector<std::string>& paths_;
  const Executor& executor_;
  std::array<Picture, 2> pictures_;
  std::array<double, kSteps.size()> milliseconds_{};
};

std::array<double, kSteps.size()> medians(const std::vector<Run>& runs) {
  std::array<double, kSteps.size()> out{};
  for (size_t step = 0; step < kSteps.size(); ++step) {
    std::vector<double> times;
    for (const Run& run : runs) {
      times.push_back(run.milliseconds[step]);
    }
    out[step] = median(times);
  }
  return out;
}

void add_times(Json& json, const char* name, const double* load, const std::array<double, kSteps.size()>& times) {
  json.key(name).open('{');
  double total = 0;
  if (load != nullptr) {
    json.field("load", *load);
    total = *load;
  }
  for (size_t step = 0; step < kSteps.size(); ++step) {
    json.field(kSteps[step], times[step]);
    total += times[step];
  }
  json.field("total", total).close();
}

void print_json(const Arguments& arguments, const Model& model, double load, const std::vector<Run>& runs) {
  Json json;
  json.open('{')
      .field("a", arguments.paths[0])
      .field("b", arguments.paths[1])
      .field("fingerprint", model.fingerprint());
  json.field("score", runs.front().similarity).field("threads", arguments.threads);
  add_times(json, "first_ms", &load, runs.front().milliseconds);
  if (runs.size() > 1) {
    json.field("repeat", runs.size());
    add_times(json, "median_ms", nullptr, medians(runs));
  }
  print("%s\n", json.close().text().c_str());
}

void print_text(const Arguments& arguments, const Model& model, double load, const std::vector<Run>& runs) {
  const bool repeated = runs.size() > 1;
  const auto middle = medians(runs);
  print("similarity  %.6f\n\n", runs.front().similarity);
  print("%-10s %12s%s\n", "step", repeated ? "first, ms" : "ms", repeated ? "   median, ms" : "");
  print("%-10s %12.3f\n", "load", load);
  double first_total = load, median_total = 0;
  for (size_t step = 0; step < kSteps.size(); ++step) {
    const double first = runs.front().milliseconds[step];
    print("%-10s %12.3f", kSteps[step], first);
    repeated ? print(" %12.3f\n", middle[step]) : print("\n");
    first_total += first;
    median_total += middle[step];
  }
  print("%-10s %12.3f", "total", first_total);
  repeated ? print(" %12.3f\n", median_total) : print("\n");
  print("\n%s, %d thread%s", model.fingerprint().c_str(), arguments.threads, arguments.threads == 1 ? "" : "s");
  repeated ? print(", %zu runs\n", runs.size()) : print("\n");
}

}  // namespace

int compare(const Arguments& arguments) {
  load_image_library();
  set_torch_threads(arguments.threads);
  const ThreadPool pool(arguments.threads);
  Comparison comparison(arguments.paths, pool);
  comparison.decode_both();  // before the model, which takes longer: a wrong name is told at once
  const Timer loading;
  const Model model(arguments.model);
  const double load = loading.milliseconds();
  std::vector<Run> runs{comparison.finish(model)};
  for (int i = 1; i < arguments.repeat; ++i) {
    comparison.decode_both();
    runs.push_back(comparison.finish(model));
  }
  (arguments.json ? print_json : print_text)(arguments, model, load, runs);
  return 0;
}

}  // namespace imgsim::app
