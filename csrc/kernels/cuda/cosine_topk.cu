#include <algorithm>

#include "cosine.h"
#include "ranking.cuh"
#include "screen.cuh"

namespace imgsim::cuda {
namespace {

constexpr const char* kOp = "cosine_topk";

// What a block that goes over some of the gallery's rows needs to know.
struct Search {
  Sides sides;
  int64_t k;
  int64_t kept;   // room of a list: k rounded up to a power of 2
  Ranked* lists;  // [query][split][2][kept]: the best so far, sorted, then what has come since
  int splits;
  float slack;
};

/// The rows of one of `splits` even parts of a gallery, cut between multiples of `unit`.
struct Part {
  int64_t begin, end;

  __device__ Part(int64_t rows, int64_t unit, int64_t split, int64_t splits) {
    const int64_t units = (rows + unit - 1) / unit;
    begin = units * split / splits * unit;
    end = units * (split + 1) / splits * unit;
    end = end < rows ? end : rows;
  }
};

// ------------------------------------------------------------------------------------------------------------
// selection

constexpr int kBatch = 256;  // pairs that are scored before they are entered

struct Selection {
  Ranked scored[kBatch];
  Ranked cut[kLeft];  // what the k-th best was when the list was last sorted
  int filled[kLeft];  // how many have come since
  Queue queue;
};

/// Keeps the k best rows of a block's part for each of its queries. A query's list belongs to one warp, which alone
/// writes it. What a list holds in the end does not depend on the order in which rows come.
template <class T, int kThreads>
class Selector {
 public:
  __device__ Selector(const Search& search, Selection& state, int64_t first_query, int split, int64_t first_row)
      : search_(search),
        state_(state),
        first_query_(first_query),
        first_row_(first_row),
        split_(split),
        lane_(static_cast<int>(threadIdx.x) % 32),
        warp_(static_cast<int>(threadIdx.x) / 32) {
    const int64_t left = search.sides.left.rows - first_query;
    queries_ = static_cast<int>(left < kLeft ? left : kLeft);
    for (int q = static_cast<int>(threadIdx.x); q < kLeft; q += kThreads) {
      state.cut[q] = {0, 0};
      state.filled[q] = 0;
      state.queue.scale[q] = q < queries_ ? search.sides.left.scale[first_query + q] : 0.0f;
      state.queue.limit[q] = q < queries_ ? -INFINITY : INFINITY;
    }
    if (threadIdx.x == 0) {
      state.queue.count = 0;
      state.queue.wanted = 0;
    }
    __syncthreads();
  }

  __device__ int queries() const { return queries_; }

  /// Scores all queries with the first rows of the part, whatever they are, so that every list has a limit.
  __device__ void take_first(int64_t rows) {
    const int64_t pairs = rows * queries_;
    for (int64_t begin = 0; begin < pairs; begin += kQueue) {
      const int64_t count = pairs - begin < kQueue ? pairs - begin : kQueue;
      for (int64_t i = threadIdx.x; i < count; i += kThreads) {
        const int64_t row = (begin + i) / queries_;
        state_.queue.pair[i] = Queue::pair_of(static_cast<int>(begin + i - row * queries_), row);
      }
      if (threadIdx.x == 0) {
        state_.queue.count = static_cast<int>(count);
      }
      __syncthreads();
      flush();
    }
  }

