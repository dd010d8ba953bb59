// The exact score of a pair of vectors, the same bits wherever it is asked for: the elements are widened to double, and
// who adds which of them, in which order, depends on the vectors' length alone.
#pragma once

#include "../cosine.h"
#include "device.cuh"

namespace imgsim::cuda {
namespace {

/// The lanes that work on one pair together: each takes four adjacent elements at a time.
IMGSIM_HOST_DEVICE inline int lanes_for(int64_t length) { return length <= 16 ? 4 : length <= 64 ? 16 : 32; }

/// Four adjacent elements of a vector of `count` from here on, zeros beyond its end. `aligned`: the address is a
/// multiple of 16 bytes, or of 8 for elements of two bytes.
template <class T>
struct FourElements {
  double value[4];

  __device__ FourElements(const T* at, int64_t count, bool aligned) {
    constexpr int kLoad = sizeof(T) == 2 ? 4 : 16 / sizeof(T);  // elements
    struct alignas(kLoad * sizeof(T)) Loaded {
      T element[kLoad];
    };
    if (aligned && count >= 4) {
#pragma unroll
      for (int part = 0; part < 4 / kLoad; ++part) {
        const Loaded loaded = reinterpret_cast<const Loaded*>(at)[part];
#pragma unroll
        for (int i = 0; i < kLoad; ++i) {
          value[part * kLoad + i] = to_double(loaded.element[i]);
        }
      }
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        value[i] = i < count ? to_double(at[i]) : 0.0;
      }
    }
  }

  static bool __device__ can_load(const T* vector) {
    return reinterpret_cast<uintptr_t>(vector) % (sizeof(T) == 2 ? 8 : 16) == 0;
  }
};

/// The score of x and y for each lane of a team of lanes_for(length). All lanes of the warp come here together; those
/// without a pair pass 0 for the length `own`.
template <class T>
__device__ double score_of(const T* x, const T* y, int64_t own, int64_t length, double eps) {
  const int lanes = lanes_for(length);
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const bool x_aligned = FourElements<T>::can_load(x);
  const bool y_aligned = FourElements<T>::can_load(y);
  double sums[3] = {};  // x.y, x.x, y.y
#pragma unroll 4
  for (int64_t i = 4 * lane; i < own; i += 4 * lanes) {
    const FourElements<T> a(x + i, own - i, x_aligned);
    const FourElements<T> b(y + i, own - i, y_aligned);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      sums[0] += a.value[j] * b.value[j];
      sums[1] += a.value[j] * a.value[j];
      sums[2] += b.value[j] * b.value[j];
    }
  }
  team_sum(sums, lanes);
  return cosine_of(sums[0], std::sqrt(sums[1]), std::sqrt(sums[2]), eps);
}

/// A score as top-k and pairs rank it.
template <class T>
__device__ double round_score(double score) {
  return static_cast<RankedScore<T>>(score);
}

}  // namespace
}  // namespace imgsim::cuda
