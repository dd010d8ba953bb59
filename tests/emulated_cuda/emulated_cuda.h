// CUDA's language on a processor, so that the kernels' logic can be tested where there is no GPU.
//
// csrc/kernels/cuda/device.cuh includes this file instead of CUDA's own when IMGSIM_EMULATED_CUDA is defined; the
// kernels are then plain C++. The threads of one block run as coroutines of one thread, blocks one after the other. A
// coroutine runs until it needs the others (a barrier, a warp's shuffle); who goes on next is left to a random number,
// so that a missing barrier shows. Shared memory starts as rubbish; an asynchronous copy happens when it is waited for,
// not before.
//
// What it cannot show: races between two barriers, the memory model, speed, and whether the PTX means what is said
// here.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#include "kernels/numbers.h"

struct CUstream_st;

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static  // blocks run one after the other

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

namespace emulated {

struct Place {
  dim3 thread, block, grid, threads;
};
/// Of the coroutine that runs.
extern Place* place;

/// Runs a kernel's body for every thread of every block; `shared` bytes of shared memory.
void run(dim3 grid, unsigned threads, size_t shared, const std::function<void()>& body);
unsigned char* shared_memory();

/// Waits until all lanes of the warp have come here; `apply` sees what each brought, once, with lane 0's first.
void with_warp(const char* name, void* brought, void (*apply)(void** lanes));
/// The same for all threads of the block, in which the predicate of any makes that of all.
bool with_block(bool predicate);

void copy_later(void* to, const void* from, size_t bytes, size_t zeros);
void commit_copies();
void finish_copies(int but);

[[noreturn]] void fail(const char* rule);
inline void require(bool ok, const char* rule) {
  if (!ok) {
    fail(rule);
  }
}

}  // namespace emulated

#define threadIdx (emulated::place->thread)
#define blockIdx (emulated::place->block)
#define blockDim (emulated::place->threads)
#define gridDim (emulated::place->grid)

inline void __syncthreads() { emulated::with_block(false); }
inline int __syncthreads_or(int predicate) { return emulated::with_block(predicate != 0); }
inline void __syncwarp() {
  emulated::with_warp("__syncwarp", nullptr, [](void**) {});
}

inline unsigned __ballot_sync(unsigned /*all*/, bool predicate) {
  struct Brought {
    bool predicate;
    unsigned answer;
  } mine{predicate, 0};
  emulated::with_warp("__ballot_sync", &mine, [](void** lanes) {
    unsigned answer = 0;
    for (int lane = 0; lane < 32; ++lane) {
      answer |= static_cast<unsigned>(static_cast<Brought*>(lanes[lane])->predicate) << lane;
    }
    for (int lane = 0; lane < 32; ++lane) {
      static_cast<Brought*>(lanes[lane])->answer = answer;
    }
  });
  return mine.answer;
}

