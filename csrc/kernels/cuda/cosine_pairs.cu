#include <algorithm>

#include "cosine.h"
#include "screen.cuh"

namespace imgsim::cuda {
namespace {

constexpr const char* kOp = "cosine_pairs";

// What one panel of rows [first, first + count) is searched for: pairs with later rows.
struct PairSearch {
  Sides sides;  // the left side begins at `first`
  int64_t first;
  int64_t words;   // of 32 bits, for a row of bits
  uint32_t* bits;  // [count][words]: bit j of row i - first is pair (i, j)
  double threshold;
  float limit;  // the threshold less slack()
};

struct TileMemory {
  Stage stages[kStages];
  Queue queue;
};
static_assert(sizeof(TileMemory) <= 99 << 10);  // what a block can have on every GPU from sm_80 on

/// Scores the pairs in the queue and sets the bits of those that reach the threshold. All threads come here, after a
/// barrier.
template <class T>
__device__ IMGSIM_OUT_OF_LINE void flush_pairs(const PairSearch& search, Queue& queue, int64_t first_left,
                                               int64_t first_right) {
  const int64_t dim = search.sides.dim;
  const T* left = static_cast<const T*>(search.sides.left.data) + first_left * dim;
  const T* right = static_cast<const T*>(search.sides.right.data) + first_right * dim;
  score_pairs<T, kTileThreads>(queue, 0, queue.count, left, right, dim, [&](int, double score, uint32_t pair) {
    if (score >= search.threshold) {
      const int64_t column = first_right + Queue::right_of(pair);
      atomicOr(search.bits + (first_left + Queue::left_of(pair)) * search.words + column / 32,
               uint32_t{1} << column % 32);
    }
  });
  __syncthreads();
  if (threadIdx.x == 0) {
    queue.count = 0;
  }
  __syncthreads();
}

// Block (x, y): the kLeft rows of the panel from x kLeft on, and part y of all rows from the panel's first on.
template <class T>
__global__ void __launch_bounds__(kTileThreads, 1) screen_pairs(const __grid_constant__ PairSearch search) {
  IMGSIM_SHARED_MEMORY(memory);
  auto& shared = *reinterpret_cast<TileMemory*>(memory);
  Queue& queue = shared.queue;
  const Sides& sides = search.sides;
  const int64_t first_left = static_cast<int64_t>(blockIdx.x) * kLeft;
  const int64_t first_row = search.first + first_left;
  const int64_t tiles = (sides.right.rows - search.first + kRight - 1) / kRight;
  int64_t begin = search.first + tiles * blockIdx.y / gridDim.y * kRight;
  int64_t end = search.first + tiles * (blockIdx.y + 1) / gridDim.y * kRight;
  end = end < sides.right.rows ? end : sides.right.rows;
  while (begin + kRight <= first_row + 1 && begin < end) {  // tiles before the diagonal hold no pair
    begin += kRight;
  }
  for (int i = static_cast<int>(threadIdx.x); i < kLeft; i += kTileThreads) {
    const bool there = first_left + i < sides.left.rows;
    queue.scale[i] = there ? sides.left.scale[first_left + i] : 0.0f;
    queue.limit[i] = there ? search.limit : INFINITY;
  }
  if (threadIdx.x == 0) {
    queue.count = 0;
    queue.wanted = 0;
  }
  __syncthreads();
  const int64_t base = begin;  // where the queue's right rows are counted from
  for_each_tile<T>(sides, first_left, begin, end, shared.stages,
                   [&](const float (&sums)[4][8][4], int64_t first, const float* scale) {
                     const Reached some = reached(sums, scale, queue);
                     if (!__syncthreads_or((some.word[0] | some.word[1] | some.word[2] | some.word[3]) != 0)) {
                       return;
                     }
                     enqueue(
                         some, queue, first - base,
                         [&](int left, int right) {
                           return first_left + left < sides.left.rows && first + right < sides.right.rows &&
                                  first + right > first_row + left;
                         },
                         [&] { flush_pairs<T>(search, queue, first_left, base); });
                   });
  __syncthreads();
  flush_pairs<T>(search, queue, first_left, base);
}

// ---------------------------------------------------------------------------------------------------- from bits to
// pairs

// A warp for each row: how many of its bits are set.
__global__ void count_bits(const uint32_t* __restrict__ bits, int64_t rows, int64_t words,
                           int64_t* __restrict__ counts) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t row = global_thread() / 32; row < rows; row += global_threads() / 32) {
    double count[1] = {};  // exact below 2^53
    for (int64_t word = lane; word < words; word += 32) {
      count[0] += __popc(bits[row * words + word]);
    }
    team_sum(count, 32);
    if (lane == 0) {
      counts[row] = static_cast<int64_t>(count[0]);
    }
  }
}

