// Sums over the middle axis of a strided (outer, reduced, inner) array, in double, always in the same order.
#pragma once

#include <algorithm>

#include "device.cuh"

namespace imgsim::cuda {
namespace {

constexpr int kSumThreads = 256;

/// Sums are cut into pieces where there would be too few of them to keep a GPU busy: at places that depend on the sizes
/// alone. The sum of a piece goes to place (outer index * pieces + piece) * inner + inner index.
struct Summation {
  int64_t outer, reduced, inner;
  int64_t stride_outer, stride_reduced, stride_inner;  // in elements; one of the last two is 1
  int64_t pieces = 1;
  int64_t piece = 0;  // elements

  Summation(int64_t outer_, int64_t reduced_, int64_t inner_, int64_t stride_o, int64_t stride_r, int64_t stride_i)
      : outer(outer_),
        reduced(reduced_),
        inner(inner_),
        stride_outer(stride_o),
        stride_reduced(stride_r),
        stride_inner(stride_i) {
    constexpr int64_t kBusy = 2048;          // blocks of threads
    constexpr int64_t kRowElements = 4096;   // of a row, that are worth a block
    constexpr int64_t kColumnElements = 16;  // of a column, that are worth a thread
    const int64_t tasks = along_rows() ? outer * inner : outer * strips();
    const int64_t worth = along_rows() ? kRowElements : kColumnElements * (kSumThreads / columns());
    pieces =
        std::clamp<int64_t>(kBusy / std::max<int64_t>(tasks, 1), 1, std::max<int64_t>(ceil_div(reduced, worth), 1));
    piece = ceil_div(reduced, pieces);
    pieces = piece == 0 ? 1 : ceil_div(reduced, piece);
  }