inline int __ffs(unsigned x) { return __builtin_ffs(static_cast<int>(x)); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline unsigned __dp4a(unsigned a, unsigned b, unsigned sum) {
  for (int byte = 0; byte < 4; ++byte) {
    sum += (a >> 8 * byte & 255u) * (b >> 8 * byte & 255u);
  }
  return sum;
}

template <class T>
T atomicAdd(T* at, T value) {
  const T before = *at;
  *at += value;
  return before;
}
template <class T>
T atomicOr(T* at, T value) {
  const T before = *at;
  *at |= value;
  return before;
}

namespace imgsim::cuda {
namespace {

/// Little memory and few multiprocessors, so that the tests' small inputs are cut into several panels of several parts
/// each.
constexpr int64_t kMebibyte = 1 << 10;
inline int multiprocessors(const char* /*op*/) { return 3; }

#define IMGSIM_OUT_OF_LINE __attribute__((noinline))
#define IMGSIM_SHARED_MEMORY(name) unsigned char* name = emulated::shared_memory()

inline void require_aligned(const void* at, size_t bytes) {
  emulated::require(reinterpret_cast<uintptr_t>(at) % bytes == 0, "an address must be aligned");
}

inline void copy_async_16(void* shared, const void* global, int bytes) {
  require_aligned(shared, 16);
  require_aligned(global, 16);
  emulated::copy_later(shared, global, static_cast<size_t>(bytes), static_cast<size_t>(16 - bytes));
}
inline void copy_async_4(void* shared, const void* global, int bytes) {
  require_aligned(shared, 4);
  require_aligned(global, 4);
  emulated::copy_later(shared, global, static_cast<size_t>(bytes), static_cast<size_t>(4 - bytes));
}
inline void commit_copies() { emulated::commit_copies(); }
template <int kBut>
void wait_copies() {
  emulated::finish_copies(kBut);
}

template <class T, int kCount>
void team_sum(T (&values)[kCount], int lanes) {
  struct Brought {
    T (*values)[kCount];
    int lanes;
  } mine{&values, lanes};
  emulated::with_warp("team_sum", &mine, [](void** all) {
    T* of[32];
    for (int lane = 0; lane < 32; ++lane) {
      of[lane] = *static_cast<Brought*>(all[lane])->values;
    }
    for (int step = static_cast<Brought*>(all[0])->lanes / 2; step > 0; step /= 2) {
      T before[32][kCount];
      for (int lane = 0; lane < 32; ++lane) {
        std::memcpy(before[lane], of[lane], sizeof(before[lane]));
      }
      for (int lane = 0; lane < 32; ++lane) {
        for (int i = 0; i < kCount; ++i) {
          of[lane][i] += before[lane ^ step][i];
        }
      }
    }
  });
}

// The layouts are those of the PTX manual's figures for ldmatrix and for mma.m16n8k16 and m16n8k8.
inline void load_matrices(uint32_t (&out)[4], const void* row) {
  require_aligned(row, 16);
  struct Brought {
    const unsigned char* row;
    uint32_t* out;
  } mine{static_cast<const unsigned char*>(row), out};
  emulated::with_warp("load_matrices", &mine, [](void** lanes) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      for (int lane = 0; lane < 32; ++lane) {
        const auto* source = static_cast<Brought*>(lanes[matrix * 8 + lane / 4]);
        std::memcpy(&static_cast<Brought*>(lanes[lane])->out[matrix], source->row + lane % 4 * 4, 4);
      }
    }
  });
}

template <class Code>
struct MultiplyStep;  // below: the elements in 32 bits, and how they become floats

template <>
struct MultiplyStep<float16> {
  static constexpr int kPacked = 2;
  static float element(uint32_t word, int i) { return to_float(float16{static_cast<uint16_t>(word >> 16 * i)}); }
};
template <>
struct MultiplyStep<bfloat16> {
  static constexpr int kPacked = 2;
  static float element(uint32_t word, int i) { return to_float(bfloat16{static_cast<uint16_t>(word >> 16 * i)}); }
};
template <>
struct MultiplyStep<float> {  // TF32: the lowest 13 bits count for nothing
  static constexpr int kPacked = 1;
  static float element(uint32_t word, int) { return bits_to_float(word & 0xffffe000u); }
};

template <class Code, int kRows, int kColumns>
void multiply_add(float (&sums)[kRows][kColumns][4], const uint32_t (&a)[kRows][4], const uint32_t (&b)[kColumns][2]) {
  struct Brought {
    float (*sums)[kRows][kColumns][4];
    const uint32_t (*a)[kRows][4];
    const uint32_t (*b)[kColumns][2];
  } mine{&sums, &a, &b};
  emulated::with_warp("multiply_add", &mine, [](void** lanes) {
    constexpr int kPacked = MultiplyStep<Code>::kPacked;
    constexpr int kDepth = 8 * kPacked;
    const auto of = [&](int lane) -> const Brought& { return *static_cast<Brought*>(lanes[lane]); };
    // Register r of lane l holds row l / 4 (+ 8 for odd r) and elements from (l % 4) * kPacked (+ half the depth for
    // r >= 2) on.
    float left[kRows][16][kDepth];
    float right[kColumns][8][kDepth];
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < kPacked; ++i) {
        const int depth = lane % 4 * kPacked + i;
        for (int m = 0; m < kRows; ++m) {
          for (int r = 0; r < 4; ++r) {
            left[m][lane / 4 + r % 2 * 8][depth + r / 2 * kDepth / 2] =
                MultiplyStep<Code>::element((*of(lane).a)[m][r], i);
          }
        }
        for (int n = 0; n < kColumns; ++n) {
          for (int r = 0; r < 2; ++r) {
            right[n][lane / 4][depth + r * kDepth / 2] = MultiplyStep<Code>::element((*of(lane).b)[n][r], i);
          }
        }
      }
    }
    for (int lane = 0; lane < 32; ++lane) {
      for (int m = 0; m < kRows; ++m) {
        for (int n = 0; n < kColumns; ++n) {
          for (int r = 0; r < 4; ++r) {
            const float* x = left[m][lane / 4 + r / 2 * 8];
            const float* y = right[n][lane % 4 * 2 + r % 2];
            float& sum = (*of(lane).sums)[m][n][r];
            for (int k = 0; k < kDepth; ++k) {
              sum += x[k] * y[k];
            }
          }
        }
      }
    }
  });
}

template <class... Parameters, class... Arguments>
void launch(const char* /*op*/, void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared,
            CUstream_st* /*stream*/, const Arguments&... arguments) {
  emulated::run(grid, static_cast<unsigned>(threads), shared, [&] { kernel(arguments...); });
}

inline void fill_zero(const char* /*op*/, void* at, size_t bytes, CUstream_st* /*stream*/) {
  std::memset(at, 0, bytes);
}
inline void read_back(const char* /*op*/, void* to, const void* device, size_t bytes, CUstream_st* /*stream*/) {
  std::memcpy(to, device, bytes);
}

}  // namespace
}  // namespace imgsim::cuda