constexpr int kScanThreads = 1024;

// One block: counts[i] becomes the sum of those before it, counts[rows] that of all.
__global__ void __launch_bounds__(kScanThreads) add_up(int64_t* __restrict__ counts, int64_t rows) {
  __shared__ int64_t sums[kScanThreads];
  const int thread = static_cast<int>(threadIdx.x);
  int64_t before = 0;
  for (int64_t start = 0; start < rows; start += kScanThreads) {
    const int64_t own = start + thread < rows ? counts[start + thread] : 0;
    sums[thread] = own;
    __syncthreads();
    for (int step = 1; step < kScanThreads; step *= 2) {
      const int64_t other = thread >= step ? sums[thread - step] : 0;
      __syncthreads();
      sums[thread] += other;
      __syncthreads();
    }
    if (start + thread < rows) {
      counts[start + thread] = before + sums[thread] - own;
    }
    before += sums[kScanThreads - 1];
    __syncthreads();
  }
  if (thread == 0) {
    counts[rows] = before;
  }
}

// A warp for each row writes its pairs, by column, from offsets[row] on.
__global__ void write_pairs(const uint32_t* __restrict__ bits, int64_t rows, int64_t words, int64_t first,
                            const int64_t* __restrict__ offsets, int64_t* __restrict__ row_out,
                            int64_t* __restrict__ column_out) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int64_t row = global_thread() / 32; row < rows; row += global_threads() / 32) {
    int64_t at = offsets[row];
    for (int64_t start = 0; start < words; start += 32) {
      const uint32_t own = start + lane < words ? bits[row * words + start + lane] : 0;
      // Word by word, bit by bit: lane l writes bit l, where it is set.
      for (unsigned todo = __ballot_sync(kAllLanes, own != 0); todo != 0; todo &= todo - 1) {
        const int from = __ffs(todo) - 1;
        const uint32_t word = bits[row * words + start + from];
        if (word >> lane & 1u) {
          const int64_t place = at + __popc(word & ((uint32_t{1} << lane) - 1));
          row_out[place] = first + row;
          column_out[place] = (start + from) * 32 + lane;
        }
        at += __popc(word);
      }
    }
  }
}

// A team for each pair.
template <class T, class Out>
__global__ void score_found(const T* __restrict__ data, int64_t dim, const int64_t* __restrict__ rows,
                            const int64_t* __restrict__ columns, int64_t count, Out* __restrict__ scores) {
  const int lanes = lanes_for(dim);
  const int64_t teams = 32 / lanes;
  for (int64_t first = global_thread() / 32 * teams; first < count; first += global_threads() / 32 * teams) {
    const int64_t which = first + static_cast<int>(threadIdx.x) % 32 / lanes;
    const bool mine = which < count;
    const T* x = data + (mine ? rows[which] : 0) * dim;
    const T* y = data + (mine ? columns[which] : 0) * dim;
    const double score = score_of(x, y, mine ? dim : 0, dim, kCosineEps);
    if (mine && static_cast<int>(threadIdx.x) % lanes == 0) {
      scores[which] = static_cast<Out>(score);
    }
  }
}

constexpr int kThreads = 256;

/// Where things are in the scratch memory.
struct Places {
  float* scales;
  uint32_t* bits;
  int64_t* offsets;
  int64_t words;
  int64_t bits_bytes;
  int64_t bytes;