  /// Whether what is summed is adjacent, or else lies beside what is summed for the next inner index.
  bool along_rows() const { return stride_reduced == 1 || inner == 1; }
  int64_t sums() const { return outer * pieces * inner; }
  /// Columns that a block sums, and how many such strips there are.
  int64_t columns() const {
    int64_t columns = 2;
    while (columns < inner && columns < 64) {
      columns *= 2;
    }
    return columns;
  }
  int64_t strips() const { return ceil_div(inner, columns()); }
};

/// A sum over the threads of a team of kLanes: neighbours in a warp, or the whole block of kSumThreads, for which
/// `scratch` has room for a double a warp. All of the team get it.
template <int kLanes>
__device__ double sum_of_team(double value, double* scratch) {
  double values[1] = {value};
  team_sum(values, kLanes < 32 ? kLanes : 32);
  if constexpr (kLanes > 32) {
    __syncthreads();  // whoever still reads what was there before
    if (threadIdx.x % 32 == 0) {
      scratch[threadIdx.x / 32] = values[0];
    }
    __syncthreads();
    values[0] = 0;
    for (int warp = 0; warp < kLanes / 32; ++warp) {
      values[0] += scratch[warp];
    }
  }
  return values[0];
}

/// Calls term(i, slot) for this lane's share of [0, count): element lane, then every kLanes-th one, slots 0 to 3 in
/// turn, so that four sums can grow at once.
template <int kLanes, class Term>
__device__ void by_lanes(int64_t count, int lane, const Term& term) {
  int64_t i = lane;
  for (; i + 3 * kLanes < count; i += 4 * kLanes) {
#pragma unroll
    for (int slot = 0; slot < 4; ++slot) {
      term(i + slot * kLanes, slot);
    }
  }
#pragma unroll
  for (int slot = 0; slot < 3; ++slot) {
    if (i + slot * kLanes < count) {
      term(i + slot * kLanes, slot);
    }
  }
}

// A team for each sum. out[i] = sum / divisor.
template <int kLanes, class In, class Out>
__global__ void __launch_bounds__(kSumThreads)
    sum_rows(const In* __restrict__ in, Out* __restrict__ out, Summation s, double divisor) {
  __shared__ double scratch[kSumThreads / 32];
  constexpr int kTeams = kSumThreads / kLanes;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int team = static_cast<int>(threadIdx.x) / kLanes;
  const int64_t sums = s.outer * s.pieces * s.inner;
  // The loop's end is the same for the whole block: its threads add up together.
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kTeams; first < sums;
       first += static_cast<int64_t>(gridDim.x) * kTeams) {
    const int64_t which = first + team;
    double parts[4] = {};
    if (which < sums) {
      int64_t outer = which;
      int64_t inner = 0;
      int64_t start = 0;
      if (s.inner * s.pieces != 1) {
        inner = which % s.inner;
        start = which / s.inner % s.pieces * s.piece;
        outer = which / s.inner / s.pieces;
      }
      const In* from = in + outer * s.stride_outer + start * s.stride_reduced + inner * s.stride_inner;
      const int64_t count = s.reduced - start < s.piece ? s.reduced - start : s.piece;
      by_lanes<kLanes>(count, lane, [&](int64_t i, int slot) { parts[slot] += to_double(from[i * s.stride_reduced]); });
    }
    const double sum = sum_of_team<kLanes>((parts[0] + parts[1]) + (parts[2] + parts[3]), scratch);
    if (lane == 0 && which < sums) {
      from_double(sum / divisor, out + which);
    }
  }
}

// A block for a strip of columns: threads side by side read side by side, and several of them share a column.
template <class In, class Out>
__global__ void __launch_bounds__(kSumThreads)
    sum_columns(const In* __restrict__ in, Out* __restrict__ out, Summation s, int columns, double divisor) {
  __shared__ double shared[kSumThreads];
  const int thread = static_cast<int>(threadIdx.x);
  const int column = thread % columns;
  const int row = thread / columns;
  const int rows = kSumThreads / columns;
  const int64_t strips = (s.inner + columns - 1) / columns;
  const int64_t tasks = s.outer * s.pieces * strips;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t inner = task % strips * columns + column;
    const int64_t part = task / strips;  // of outer index and piece
    const int64_t start = part % s.pieces * s.piece;
    const int64_t end = s.reduced - start < s.piece ? s.reduced : start + s.piece;
    double parts[4] = {};
    if (inner < s.inner) {
      const In* from = in + part / s.pieces * s.stride_outer + inner * s.stride_inner;
      int64_t i = start + row;
      for (; i + 3 * rows < end; i += 4 * rows) {
#pragma unroll
        for (int slot = 0; slot < 4; ++slot) {
          parts[slot] += to_double(from[(i + slot * rows) * s.stride_reduced]);
        }
      }
      for (; i < end; i += rows) {
        parts[0] += to_double(from[i * s.stride_reduced]);
      }
    }
    shared[thread] = (parts[0] + parts[1]) + (parts[2] + parts[3]);
    __syncthreads();
    for (int half = rows / 2; half > 0; half /= 2) {
      if (row < half) {
        shared[thread] += shared[thread + half * columns];
      }
      __syncthreads();
    }
    if (row == 0 && inner < s.inner) {
      from_double(shared[thread] / divisor, out + part * s.inner + inner);
    }
    __syncthreads();
  }
}

/// Queues the sums of all pieces, each divided by `divisor` and rounded to Out.
template <class In, class Out>
void sum_pieces(const char* op, const In* in, Out* out, const Summation& s, double divisor, CUstream_st* stream) {
  if (s.sums() == 0) {
    return;
  }
  const auto rows = [&](auto kernel, int lanes) {
    launch(op, kernel, blocks_for(s.sums(), kSumThreads / lanes), kSumThreads, 0, stream, in, out, s, divisor);
  };
  if (!s.along_rows()) {
    const auto columns = static_cast<int>(s.columns());
    launch(op, sum_columns<In, Out>, blocks_for(s.outer * s.pieces * s.strips(), 1), kSumThreads, 0, stream, in, out, s,
           columns, divisor);
  } else if (s.piece <= 8) {
    rows(sum_rows<1, In, Out>, 1);
  } else if (s.piece <= 64) {
    rows(sum_rows<8, In, Out>, 8);
  } else if (s.piece <= 2048) {
    rows(sum_rows<32, In, Out>, 32);
  } else {
    rows(sum_rows<kSumThreads, In, Out>, kSumThreads);
  }
}

}  // namespace
}  // namespace imgsim::cuda
