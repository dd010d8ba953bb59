// Which pairs of vectors may score at or above a limit, by products on tensor cores.
//
// A block keeps kLeft vectors on the left and goes over many on the right, kRight at a time: a tile. The product of two
// vectors times the inverses of their norms is their score but for an error of which slack() is a bound: so a pair
// whose product stays below the limit by more than that is left out for good, and every other one goes to a queue, to
// be scored exactly. The answer is exact, for any input; only the time depends on how many pairs come close.
//
// Vectors whose norm is not in [kSmallestNorm, kLargestNorm] have NaN for its inverse, which no limit is above: they
// are always scored. A zero vector's is 0.
#pragma once

#include "../cosine.h"
#include "device.cuh"
#include "scores.cuh"

namespace imgsim::cuda {
namespace {

constexpr int kLeft = 128;
constexpr int kRight = 256;
constexpr int kChunk = 64;         // bytes of each vector in a stage
constexpr int kStages = 3;         // of which one is worked on while the others are loaded
constexpr int kTileThreads = 256;  // 2 x 4 warps, each with 64 x 64 of the tile's products

/// The elements that are multiplied.
template <class T>
using Code = std::conditional_t<std::is_same_v<T, double>, float, T>;

/// A bound on how far a product of codes, over the norms, is from the rounded score.
template <class T>
float slack(int64_t dim) {
  // Two codes of 11 significant bits, cut off: (1 + 2^-10)^2 - 1. Elements of two bytes are their codes.
  const float codes = sizeof(T) == 2 ? 0.0f : 0x1.02p-9f;
  // A sum of n products errs by less than n + 1 units of 2^-23 of the sum of their magnitudes, however it is rounded or
  // cut off, and that sum is at most the product of the norms. Twice that, and something for the norms and the score
  // itself.
  return codes + static_cast<float>(dim + 64) * 0x1p-22f;
}

/// One side: `rows` vectors, adjacent, and the inverse norm of each.
struct Side {
  const void* data;
  const float* scale;
  int64_t rows;
};

struct Sides {
  Side left;
  Side right;
  int64_t dim;
  bool aligned;  // every vector starts at a multiple of 16 bytes
};

template <class T>
bool is_aligned(const void* data, int64_t dim) {
  return dim * sizeof(T) % 16 == 0 && reinterpret_cast<uintptr_t>(data) % 16 == 0;
}

// A team for each row.
template <class T>
__global__ void scale_rows(const T* __restrict__ data, float* __restrict__ scale, int64_t rows, int64_t dim) {
  const int lanes = lanes_for(dim);
  const int64_t teams = 32 / lanes;
  for (int64_t first = global_thread() / 32 * teams; first < rows; first += global_threads() / 32 * teams) {
    const int64_t row = first + static_cast<int>(threadIdx.x) % 32 / lanes;
    const int lane = static_cast<int>(threadIdx.x) % lanes;
    double squares[1] = {};
    if (row < rows) {
      const T* x = data + row * dim;
      const bool aligned = FourElements<T>::can_load(x);
#pragma unroll 4
      for (int64_t i = 4 * lane; i < dim; i += 4 * lanes) {
        const FourElements<T> four(x + i, dim - i, aligned);
        squares[0] += four.value[0] * four.value[0] + four.value[1] * four.value[1] + four.value[2] * four.value[2] +
                      four.value[3] * four.value[3];
      }
    }
    team_sum(squares, lanes);
    if (row < rows && lane == 0) {
      const double norm = std::sqrt(squares[0]);
      const bool usual = norm >= static_cast<double>(kSmallestNorm) && norm <= static_cast<double>(kLargestNorm);
      scale[row] = norm == 0 ? 0.0f : usual ? static_cast<float>(1 / norm) : NAN;
    }
  }
}

/// Queues the inverse norms of a matrix's rows.
template <class T>
void take_scales(const char* op, const Matrix& matrix, float* scale, CUstream_st* stream) {
  constexpr int kThreads = 256;
  if (matrix.rows > 0) {
    launch(op, scale_rows<T>, blocks_for(matrix.rows * lanes_for(matrix.dim), kThreads), kThreads, 0, stream,
           static_cast<const T*>(matrix.data), scale, matrix.rows, matrix.dim);
  }
}

// ----------------------------------------------------------------------------------------------------------------
// tiles

/// A chunk of each vector of a tile. With a tile's last chunk come the inverse norms of the right side.
struct Stage {
  unsigned char left[kLeft * kChunk];
  unsigned char right[kRight * kChunk];
  float scale[kRight];
};

// Where 16 bytes of a row are. Turned about, so that eight rows' pieces at one place are in different banks.
__device__ inline int place_of(int row, int piece) { return row * kChunk + ((piece ^ row >> 1) & 3) * 16; }

/// Begins to load a chunk of kCount rows from `first` on; what is beyond a vector's end or the last row is 0.
template <class T, int kCount>
__device__ void load_rows(unsigned char* to, const Side& side, const Sides& sides, int64_t first, int64_t chunk) {
  constexpr int kPieces = kChunk / 16;
  constexpr int kElements = 16 / static_cast<int>(sizeof(Code<T>));
#pragma unroll
  for (int i = 0; i < kCount * kPieces / kTileThreads; ++i) {
    const int which = i * kTileThreads + static_cast<int>(threadIdx.x);
    const int row = which / kPieces;
    const int piece = which % kPieces;
    const int64_t element = (chunk * kPieces + piece) * kElements;
    const bool there = first + row < side.rows && element < sides.dim;
    const T* from = static_cast<const T*>(side.data) + (there ? (first + row) * sides.dim + element : 0);
    unsigned char* place = to + place_of(row, piece);
    if (!std::is_same_v<T, double> && sides.aligned) {
      copy_async_16(place, from, there ? 16 : 0);
    } else {
      struct alignas(16) Piece {
        Code<T> element[kElements];
      } codes;
#pragma unroll
      for (int e = 0; e < kElements; ++e) {
        codes.element[e] = there && element + e < sides.dim ? static_cast<Code<T>>(from[e]) : Code<T>{};
      }
      *reinterpret_cast<Piece*>(place) = codes;
    }
  }
}

/// Adds the products over one chunk to this warp's 64 x 64 sums.
template <class T>
__device__ void multiply_chunk(const Stage& stage, float (&sums)[4][8][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int left = warp / 4 * 64;
  const int right = warp % 4 * 64;
#pragma unroll
  for (int half = 0; half < kChunk / 32; ++half) {
    uint32_t a[4][4];
    uint32_t b[8][2];
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      load_matrices(a[m], stage.left + place_of(left + 16 * m + lane % 16, 2 * half + lane / 16));
    }
#pragma unroll
    for (int n = 0; n < 8; n += 2) {
      uint32_t two[4];
      load_matrices(two, stage.right + place_of(right + 8 * n + lane / 16 * 8 + lane % 8, 2 * half + lane / 8 % 2));
      b[n][0] = two[0];
      b[n][1] = two[1];
      b[n + 1][0] = two[2];
      b[n + 1][1] = two[3];
    }
    multiply_add<Code<T>>(sums, a, b);
  }
}

/// Goes over the right rows [begin, end), whole tiles but for the last one of all, and calls tile(sums, first, scale)
/// with the products of each: sums[m][n][r] as multiply_add says, within the 64 x 64 of the warp; the tile's first
/// right row; the right side's inverse norms, 0 beyond the last row. The left rows are those from left_first on.
template <class T, class Tile>
__device__ void for_each_tile(const Sides& sides, int64_t left_first, int64_t begin, int64_t end, Stage* stages,
                              const Tile& tile) {
  constexpr int kElements = kChunk / static_cast<int>(sizeof(Code<T>));
  const int64_t chunks = sides.dim > kElements ? (sides.dim + kElements - 1) / kElements : 1;
  int64_t load_first = begin;
  int64_t load_chunk = 0;
  const auto load_next = [&](Stage& stage) {
    if (load_first < end) {
      load_rows<T, kLeft>(stage.left, sides.left, sides, left_first, load_chunk);
      load_rows<T, kRight>(stage.right, sides.right, sides, load_first, load_chunk);
      if (++load_chunk == chunks) {
        const int64_t row = load_first + threadIdx.x;
        const bool there = row < sides.right.rows;
        copy_async_4(stage.scale + threadIdx.x, sides.right.scale + (there ? row : 0), there ? 4 : 0);
        load_chunk = 0;
        load_first += kRight;
      }
    }
    commit_copies();  // an empty group too, so that the latest kStages - 2 are always those ahead
  };
  float sums[4][8][4] = {};
  int at = 0;  // the stage that is worked on
  int next = kStages - 1;
  for (int stage = 0; stage < kStages - 1; ++stage) {
    load_next(stages[stage]);
  }
  int64_t chunk = 0;
  for (int64_t first = begin; first < end;) {
    wait_copies<kStages - 2>();
    __syncthreads();  // the copies of all threads are there, and none works on the stage that is loaded next
    load_next(stages[next]);
    multiply_chunk<T>(stages[at], sums);
    if (++chunk == chunks) {
      tile(sums, first, stages[at].scale);
#pragma unroll
      for (int m = 0; m < 4; ++m) {
#pragma unroll
        for (int n = 0; n < 8; ++n) {
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            sums[m][n][r] = 0;
          }
        }
      }
      chunk = 0;
      first += kRight;
    }
    at = at + 1 == kStages ? 0 : at + 1;
    next = next + 1 == kStages ? 0 : next + 1;
  }
}

// ----------------------------------------------------------------------------------------------------------------
// queue

constexpr int kQueue = 4096;
constexpr int kLeftBits = 7;                      // of a pair in the queue
constexpr int64_t kMostRight = int64_t{1} << 25;  // rows that a block may go over
static_assert(1 << kLeftBits == kLeft);

/// Pairs that are to be scored, and what decides which: in shared memory. A pair is a left row, counted from the
/// block's first, and a right row, counted from the first that the block goes over.
struct Queue {
  uint32_t pair[kQueue];
  int count;
  int wanted;
  float scale[kLeft];
  float limit[kLeft];  // less slack(); +infinity for rows that are not there