  Places(int64_t rows, int64_t panel, void* scratch) : words(ceil_div(rows, 32)) {
    Parts parts(scratch);
    scales = parts.take<float>(rows);
    bits = parts.take<uint32_t>(panel * words);
    offsets = parts.take<int64_t>(panel + 1);
    bits_bytes = panel * words * 4;
    bytes = parts.bytes();
  }
};

}  // namespace

PairsPlan::PairsPlan(const Matrix& vectors, double threshold) : vectors_(vectors), threshold_(threshold) {
  constexpr int64_t kBitBytes = 64 * kMebibyte;
  const int64_t fits = kBitBytes / (std::max<int64_t>(ceil_div(vectors.rows, 32), 1) * 4);
  panel_ = std::min(std::max<int64_t>(fits / kLeft * kLeft, kLeft), vectors.rows);
  panels_ = panel_ == 0 ? 0 : ceil_div(vectors.rows, panel_);
}

int64_t PairsPlan::scratch_bytes() const { return Places(vectors_.rows, panel_, nullptr).bytes; }

int64_t PairsPlan::find(int64_t panel, void* scratch, CUstream_st* stream) const {
  const Places places(vectors_.rows, panel_, scratch);
  const int64_t first = panel * panel_;
  const int64_t count = std::min(panel_, vectors_.rows - first);
  fill_zero(kOp, places.bits, static_cast<size_t>(places.bits_bytes), stream);
  visit_floating(vectors_.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (panel == 0) {
      take_scales<T>(kOp, vectors_, places.scales, stream);
    }
    const auto* data = static_cast<const T*>(vectors_.data);
    const Sides sides{{data + first * vectors_.dim, places.scales + first, count},
                      {data, places.scales, vectors_.rows},
                      vectors_.dim,
                      is_aligned<T>(data, vectors_.dim)};
    const PairSearch search{sides,       first,      places.words,
                            places.bits, threshold_, static_cast<float>(threshold_) - slack<T>(vectors_.dim)};
    // Several turns for each multiprocessor: blocks near the diagonal have little to do.
    const int64_t groups = ceil_div(count, kLeft);
    const int64_t tiles = ceil_div(vectors_.rows - first, kRight);
    const int64_t splits = std::clamp<int64_t>(4 * multiprocessors(kOp) / groups, 1, tiles);
    const int64_t least = ceil_div(vectors_.rows, kMostRight - kRight);
    launch(kOp, screen_pairs<T>, dim3(static_cast<unsigned>(groups), static_cast<unsigned>(std::max(splits, least))),
           kTileThreads, sizeof(TileMemory), stream, search);
  });
  launch(kOp, count_bits, blocks_for(count * 32, kThreads), kThreads, 0, stream, places.bits, count, places.words,
         places.offsets);
  launch(kOp, add_up, dim3(1), kScanThreads, 0, stream, places.offsets, count);
  int64_t found = 0;
  read_back(kOp, &found, places.offsets + count, sizeof(found), stream);
  return found;
}

void PairsPlan::write(int64_t panel, int64_t found, int64_t* rows, int64_t* columns, void* scores, void* scratch,
                      CUstream_st* stream) const {
  if (found == 0) {
    return;
  }
  const Places places(vectors_.rows, panel_, scratch);
  const int64_t first = panel * panel_;
  const int64_t count = std::min(panel_, vectors_.rows - first);
  launch(kOp, write_pairs, blocks_for(count * 32, kThreads), kThreads, 0, stream, places.bits, count, places.words,
         first, places.offsets, rows, columns);
  visit_floating(vectors_.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Out = std::conditional_t<std::is_same_v<T, double>, double, float>;
    launch(kOp, score_found<T, Out>, blocks_for(found * lanes_for(vectors_.dim), kThreads), kThreads, 0, stream,
           static_cast<const T*>(vectors_.data), vectors_.dim, rows, columns, found, static_cast<Out*>(scores));
  });
}

}  // namespace imgsim::cuda