  /// Scores what is in the queue and enters it into the lists. All threads come here, after a barrier.
  __device__ IMGSIM_OUT_OF_LINE void flush() {
    const Queue& queue = state_.queue;
    const int count = queue.count;
    const T* left = static_cast<const T*>(search_.sides.left.data) + first_query_ * search_.sides.dim;
    const T* right = static_cast<const T*>(search_.sides.right.data) + first_row_ * search_.sides.dim;
    for (int begin = 0; begin < count; begin += kBatch) {
      const int batch = count - begin < kBatch ? count - begin : kBatch;
      score_pairs<T, kThreads>(queue, begin, batch, left, right, search_.sides.dim,
                               [&](int i, double score, uint32_t pair) {
                                 state_.scored[i] = ranked(score, first_row_ + Queue::right_of(pair));
                               });
      __syncthreads();
      for (int first = 0; first < batch; first += 32) {
        const int i = first + lane_;
        const int query = i < batch ? Queue::left_of(queue.pair[begin + i]) : 0;
        const bool enters = i < batch && is_mine(query) && better(state_.scored[i], state_.cut[query]);
        for (unsigned todo = __ballot_sync(kAllLanes, enters); todo != 0; todo &= todo - 1) {
          const int which = first + __ffs(todo) - 1;
          enter(Queue::left_of(queue.pair[begin + which]), state_.scored[which]);
        }
      }
      __syncthreads();
    }
    if (threadIdx.x == 0) {
      state_.queue.count = 0;
    }
    __syncthreads();
  }

  /// Enters what is still in the queue and sorts the lists.
  __device__ void finish() {
    __syncthreads();
    flush();
    for (int query = warp_; query < queries_; query += kThreads / 32) {
      Ranked* fresh = list(query) + search_.kept;
      for (int64_t i = state_.filled[query] + lane_; i < search_.kept; i += 32) {
        fresh[i] = {0, 0};
      }
      __syncwarp();
      sort_list(query);
    }
  }

 private:
  __device__ bool is_mine(int query) const { return query % (kThreads / 32) == warp_; }

  __device__ Ranked* list(int query) const {
    return search_.lists + ((first_query_ + query) * search_.splits + split_) * 2 * search_.kept;
  }

  // By all lanes of the warp whose query it is.
  __device__ void enter(int query, const Ranked& item) {
    if (!better(item, state_.cut[query])) {  // which may have risen since
      return;
    }
    const int filled = state_.filled[query] + 1;
    __syncwarp();  // all have read it
    if (lane_ == 0) {
      list(query)[search_.kept + filled - 1] = item;
      state_.filled[query] = filled;
    }
    __syncwarp();
    if (filled == search_.kept) {
      sort_list(query);
    }
  }

  __device__ void sort_list(int query) {
    const auto sync = [] { __syncwarp(); };
    Ranked* best = list(query);
    sort(best + search_.kept, search_.kept, lane_, 32, sync);
    merge(best, best + search_.kept, search_.kept, lane_, 32, sync);
    if (lane_ == 0) {
      const Ranked cut = best[search_.k - 1];
      state_.cut[query] = cut;
      state_.filled[query] = 0;
      state_.queue.limit[query] = floor_of(cut) - search_.slack;
    }
    __syncwarp();
  }

