#include "reduce.h"

#include <algorithm>
#include <utility>

#include "axes.h"
#include "isa/loops.h"

namespace imgsim {
namespace {

// Sums are cut at fixed places, whatever the threads: pieces of this many reduced elements, added in order.
constexpr int64_t kPiece = 16384;
constexpr int64_t kColumns = 2048;      // columns whose running sums one task keeps
constexpr int64_t kRangeItems = 32768;  // elements a range of a parallel loop reads at least

// Sums over the middle axis of a row-major (outer, reduced, inner) array, none of them 0.
template <class T>
std::vector<double> sum_middle(const T* in, int64_t outer, int64_t reduced, int64_t inner, const Executor& executor) {
  const RowLoops<T>& loop = loops().rows<T>();
  const int64_t pieces = (reduced + kPiece - 1) / kPiece;
  const int64_t strips = (inner + kColumns - 1) / kColumns;
  const int64_t per_task = std::min(reduced, kPiece) * std::min(inner, kColumns);
  std::vector<double> parts(static_cast<size_t>(outer * pieces * inner));
  executor.parallel_for(outer * pieces * strips, 1 + kRangeItems / per_task, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i % strips * kColumns;
      const int64_t part = i / strips;
      const int64_t start = part % pieces * kPiece;
      const int64_t rows = std::min(kPiece, reduced - start);
      const T* from = in + (part / pieces * reduced + start) * inner + column;
      double* to = parts.data() + part * inner + column;
      if (inner == 1) {
        *to = loop.sum(from, rows);
      } else {
        loop.add_rows(from, rows, inner, std::min(kColumns, inner - column), to);
      }
    }
  });
  if (pieces == 1) {
    return parts;
  }
  std::vector<double> sums(static_cast<size_t>(outer * inner));
  for (int64_t o = 0; o < outer; ++o) {
    loops().float64.add_rows(parts.data() + o * pieces * inner, pieces, inner, inner, sums.data() + o * inner);
  }
  return sums;
}

template <class T>
void mean(const T* in, T* out, const std::vector<int64_t>& sizes, const std::vector<bool>& reduced,
          const Executor& executor) {
  double count = 1;
  int64_t kept = 1;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (reduced[axis]) {
      count *= static_cast<double>(sizes[axis]);
    } else {
      kept *= sizes[axis];
    }
  }
  std::vector<double> sums(static_cast<size_t>(kept));
  std::vector<Run> runs = runs_of(sizes, reduced);
  Cut cut;
  if (kept == 0) {
    return;
  }
  if (!cut_innermost(runs, cut)) {
    loops().rows<T>().widen(in, kept, sums.data());
  } else if (count > 0) {
    sums = sum_middle(in, cut.outer, cut.reduced, cut.inner, executor);
    while (cut_innermost(runs, cut)) {
      sums = sum_middle(std::as_const(sums).data(), cut.outer, cut.reduced, cut.inner, executor);
    }
  }
  for (double& sum : sums) {
    sum /= count;
  }
  loops().rows<T>().narrow(sums.data(), kept, out);
}

}  // namespace

void reduce_mean(DType dtype, const void* in, void* out, const std::vector<int64_t>& sizes,
                 const std::vector<bool>& reduced, const Executor& executor) {
  visit_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    mean(static_cast<const T*>(in), static_cast<T*>(out), sizes, reduced, executor);
  });
}

}  // namespace imgsim
