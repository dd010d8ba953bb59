#include "resize_crop.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "check.h"
#include "isa/loops.h"

namespace imgsim {
namespace {

// Output rows made together. What they need of the first pass then stays in a near cache, and a small block of memory
// is one that the allocator has at hand; the few rows that two bands share are made twice.
constexpr int64_t kBandRows = 32;

// Half of an odd difference is rounded to even, as Python does.
int64_t centre_offset(int64_t size, int64_t crop) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(size - crop) / 2.0));
}

// The weights that make the `count` output positions in the middle of an axis resized to `out` positions from one of
// `whole` positions, of which each input position stands for `by`.
class Axis {
 public:
  Axis(int64_t whole, int64_t by, int64_t out, int64_t count)
      : count_(count), start_(static_cast<size_t>(count)), used_(static_cast<size_t>(count)) {
    const int64_t first = centre_offset(out, count);
    const int64_t in = (whole + by - 1) / by;
    const double scale = static_cast<double>(whole) / static_cast<double>(by) / static_cast<double>(out);
    const double widening = std::max(scale, 1.0);
    const double support = widening;  // the triangle reaches one position to each side
    const auto centre_of = [&](int64_t i) { return (static_cast<double>(first + i) + 0.5) * scale; };
    for (int64_t i = 0; i < count; ++i) {
      const double centre = centre_of(i);
      const int64_t low = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
      start_[static_cast<size_t>(i)] = low;
      used_[static_cast<size_t>(i)] = std::min(in, static_cast<int64_t>(centre + support + 0.5)) - low;
    }
    const int64_t most = *std::max_element(used_.begin(), used_.end());
    taps_ = (most + kTapChunk - 1) / kTapChunk * kTapChunk;
    weights_.resize(static_cast<size_t>(count * taps_));
    std::vector<double> raw(static_cast<size_t>(most));
    for (int64_t i = 0; i < count; ++i) {
      const double centre = centre_of(i);
      double total = 0;
      for (int64_t t = 0; t < used(i); ++t) {
        const double distance = std::fabs((static_cast<double>(start(i) + t) - centre + 0.5) * (1.0 / widening));
        const double weight = distance < 1.0 ? 1.0 - distance : 0.0;
        raw[static_cast<size_t>(t)] = weight;
        total += weight;
      }
      int32_t* to = weights_.data() + i * taps_;
      for (int64_t t = 0; t < used(i) && total != 0.0; ++t) {
        to[t] = static_cast<int32_t>(raw[static_cast<size_t>(t)] / total * (1 << kWeightBits) + 0.5);
      }
    }
  }

  int64_t start(int64_t i) const { return start_[static_cast<size_t>(i)]; }
  int64_t used(int64_t i) const { return used_[static_cast<size_t>(i)]; }
  int64_t taps() const { return taps_; }
  const int32_t* weights(int64_t i) const { return weights_.data() + i * taps_; }

  /// As the pass along rows takes it.
  ResizeAxis spread() {
    const ResizeLoops& loop = loops().resizing;
    spread_.resize(static_cast<size_t>(count_ * taps_ / kTapChunk * loop.spread_words));
    loop.spread_weights(weights_.data(), count_ * taps_, spread_.data());
    return {count_, taps_, start_.data(), used_.data(), weights_.data(), spread_.data()};
  }

 private:
  int64_t count_;
  int64_t taps_;
  std::vector<int64_t> start_;
  std::vector<int64_t> used_;
  std::vector<int32_t> weights_;
  std::vector<int16_t> spread_;
};

// Both axes of a picture's way to its crop.
struct Plan {
  Plan(int64_t height, int64_t width, int64_t resize, int64_t crop, int64_t scale)
      : columns(width, scale, new_size(height, width, resize), crop),
        rows(height, scale, new_size(width, height, resize), crop) {}

  Axis columns;
  Axis rows;

 private:
  static int64_t new_size(int64_t other, int64_t size, int64_t resize) {
    return size <= other ? resize
                         : static_cast<int64_t>(static_cast<double>(resize * size) / static_cast<double>(other));
  }
};

