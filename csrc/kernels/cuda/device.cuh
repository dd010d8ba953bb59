// What every CUDA source here needs of the language and of the runtime, in one place, so that tests/emulated_cuda can
// stand in for all of it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "../numbers.h"

#ifdef IMGSIM_EMULATED_CUDA
#include "emulated_cuda.h"
#else

#include <cuda_runtime.h>

namespace imgsim::cuda {
namespace {

constexpr int64_t kMebibyte = 1 << 20;

/// For what is rare and would take registers from what is not.
#define IMGSIM_OUT_OF_LINE __noinline__
/// The dynamic shared memory of a block, under this name.
#define IMGSIM_SHARED_MEMORY(name) extern __shared__ __align__(128) unsigned char name[]

// Asynchronous copies to shared memory: `bytes` of the 16 (4) come from `global`, zeros make up the rest. Both
// addresses are aligned to 16 (4). Nothing may be read before the thread has waited for it, and others after a barrier.

__device__ inline void copy_async_16(void* shared, const void* global, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(shared))), "l"(global), "r"(bytes)
               : "memory");
}

__device__ inline void copy_async_4(void* shared, const void* global, int bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               :
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(shared))), "l"(global), "r"(bytes)
               : "memory");
}

/// Closes a group of this thread's copies; it may be empty.
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;" : : : "memory"); }

/// Waits for all of this thread's groups but the latest kBut.
template <int kBut>
__device__ inline void wait_copies() {
  asm volatile("cp.async.wait_group %0;" : : "n"(kBut) : "memory");
}

/// values[i] summed over teams of `lanes` neighbours (a power of 2, at most 32), for each lane of the team, to the bit
/// the same for all of them.
template <class T, int kCount>
__device__ inline void team_sum(T (&values)[kCount], int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      values[i] += __shfl_xor_sync(0xffffffffu, values[i], step);
    }
  }
}

/// Four matrices of 8 rows of 16 bytes. `row` is where in shared memory row lane % 8 of matrix lane / 8 is; a lane
/// gets, of each matrix, four bytes of row lane / 4 from byte lane % 4 * 4 on.
__device__ inline void load_matrices(uint32_t (&out)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

__device__ inline void multiply_add_one(float16, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void multiply_add_one(bfloat16, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void multiply_add_one(float, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// A warp's products, on tensor cores, of 16 kRows by 8 kColumns vectors over 32 bytes of each: 16 elements of two
/// bytes, or 8 floats as TF32. sums[m][n][r] is of the left vector 16 m + lane / 4 + r / 2 * 8 and the right vector 8 n
/// + lane % 4 * 2 + r % 2. a and b are as load_matrices gives them: of 16 left rows the first 16 bytes of rows 0 to 7,
/// those of rows 8 to 15, then the last 16 bytes of both; of 8 right rows the first 16 bytes, then the last.
template <class Code, int kRows, int kColumns>
__device__ inline void multiply_add(float (&sums)[kRows][kColumns][4], const uint32_t (&a)[kRows][4],
                                    const uint32_t (&b)[kColumns][2]) {
#pragma unroll
  for (int m = 0; m < kRows; ++m) {
#pragma unroll
    for (int n = 0; n < kColumns; ++n) {
      multiply_add_one(Code{}, sums[m][n], a[m], b[n]);
    }
  }
}

inline void check_cuda(const char* op, cudaError_t error) {
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string(op) + ": CUDA launch failed (got " + cudaGetErrorString(error) + ")");
  }
}

/// Queues a kernel on a stream; throws std::runtime_error where that fails. `shared` bytes of dynamic shared memory.
template <class... Parameters, class... Arguments>
void launch(const char* op, void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared, CUstream_st* stream,
            const Arguments&... arguments) {
  constexpr size_t kWithoutAsking = 48 << 10;
  if (shared > kWithoutAsking) {
    check_cuda(op, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  }
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  check_cuda(op, cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

inline void fill_zero(const char* op, void* at, size_t bytes, CUstream_st* stream) {
  check_cuda(op, cudaMemsetAsync(at, 0, bytes, stream));
}

/// Copies from the device to the host and waits for it, and so for all that is queued on the stream.
inline void read_back(const char* op, void* to, const void* device, size_t bytes, CUstream_st* stream) {
  check_cuda(op, cudaMemcpyAsync(to, device, bytes, cudaMemcpyDeviceToHost, stream));
  check_cuda(op, cudaStreamSynchronize(stream));
}

/// Of the current device.
inline int multiprocessors(const char* op) {
  int device = 0;
  int count = 0;
  check_cuda(op, cudaGetDevice(&device));
  check_cuda(op, cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return count;
}

}  // namespace
}  // namespace imgsim::cuda

#endif

namespace imgsim::cuda {
namespace {

constexpr unsigned kAllLanes = 0xffffffffu;

/// Blocks of `threads` that give each of `items` a thread, at most as many as a loop that strides over the grid needs.
inline dim3 blocks_for(int64_t items, int64_t threads) {
  constexpr int64_t kMost = 1 << 16;
  const int64_t blocks = (items + threads - 1) / threads;
  return dim3(static_cast<unsigned>(blocks < kMost ? blocks : kMost));
}

__device__ inline int64_t global_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t global_threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Parts of one piece of scratch memory, each aligned to 256 bytes. Without memory it counts what is needed.
class Parts {
 public:
  explicit Parts(void* memory = nullptr) : memory_(static_cast<char*>(memory)) {}

  template <class T>
  T* take(int64_t count) {
    T* part = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + taken_);
    taken_ += ceil_div(count * static_cast<int64_t>(sizeof(T)), 256) * 256;
    return part;
  }
  int64_t bytes() const { return taken_; }

 private:
  char* memory_;
  int64_t taken_ = 0;
};

}  // namespace
}  // namespace imgsim::cuda