  static __device__ uint32_t pair_of(int left, int64_t right) {
    return static_cast<uint32_t>(right) << kLeftBits | static_cast<uint32_t>(left);
  }
  static __device__ int left_of(uint32_t pair) { return static_cast<int>(pair % kLeft); }
  static __device__ int64_t right_of(uint32_t pair) { return pair >> kLeftBits; }

  __device__ void push(int left, int64_t right) { pair[atomicAdd(&count, 1)] = pair_of(left, right); }
};

/// Which of this thread's products reach the limits of their left rows: bit 4 n + r of word m.
struct Reached {
  uint32_t word[4];
};

__device__ inline Reached reached(const float (&sums)[4][8][4], const float* right_scale, const Queue& queue) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Reached reached{};
#pragma unroll
  for (int m = 0; m < 4; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int left = warp / 4 * 64 + 16 * m + lane / 4 + half * 8;
      const float scale = queue.scale[left];
      const float limit = queue.limit[left];
#pragma unroll
      for (int n = 0; n < 8; ++n) {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const float other = right_scale[warp % 4 * 64 + 8 * n + lane % 4 * 2 + r];
          // Not so for NaN: it is never below.
          const bool below = sums[m][n][2 * half + r] * (scale * other) < limit;
          reached.word[m] |= below ? 0u : 1u << (4 * n + 2 * half + r);
        }
      }
    }
  }
  return reached;
}