  const Search& search_;
  Selection& state_;
  int64_t first_query_;
  int64_t first_row_;
  int split_;
  int lane_;
  int warp_;
  int queries_;
};

// ---------------------------------------------------------------------------------------------------- many queries:
// tiles

struct TileMemory {
  Stage stages[kStages];
  Selection selection;
};
static_assert(sizeof(TileMemory) <= 99 << 10);  // what a block can have on every GPU from sm_80 on

// Block (x, y): the kLeft queries from x kLeft on, and part y of the gallery.
template <class T>
__global__ void __launch_bounds__(kTileThreads, 1) screen_tiles(const __grid_constant__ Search search) {
  IMGSIM_SHARED_MEMORY(memory);
  auto& shared = *reinterpret_cast<TileMemory*>(memory);
  const Sides& sides = search.sides;
  const int64_t first_query = static_cast<int64_t>(blockIdx.x) * kLeft;
  const Part part(sides.right.rows, kRight, blockIdx.y, gridDim.y);
  Selector<T, kTileThreads> selector(search, shared.selection, first_query, static_cast<int>(blockIdx.y), part.begin);
  const int64_t taken = part.end - part.begin < search.kept ? part.end - part.begin : search.kept;
  selector.take_first(taken);
  Queue& queue = shared.selection.queue;
  for_each_tile<T>(sides, first_query, part.begin, part.end, shared.stages,
                   [&](const float (&sums)[4][8][4], int64_t first, const float* scale) {
                     const Reached some = reached(sums, scale, queue);
                     if (!__syncthreads_or((some.word[0] | some.word[1] | some.word[2] | some.word[3]) != 0)) {
                       return;
                     }
                     const int64_t offset = first - part.begin;
                     enqueue(
                         some, queue, offset,
                         [&](int left, int right) {
                           return left < selector.queries() && offset + right >= taken && first + right < part.end;
                         },
                         [&] { selector.flush(); });
                   });
  selector.finish();
}

// ------------------------------------------------------------------------------------------------- few queries: one
// scan

constexpr int kFewQueries = 4;
constexpr int kScanThreads = 512;
constexpr int kScanRows = 4;   // that a warp reads together
constexpr int kScanTurns = 8;  // between two looks at the queue
constexpr int kScanStep = kScanTurns * kScanRows * kScanThreads / 32;
static_assert(2 * kFewQueries * kScanStep <= kQueue);

/// 16 bytes of adjacent elements as floats, zeros beyond the vector's end.
template <class T>
struct Piece {
  static constexpr int kElements = 16 / static_cast<int>(sizeof(T));
  float value[kElements];

