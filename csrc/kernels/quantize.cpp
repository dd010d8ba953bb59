#include "quantize.h"

#include <atomic>
#include <cmath>
#include <vector>

#include "isa/loops.h"

namespace imgsim {
namespace {

constexpr int64_t kRangeBytes = 1 << 16;  // what one range of the parallel loop reads at least

void keep_smallest(std::atomic<int64_t>& smallest, int64_t value) {
  int64_t current = smallest.load();
  while (value < current && !smallest.compare_exchange_weak(current, value)) {
  }
}

}  // namespace

int64_t quantize_rows(const Matrix& rows, int8_t* codes, const Executor& executor) {
  std::atomic<int64_t> bad{rows.rows};
  const int64_t row_bytes = std::max<int64_t>(1, rows.dim * static_cast<int64_t>(size_of(rows.dtype)));
  visit_floating(rows.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const RowLoops<T>& loop = loops().rows<T>();
    executor.parallel_for(rows.rows, 1 + kRangeBytes / row_bytes, [&](int64_t begin, int64_t end) {
      std::vector<float> scaled(static_cast<size_t>(rows.dim));
      for (int64_t row = begin; row < end; ++row) {
        const T* x = static_cast<const T*>(rows.data) + row * rows.dim;
        const double top = loop.largest(x, rows.dim);
        if (std::isnan(top)) {
          keep_smallest(bad, row);
        }
        const double factor = kCodeLevels / top;
        loop.scale(x, rows.dim, std::isfinite(factor) ? factor : 0.0, scaled.data());
        loops().bytes.round_to_bytes(scaled.data(), rows.dim, codes + row * rows.dim);
      }
    });
  });
  return bad.load() < rows.rows ? bad.load() : -1;
}

}  // namespace imgsim
