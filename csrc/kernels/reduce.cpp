#include "reduce.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "isa/loops.h"

namespace imgsim {
namespace {

// Sums are cut at fixed places, whatever the threads: pieces of this many reduced elements, added in order.
constexpr int64_t kPiece = 16384;
constexpr int64_t kColumns = 256;      // columns whose running sums one task keeps
constexpr int64_t kTaskItems = 32768;  // elements a range of a parallel loop reads at least

template <class T>
void mean_of_rows(const T* in, T* out, int64_t outer, int64_t reduced, const Executor& executor) {
  const RowLoops<T>& loop = loops().rows<T>();
  const int64_t pieces = (reduced + kPiece - 1) / kPiece;
  std::vector<double> sums(static_cast<size_t>(outer * pieces));
  const int64_t grain = std::max<int64_t>(1, kTaskItems / std::min(reduced, kPiece));
  executor.parallel_for(outer * pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t start = i % pieces * kPiece;
      sums[static_cast<size_t>(i)] = loop.sum(in + i / pieces * reduced + start, std::min(kPiece, reduced - start));
    }
  });
  for (int64_t o = 0; o < outer; ++o) {
    double sum = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      sum += sums[static_cast<size_t>(o * pieces + piece)];
    }
    sum /= static_cast<double>(reduced);
    loop.narrow(&sum, 1, out + o);
  }
}

template <class T>
void mean_of_columns(const T* in, T* out, int64_t outer, int64_t reduced, int64_t inner, const Executor& executor) {
  const RowLoops<T>& loop = loops().rows<T>();
  const int64_t strips = (inner + kColumns - 1) / kColumns;
  const int64_t pieces = (reduced + kPiece - 1) / kPiece;
  std::vector<double> sums(static_cast<size_t>(outer * pieces * inner));
  const int64_t per_task = std::min(reduced, kPiece) * std::min(inner, kColumns);
  executor.parallel_for(outer * pieces * strips, std::max<int64_t>(1, kTaskItems / per_task),
                        [&](int64_t begin, int64_t end) {
                          for (int64_t i = begin; i < end; ++i) {
                            const int64_t column = i % strips * kColumns;
                            const int64_t piece = i / strips % pieces;
                            const int64_t o = i / strips / pieces;
                            const int64_t start = piece * kPiece;
                            loop.add_rows(in + (o * reduced + start) * inner + column,
                                          std::min(kPiece, reduced - start), inner, std::min(kColumns, inner - column),
                                          sums.data() + (o * pieces + piece) * inner + column);
                          }
                        });
  for (int64_t o = 0; o < outer; ++o) {
    double* total = sums.data() + o * pieces * inner;
    for (int64_t piece = 1; piece < pieces; ++piece) {
      loops().float64.add_rows(total + piece * inner, 1, 0, inner, total);
    }
    for (int64_t j = 0; j < inner; ++j) {
      total[j] /= static_cast<double>(reduced);
    }
    loop.narrow(total, inner, out + o * inner);
  }
}

}  // namespace

void reduce_mean(DType dtype, const void* in, void* out, int64_t outer, int64_t reduced, int64_t inner,
                 const Executor& executor) {
  if (outer == 0 || inner == 0) {
    return;
  }
  visit_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = static_cast<const T*>(in);
    T* to = static_cast<T*>(out);
    if (reduced == 0) {
      const std::vector<double> nothing(static_cast<size_t>(outer * inner), std::numeric_limits<double>::quiet_NaN());
      loops().rows<T>().narrow(nothing.data(), outer * inner, to);
    } else if (inner == 1) {
      mean_of_rows(from, to, outer, reduced, executor);
    } else {
      mean_of_columns(from, to, outer, reduced, inner, executor);
    }
  });
}

}  // namespace imgsim
