// Scored rows as integers that are ordered as an answer is, and lists of the best of them.
#pragma once

#include "device.cuh"

namespace imgsim::cuda {
namespace {

/// A scored row. The larger score is the better, then the larger order; all zeros are worse than any row.
struct alignas(16) Ranked {
  uint64_t score;
  uint64_t order;
};

constexpr uint64_t kNanScore = 1;  // below every number's, -infinity's included

IMGSIM_HOST_DEVICE inline bool better(const Ranked& a, const Ranked& b) {
  return a.score != b.score ? a.score > b.score : a.order > b.order;
}

/// NaN ranks last, and of equal scores (0 is equal to -0) the lower index is the better.
IMGSIM_HOST_DEVICE inline Ranked ranked(double score, int64_t index) {
  uint64_t key = kNanScore;
  if (score == score) {
    const double plain = score + 0.0;  // 0 for -0
    std::memcpy(&key, &plain, sizeof(key));
    key = key >> 63 != 0 ? ~key : key | uint64_t{1} << 63;
  }
  return {key, ~static_cast<uint64_t>(index)};
}

IMGSIM_HOST_DEVICE inline double score_of(const Ranked& item) {
  const uint64_t bits = item.score == kNanScore ? 0x7ff8000000000000u
                        : item.score >> 63 != 0 ? item.score & ~(uint64_t{1} << 63)
                                                : ~item.score;
  double score;
  std::memcpy(&score, &bits, sizeof(score));
  return score;
}

IMGSIM_HOST_DEVICE inline int64_t index_of(const Ranked& item) { return static_cast<int64_t>(~item.order); }

/// A score below this one cannot come before `item` any more.
IMGSIM_HOST_DEVICE inline float floor_of(const Ranked& item) {
  return item.score <= kNanScore ? -INFINITY : static_cast<float>(score_of(item));
}

// The threads that work on a list together, `count` of them: `sync` lets each see what the others have written.

/// One pass of a bitonic sort over all pairs that are `step` apart in `count` items: best first in runs of `size` items
/// of which every other one is turned round, counted from `origin` items before. Powers of 2 all.
__device__ inline void exchange(Ranked* items, int64_t count, int64_t size, int64_t step, int64_t thread,
                                int64_t threads, int64_t origin = 0) {
  for (int64_t i = thread; i < count / 2; i += threads) {
    const int64_t low = (i & ~(step - 1)) << 1 | (i & (step - 1));
    const int64_t high = low | step;
    const Ranked a = items[low];
    const Ranked b = items[high];
    if (better(b, a) == (((low + origin) & size) == 0)) {
      items[low] = b;
      items[high] = a;
    }
  }
}

/// Sorts `count` items, a power of 2, best first.
template <class Sync>
__device__ void sort(Ranked* items, int64_t count, int64_t thread, int64_t threads, const Sync& sync) {
  for (int64_t size = 2; size <= count; size *= 2) {
    for (int64_t step = size / 2; step > 0; step /= 2) {
      exchange(items, count, size, step, thread, threads);
      sync();
    }
  }
}

/// Makes `best` the best of itself and `others`, both sorted, of `count` items, a power of 2; `others` stays as it is.
template <class Sync>
__device__ void merge(Ranked* best, const Ranked* others, int64_t count, int64_t thread, int64_t threads,
                      const Sync& sync) {
  // Of the one's best and the other's worst, and so on, the better ones are the answer, first rising, then falling.
  for (int64_t i = thread; i < count; i += threads) {
    const Ranked other = others[count - 1 - i];
    if (better(other, best[i])) {
      best[i] = other;
    }
  }
  sync();
  for (int64_t step = count / 2; step > 0; step /= 2) {
    exchange(best, count, 2 * count, step, thread, threads);
    sync();
  }
}

}  // namespace
}  // namespace imgsim::cuda