  __device__ Piece(const T* at, int64_t count, bool aligned) {
    struct alignas(16) Loaded {
      T element[kElements];
    };
    if (aligned && count >= kElements) {
      const Loaded loaded = *reinterpret_cast<const Loaded*>(at);
#pragma unroll
      for (int i = 0; i < kElements; ++i) {
        value[i] = static_cast<float>(to_double(loaded.element[i]));
      }
    } else {
#pragma unroll
      for (int i = 0; i < kElements; ++i) {
        value[i] = i < count ? static_cast<float>(to_double(at[i])) : 0.0f;
      }
    }
  }
};

// Block x: all of the few queries, and part x of the gallery, which is read once. Each warp multiplies its rows with
// the queries in single precision.
template <class T>
__global__ void __launch_bounds__(kScanThreads, 1) scan_rows(const __grid_constant__ Search search) {
  IMGSIM_SHARED_MEMORY(memory);
  auto& selection = *reinterpret_cast<Selection*>(memory);
  Queue& queue = selection.queue;
  const Sides& sides = search.sides;
  const int64_t dim = sides.dim;
  const auto* left = static_cast<const T*>(sides.left.data);
  const auto* right = static_cast<const T*>(sides.right.data);
  const Part part(sides.right.rows, 1, blockIdx.x, gridDim.x);
  Selector<T, kScanThreads> selector(search, selection, 0, static_cast<int>(blockIdx.x), part.begin);
  const int queries = selector.queries();
  const int64_t taken = part.end - part.begin < search.kept ? part.end - part.begin : search.kept;
  selector.take_first(taken);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  constexpr int kElements = Piece<T>::kElements;
  for (int64_t step = part.begin + taken; step < part.end; step += kScanStep) {
    for (int turn = 0; turn < kScanTurns; ++turn) {
      const int64_t first = step + (turn * (kScanThreads / 32) + warp) * kScanRows;
      if (first >= part.end) {  // the same for the whole warp
        break;
      }
      float dots[kFewQueries][kScanRows] = {};
      float squares[kScanRows] = {};
      for (int64_t i = kElements * lane; i < dim; i += kElements * 32) {
        Piece<T> y[kScanRows] = {
            // Rows beyond the last one are read as the last one again, and left out in the end.
            Piece<T>(right + first * dim + i, dim - i, sides.aligned),
            Piece<T>(right + (first + 1 < part.end ? first + 1 : first) * dim + i, dim - i, sides.aligned),
            Piece<T>(right + (first + 2 < part.end ? first + 2 : first) * dim + i, dim - i, sides.aligned),
            Piece<T>(right + (first + 3 < part.end ? first + 3 : first) * dim + i, dim - i, sides.aligned)};
#pragma unroll
        for (int row = 0; row < kScanRows; ++row) {
#pragma unroll
          for (int e = 0; e < kElements; ++e) {
            squares[row] += y[row].value[e] * y[row].value[e];
          }
        }
#pragma unroll
        for (int q = 0; q < kFewQueries; ++q) {
          if (q < queries) {
            const Piece<T> x(left + q * dim + i, dim - i, sides.aligned);
#pragma unroll
            for (int row = 0; row < kScanRows; ++row) {
#pragma unroll
              for (int e = 0; e < kElements; ++e) {
                dots[q][row] += x.value[e] * y[row].value[e];
              }
            }
          }
        }
      }
      team_sum(squares, 32);
      // Lane 4 q + row has the product of that query and row: registers have no index.
      float dot = 0;
      float square = 0;
#pragma unroll
      for (int q = 0; q < kFewQueries; ++q) {
        if (q < queries) {
          team_sum(dots[q], 32);
#pragma unroll
          for (int row = 0; row < kScanRows; ++row) {
            dot = lane == q * kScanRows + row ? dots[q][row] : dot;
            square = lane == q * kScanRows + row ? squares[row] : square;
          }
        }
      }
      const int query = lane / kScanRows;
      const int64_t row = first + lane % kScanRows;
      if (query < queries && row < part.end) {
        const bool usual = square >= kSmallestNorm * kSmallestNorm && square <= kLargestNorm * kLargestNorm;
        const float other = usual ? 1 / std::sqrt(square) : NAN;
        if (!(dot * (queue.scale[query] * other) < queue.limit[query])) {
          queue.push(query, row - part.begin);
        }
      }
    }
    __syncthreads();
    const bool enough = queue.count >= 64;
    __syncthreads();  // all have looked
    if (enough) {
      selector.flush();
    }
  }
  selector.finish();
}

// ------------------------------------------------------------------------------------------------------------- the
// answer

constexpr int kMergeThreads = 256;

template <class Out>
__device__ void write_answer(const Ranked* best, int64_t k, int64_t query, Out* scores, int64_t* indices,
                             int64_t thread, int64_t threads) {
  for (int64_t i = thread; i < k; i += threads) {
    const Ranked item = best[i];
    scores[query * k + i] = static_cast<Out>(score_of(item));
    indices[query * k + i] = index_of(item);
  }
}

// Block x: the lists of query x, of all splits, become one, pair by pair.
template <class Out>
__global__ void __launch_bounds__(kMergeThreads)
    merge_lists(Search search, Out* __restrict__ scores, int64_t* __restrict__ indices) {
  const int64_t query = blockIdx.x;
  const int64_t kept = search.kept;
  const int64_t thread = threadIdx.x;
  Ranked* lists = search.lists + query * search.splits * 2 * kept;
  for (int64_t apart = 1; apart < search.splits; apart *= 2) {
    // List 2 apart i and the one `apart` further on; what merge() does to one pair of lists, to all at once.
    const int64_t pairs = (search.splits - apart + 2 * apart - 1) / (2 * apart);
    for (int64_t i = thread; i < pairs * kept; i += kMergeThreads) {
      Ranked* best = lists + i / kept * 2 * apart * 2 * kept;
      const Ranked other = best[apart * 2 * kept + kept - 1 - i % kept];
      if (better(other, best[i % kept])) {
        best[i % kept] = other;
      }
    }
    __syncthreads();
    for (int64_t step = kept / 2; step > 0; step /= 2) {
      for (int64_t i = thread; i < pairs * (kept / 2); i += kMergeThreads) {
        Ranked* best = lists + i / (kept / 2) * 2 * apart * 2 * kept;
        exchange(best, kept, 2 * kept, step, i % (kept / 2), kept);
      }
      __syncthreads();
    }
  }
  write_answer(lists, search.k, query, scores, indices, thread, kMergeThreads);
}

// ------------------------------------------------------------------------- many rows for each query: scores in chunks,
// sorted

constexpr int kSortThreads = 512;
constexpr int64_t kSortRun = 2048;  // items that a block sorts in shared memory

// Buffer y of `items` is for query first_query + y: after the k best so far, the scores of rows [first, first + count).
template <class T>
__global__ void __launch_bounds__(kSortThreads)
    score_rows(Sides sides, int64_t first_query, int64_t first, int64_t count, int64_t k, int64_t items,
               Ranked* __restrict__ buffers) {
  const int lanes = lanes_for(sides.dim);
  const int64_t teams = 32 / lanes;
  const T* x = static_cast<const T*>(sides.left.data) + (first_query + blockIdx.y) * sides.dim;
  Ranked* fresh = buffers + blockIdx.y * items + k;
  for (int64_t i = global_thread() / 32 * teams; i < items - k; i += global_threads() / 32 * teams) {
    const int64_t at = i + static_cast<int>(threadIdx.x) % 32 / lanes;
    const bool mine = at < count;
    const T* y = static_cast<const T*>(sides.right.data) + (first + (mine ? at : 0)) * sides.dim;
    const double score = score_of(x, y, mine ? sides.dim : 0, sides.dim, kCosineEps);
    if (at < items - k && static_cast<int>(threadIdx.x) % lanes == 0) {
      fresh[at] = mine ? ranked(round_score<T>(score), first + at) : Ranked{0, 0};
    }
  }
}

// A block for each run: all passes of a bitonic sort of `size` items, or of all sizes up to it, that stay within a run.
__global__ void __launch_bounds__(kSortThreads)
    sort_runs(Ranked* __restrict__ buffers, int64_t runs, int64_t items, int64_t from_size, int64_t size) {
  IMGSIM_SHARED_MEMORY(memory);
  auto* run = reinterpret_cast<Ranked*>(memory);
  const int64_t thread = threadIdx.x;
  for (int64_t which = blockIdx.x; which < runs; which += gridDim.x) {
    Ranked* at = buffers + which * kSortRun;
    for (int64_t i = thread; i < kSortRun; i += kSortThreads) {
      run[i] = at[i];
    }
    __syncthreads();
    for (int64_t s = from_size; s <= size; s *= 2) {
      for (int64_t step = (s < kSortRun ? s : kSortRun) / 2; step > 0; step /= 2) {
        exchange(run, kSortRun, s, step, thread, kSortThreads, which * kSortRun % items);
        __syncthreads();
      }
    }
    for (int64_t i = thread; i < kSortRun; i += kSortThreads) {
      at[i] = run[i];
    }
    __syncthreads();
  }
}

// One pass over buffer y.
__global__ void __launch_bounds__(kSortThreads)
    exchange_far(Ranked* __restrict__ buffers, int64_t items, int64_t size, int64_t step) {
  exchange(buffers + blockIdx.y * items, items, size, step, global_thread(), global_threads());
}

template <class Out>
__global__ void __launch_bounds__(kSortThreads)
    write_sorted(const Ranked* __restrict__ buffers, int64_t items, int64_t k, int64_t first_query,
                 Out* __restrict__ scores, int64_t* __restrict__ indices) {
  write_answer(buffers + blockIdx.y * items, k, first_query + blockIdx.y, scores, indices, global_thread(),
               global_threads());
}

void sort_buffers(Ranked* buffers, int64_t count, int64_t items, CUstream_st* stream) {
  const int64_t runs = count * items / kSortRun;
  const auto within_runs = [&](int64_t from_size, int64_t size) {
    launch(kOp, sort_runs, blocks_for(runs, 1), kSortThreads, kSortRun * sizeof(Ranked), stream, buffers, runs, items,
           from_size, size);
  };
  within_runs(2, kSortRun);
  for (int64_t size = 2 * kSortRun; size <= items; size *= 2) {
    for (int64_t step = size / 2; step >= kSortRun; step /= 2) {
      dim3 blocks = blocks_for(items / 2, kSortThreads);
      blocks.y = static_cast<unsigned>(count);
      launch(kOp, exchange_far, blocks, kSortThreads, 0, stream, buffers, items, size, step);
    }
    within_runs(size, size);
  }
}

int64_t power_of_2_from(int64_t least) {
  int64_t power = 1;
  while (power < least) {
    power *= 2;
  }
  return power;
}

/// The most even way to give `groups` groups of queries, each cut into splits, to so many multiprocessors.
int64_t best_splits(int64_t groups, int64_t processors, int64_t most) {
  const auto waste = [&](int64_t splits) {
    return static_cast<double>(ceil_div(groups * splits, processors)) * static_cast<double>(processors) /
           static_cast<double>(groups * splits);
  };
  int64_t best = std::clamp<int64_t>(processors / groups, 1, most);
  for (int64_t splits = best + 1; splits <= std::min<int64_t>(best + 4, most); ++splits) {
    if (waste(splits) < 0.9 * waste(best)) {  // every split takes some time to find its limits
      best = splits;
    }
  }
  return best;
}

}  // namespace

TopkPlan::TopkPlan(const Matrix& queries, const Matrix& gallery, int64_t k)
    : queries_(queries), gallery_(gallery), k_(k) {
  constexpr int64_t kListBytes = 512 * kMebibyte;
  constexpr int64_t kMostListed = 4096;  // of longer lists a warp would take too long to sort one
  if (k == 0 || queries.rows == 0) {
    return;
  }
  const int64_t processors = multiprocessors(kOp);
  const int64_t rows = gallery.rows;
  if (k > kMostListed) {
    way_ = Way::kSorted;
    // As many new rows as there are best ones, at least, in a chunk; no more than there are.
    kept_ = std::min(power_of_2_from(std::max<int64_t>(2 * k, 1 << 18)), power_of_2_from(k + rows));
    panel_ = std::clamp<int64_t>(kListBytes / (kept_ * static_cast<int64_t>(sizeof(Ranked))), 1, queries.rows);
    panel_ = std::min<int64_t>(panel_, 65535);
    return;
  }
  constexpr int64_t kLeast = 32;  // a lane for each
  kept_ = power_of_2_from(std::max(k, kLeast));
  const int64_t least_splits = ceil_div(rows, kMostRight - kRight);
  if (queries.rows <= kFewQueries) {
    way_ = Way::kScanned;
    panel_ = queries.rows;
    splits_ = std::clamp<int64_t>(2 * processors, 1, ceil_div(rows, kScanStep));
  } else {
    way_ = Way::kScreened;
    const int64_t lists = std::max<int64_t>(kListBytes / (2 * kept_ * static_cast<int64_t>(sizeof(Ranked))), 1);
    // Where lists are long, a block has fewer queries, so that all multiprocessors have a block.
    const int64_t each = lists / processors;
    panel_ = each >= kLeft ? std::min(queries.rows, kLeft * processors)
                           : std::clamp<int64_t>(each, 1, std::min<int64_t>(queries.rows, kLeft));
    const int64_t most = std::clamp<int64_t>(lists / panel_, 1, ceil_div(rows, kRight));
    splits_ = best_splits(ceil_div(panel_, kLeft), processors, most);
  }
  splits_ = std::max(splits_, least_splits);
}

namespace {

/// Where things are in the scratch memory.
struct Places {
  float* query_scales;
  float* scales;
  Ranked* lists;
  int64_t lists_bytes;
  int64_t bytes;