Plan checked_plan(int64_t height, int64_t width, int64_t resize, int64_t crop, int64_t scale = 1) {
  check(height >= 1 && width >= 1, "resize_crop: a picture must have pixels (got ", height, " x ", width, ")");
  check(crop >= 1 && crop <= resize && resize <= 65536,
        "resize_crop: sizes must satisfy 1 <= crop <= resize <= 65536 (got crop ", crop, ", resize ", resize, ")");
  check(scale >= 1, "resize_crop: scale must be positive (got ", scale, ")");
  return Plan(height, width, resize, crop, scale);
}

}  // namespace

void resize_crop(const uint8_t* pixels, int64_t height, int64_t width, int64_t row_stride, int64_t resize, int64_t crop,
                 uint8_t* out, const Executor& executor) {
  Plan plan = checked_plan(height, width, resize, crop);
  const ResizeAxis spread = plan.columns.spread();
  const Axis& rows = plan.rows;
  const ResizeLoops& loop = loops().resizing;

  const int64_t row_bytes = 3 * crop;
  const int64_t narrow_stride = row_bytes + kResizeSlack;
  const int64_t grain = 1 + 65536 / ((plan.columns.taps() + rows.taps()) * crop);
  executor.parallel_for(crop, grain, [&](int64_t begin, int64_t end) {
    std::unique_ptr<uint8_t[]> narrow;
    int64_t room = 0;
    for (int64_t band = begin; band < end; band += kBandRows) {
      const int64_t last = std::min(end, band + kBandRows) - 1;
      const int64_t first = rows.start(band);
      const int64_t reached = rows.start(last) + rows.used(last) - first;
      if (reached > room) {
        narrow = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(reached * narrow_stride));
        room = reached;
      }
      for (int64_t row = 0; row < reached; ++row) {
        loop.resize_row(pixels + (first + row) * row_stride, width, spread, narrow.get() + row * narrow_stride);
      }
      for (int64_t row = band; row <= last; ++row) {
        loop.resize_column(narrow.get() + (rows.start(row) - first) * narrow_stride, narrow_stride, row_bytes,
                           rows.weights(row), rows.used(row), out + row * row_bytes);
      }
    }
  });
}

struct StripResizer::Work {
  Work(int64_t height, int64_t whole_width, int64_t resize, int64_t crop, int64_t scale)
      : plan(checked_plan(height, whole_width, resize, crop, scale)),
        spread(plan.columns.spread()),
        height((height + scale - 1) / scale),
        width((whole_width + scale - 1) / scale),
        stride(3 * crop + kResizeSlack),
        first(plan.rows.start(0)),
        reached(plan.rows.start(crop - 1) + plan.rows.used(crop - 1) - first),
        narrow(std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(reached * stride))) {}

  Plan plan;
  ResizeAxis spread;
  int64_t height;
  int64_t width;
  int64_t stride;
  int64_t first;    // row that the crop reaches
  int64_t reached;  // how many of them
  std::unique_ptr<uint8_t[]> narrow;
  int64_t next = 0;  // row of the picture
};

StripResizer::StripResizer(int64_t height, int64_t width, int64_t resize, int64_t crop, int64_t scale)
    : work_(std::make_unique<Work>(height, width, resize, crop, scale)) {}

StripResizer::~StripResizer() = default;

int64_t StripResizer::width() const { return work_->width; }

void StripResizer::add(const uint8_t* pixels, int64_t rows) {
  for (int64_t row = 0; row < rows; ++row, ++work_->next) {
    const int64_t at = work_->next - work_->first;
    if (at >= 0 && at < work_->reached) {
      loops().resizing.resize_row(pixels + 3 * work_->width * row, work_->width, work_->spread,
                                  work_->narrow.get() + at * work_->stride);
    }
  }
}

void StripResizer::finish(uint8_t* out) const {
  const Axis& rows = work_->plan.rows;
  check(work_->next == work_->height, "resize_crop: strips must make up the picture (got ", work_->next, " rows)");
  const int64_t row_bytes = 3 * work_->spread.count;
  for (int64_t row = 0; row < work_->spread.count; ++row) {
    loops().resizing.resize_column(work_->narrow.get() + (rows.start(row) - work_->first) * work_->stride,
                                   work_->stride, row_bytes, rows.weights(row), rows.used(row), out + row * row_bytes);
  }
}

}  // namespace imgsim
