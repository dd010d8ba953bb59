#include "resize_crop.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "check.h"

namespace imgsim {
namespace {

constexpr int kWeightBits = 22;

// The weights that make output positions [first, first + count) of an axis resized from `in` to `out` positions.
struct Axis {
  int64_t taps = 0;              // weights kept per output position
  std::vector<int64_t> start;    // first input position
  std::vector<int64_t> used;     // how many count
  std::vector<int32_t> weights;  // count x taps, fixed point

  Axis(int64_t in, int64_t out, int64_t first, int64_t count) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double widening = std::max(scale, 1.0);
    const double support = widening;  // the triangle reaches one position to each side
    taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
    std::vector<double> raw(static_cast<size_t>(taps));
    for (int64_t i = 0; i < count; ++i) {
      const double centre = (static_cast<double>(first + i) + 0.5) * scale;
      const int64_t low = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
      const int64_t high = std::min(in, static_cast<int64_t>(centre + support + 0.5));
      double total = 0;
      for (int64_t x = low; x < high; ++x) {
        const double distance = std::fabs((static_cast<double>(x) - centre + 0.5) * (1.0 / widening));
        const double weight = distance < 1.0 ? 1.0 - distance : 0.0;
        raw[static_cast<size_t>(x - low)] = weight;
        total += weight;
      }
      start.push_back(low);
      used.push_back(high - low);
      for (int64_t t = 0; t < taps; ++t) {
        const double weight = t < high - low && total != 0.0 ? raw[static_cast<size_t>(t)] / total : 0.0;
        weights.push_back(static_cast<int32_t>(weight * (1 << kWeightBits) + 0.5));
      }
    }
  }

  const int32_t* at(int64_t i) const { return weights.data() + i * taps; }
};

inline uint8_t to_byte(int32_t fixed) { return static_cast<uint8_t>(std::clamp(fixed >> kWeightBits, 0, 255)); }

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

void resize_row(const uint8_t* in, const Axis& columns, int64_t count, uint8_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    const size_t at = static_cast<size_t>(i);
    const uint8_t* pixel = in + 3 * columns.start[at];
    const int32_t* weight = columns.at(i);
    int32_t red = kHalf;
    int32_t green = kHalf;
    int32_t blue = kHalf;
    for (int64_t t = 0; t < columns.used[at]; ++t, pixel += 3) {
      red += pixel[0] * weight[t];
      green += pixel[1] * weight[t];
      blue += pixel[2] * weight[t];
    }
    out[3 * i] = to_byte(red);
    out[3 * i + 1] = to_byte(green);
    out[3 * i + 2] = to_byte(blue);
  }
}

// Bytes of one output row from the rows of `in` that reach it.
void resize_column(const uint8_t* in, int64_t bytes, const int32_t* weights, int64_t used, int32_t* sums,
                   uint8_t* out) {
  std::fill(sums, sums + bytes, kHalf);
  for (int64_t t = 0; t < used; ++t) {
    const uint8_t* row = in + t * bytes;
    for (int64_t i = 0; i < bytes; ++i) {
      sums[i] += row[i] * weights[t];
    }
  }
  for (int64_t i = 0; i < bytes; ++i) {
    out[i] = to_byte(sums[i]);
  }
}

// Half of an odd difference is rounded to even, as Python does.
int64_t centre_offset(int64_t size, int64_t crop) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(size - crop) / 2.0));
}

}  // namespace

void resize_crop(const uint8_t* pixels, int64_t height, int64_t width, int64_t row_stride, int64_t resize, int64_t crop,
                 uint8_t* out, const Executor& executor) {
  check(height >= 1 && width >= 1, "resize_crop: a picture must have pixels (got ", height, " x ", width, ")");
  check(crop >= 1 && crop <= resize && resize <= 65536,
        "resize_crop: sizes must satisfy 1 <= crop <= resize <= 65536 (got crop ", crop, ", resize ", resize, ")");
  const auto longer = [&](int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<double>(resize * a) / static_cast<double>(b));
  };
  const int64_t new_width = width <= height ? resize : longer(width, height);
  const int64_t new_height = width <= height ? longer(height, width) : resize;
  const Axis columns(width, new_width, centre_offset(new_width, crop), crop);
  const Axis rows(height, new_height, centre_offset(new_height, crop), crop);

  const int64_t first = rows.start.front();
  const int64_t reached = rows.start.back() + rows.used.back() - first;
  const int64_t row_bytes = 3 * crop;
  std::vector<uint8_t> narrow(static_cast<size_t>(reached * row_bytes));
  executor.parallel_for(reached, 1 + 65536 / (columns.taps * crop), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      resize_row(pixels + (first + row) * row_stride, columns, crop, narrow.data() + row * row_bytes);
    }
  });
  executor.parallel_for(crop, 1 + 65536 / (rows.taps * crop), [&](int64_t begin, int64_t end) {
    std::vector<int32_t> sums(static_cast<size_t>(row_bytes));
    for (int64_t row = begin; row < end; ++row) {
      const auto at = static_cast<size_t>(row);
      resize_column(narrow.data() + (rows.start[at] - first) * row_bytes, row_bytes, rows.at(row), rows.used[at],
                    sums.data(), out + row * row_bytes);
    }
  });
}

}  // namespace imgsim