  Places(int64_t queries, int64_t rows, int64_t items, void* scratch) {
    Parts parts(scratch);
    query_scales = parts.take<float>(queries);
    scales = parts.take<float>(rows);
    lists = parts.take<Ranked>(items);
    lists_bytes = items * static_cast<int64_t>(sizeof(Ranked));
    bytes = parts.bytes();
  }
};

}  // namespace

int64_t TopkPlan::scratch_bytes() const {
  return Places(queries_.rows, way_ == Way::kScreened ? gallery_.rows : 0, items(), nullptr).bytes;
}

int64_t TopkPlan::items() const { return way_ == Way::kSorted ? panel_ * kept_ : panel_ * splits_ * 2 * kept_; }

void TopkPlan::run(void* scores, int64_t* indices, void* scratch, CUstream_st* stream) const {
  if (k_ == 0 || queries_.rows == 0) {
    return;
  }
  visit_floating(gallery_.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Out = std::conditional_t<std::is_same_v<T, double>, double, float>;
    run_typed<T>(static_cast<Out*>(scores), indices, scratch, stream);
  });
}

template <class T, class Out>
void TopkPlan::run_typed(Out* scores, int64_t* indices, void* scratch, CUstream_st* stream) const {
  const int64_t rows = gallery_.rows;
  const int64_t dim = gallery_.dim;
  const Places places(queries_.rows, way_ == Way::kScreened ? rows : 0, items(), scratch);
  const bool aligned = is_aligned<T>(queries_.data, dim) && is_aligned<T>(gallery_.data, dim);
  if (way_ != Way::kSorted) {
    take_scales<T>(kOp, queries_, places.query_scales, stream);
  }
  if (way_ == Way::kScreened) {
    take_scales<T>(kOp, gallery_, places.scales, stream);
  }
  for (int64_t first = 0; first < queries_.rows; first += panel_) {
    const int64_t count = std::min(panel_, queries_.rows - first);
    const Side left{static_cast<const T*>(queries_.data) + first * dim, places.query_scales + first, count};
    const Sides sides{left, {gallery_.data, places.scales, rows}, dim, aligned};
    fill_zero(kOp, places.lists, static_cast<size_t>(places.lists_bytes), stream);
    if (way_ == Way::kSorted) {
      for (int64_t row = 0; row < rows; row += kept_ - k_) {
        const int64_t fresh = std::min(kept_ - k_, rows - row);
        dim3 blocks = blocks_for((kept_ - k_) * lanes_for(dim), kSortThreads);
        blocks.y = static_cast<unsigned>(count);
        launch(kOp, score_rows<T>, blocks, kSortThreads, 0, stream, sides, int64_t{0}, row, fresh, k_, kept_,
               places.lists);
        sort_buffers(places.lists, count, kept_, stream);
      }
      dim3 blocks = blocks_for(k_, kSortThreads);
      blocks.y = static_cast<unsigned>(count);
      launch(kOp, write_sorted<Out>, blocks, kSortThreads, 0, stream, places.lists, kept_, k_, first, scores, indices);
      continue;
    }
    Search search{sides, k_, kept_, places.lists, static_cast<int>(splits_), 0};
    if (way_ == Way::kScanned) {
      search.slack = slack<float16>(dim);  // elements are floats and their products exact, or nearly so
      launch(kOp, scan_rows<T>, dim3(static_cast<unsigned>(splits_)), kScanThreads, sizeof(Selection), stream, search);
    } else {
      search.slack = slack<T>(dim);
      launch(kOp, screen_tiles<T>, dim3(static_cast<unsigned>(ceil_div(count, kLeft)), static_cast<unsigned>(splits_)),
             kTileThreads, sizeof(TileMemory), stream, search);
    }
    launch(kOp, merge_lists<Out>, dim3(static_cast<unsigned>(count)), kMergeThreads, 0, stream, search,
           scores + first * k_, indices + first * k_);
  }
}

}  // namespace imgsim::cuda