/// Calls visit(left row, right row) for each bit in `of`, both counted from the tile's first.
template <class Visit>
__device__ void for_each_reached(const Reached& reached, uint32_t of, const Visit& visit) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int m = 0; m < 4; ++m) {
    for (uint32_t bits = reached.word[m] & of; bits != 0; bits &= bits - 1) {
      const int bit = __ffs(bits) - 1;
      visit(warp / 4 * 64 + 16 * m + lane / 4 + bit / 2 % 2 * 8, warp % 4 * 64 + bit / 4 * 8 + lane % 4 * 2 + bit % 2);
    }
  }
}

/// Puts pairs of a tile into the queue and calls flush(), with all threads, when there are enough to keep them busy.
/// belongs(left, right) says which pairs of a tile there are; `offset` is what to add to a right row.
template <class Belongs, class Flush>
__device__ IMGSIM_OUT_OF_LINE void enqueue(Reached reached, Queue& queue, int64_t offset, const Belongs& belongs,
                                           const Flush& flush) {
  constexpr int kEnough = 512;
  constexpr uint32_t kColumn = 15;  // four bits of eight columns, of each of 4 warps: at most kQueue pairs
  static_assert(kLeft * 4 * 8 <= kQueue);
  int mine = 0;
  for_each_reached(reached, ~0u, [&](int left, int right) { mine += belongs(left, right) ? 1 : 0; });
  if (mine > 0) {
    atomicAdd(&queue.wanted, mine);
  }
  __syncthreads();
  const bool fits = queue.count + queue.wanted <= kQueue;
  __syncthreads();
  if (threadIdx.x == 0) {
    queue.wanted = 0;
  }
  const auto push = [&](int left, int right) {
    if (belongs(left, right)) {
      queue.push(left, offset + right);
    }
  };
  if (fits) {
    for_each_reached(reached, ~0u, push);
    __syncthreads();
    if (queue.count >= kEnough) {
      flush();
    }
  } else {
    flush();
    for (int n = 0; n < 8; ++n) {
      for_each_reached(reached, kColumn << 4 * n, push);
      __syncthreads();
      flush();
    }
  }
}

/// Scores `count` pairs of the queue from `begin` on: calls with(i, score, pair) once for each, i counted from `begin`.
/// All threads of the block come here together, kThreads of them. left and right are the first rows that pairs count
/// from.
template <class T, int kThreads, class With>
__device__ void score_pairs(const Queue& queue, int begin, int count, const T* left, const T* right, int64_t dim,
                            const With& with) {
  const int lanes = lanes_for(dim);
  const int teams = 32 / lanes;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  for (int first = warp * teams; first < count; first += kThreads / 32 * teams) {
    const int i = first + lane / lanes;
    const bool mine = i < count;
    const uint32_t pair = queue.pair[begin + (mine ? i : 0)];
    const double score = score_of(left + Queue::left_of(pair) * dim, right + Queue::right_of(pair) * dim,
                                  mine ? dim : 0, dim, kCosineEps);
    if (mine && lane % lanes == 0) {
      with(i, round_score<T>(score), pair);
    }
  }
}

}  // namespace
}  // namespace imgsim::cuda
