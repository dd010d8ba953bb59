#include <cuda_runtime.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "repeat_interleave.h"

namespace imgsim::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 1 << 16;  // a grid-stride loop covers the rest

// One thread writes one unit of out: neighbours write neighbours. `units` of sizeof(Unit) bytes make a block.
template <class Unit>
__global__ void repeat_units(const Unit* __restrict__ in, Unit* __restrict__ out, int64_t total, int64_t units,
                             int64_t repeats) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += step) {
    const int64_t block = i / (units * repeats);
    out[i] = in[block * units + i % units];
  }
}

template <class Unit>
void launch(const void* in, void* out, int64_t count, int64_t block_bytes, int64_t repeats, cudaStream_t stream) {
  const int64_t units = block_bytes / static_cast<int64_t>(sizeof(Unit));
  const int64_t total = count * units * repeats;
  const auto blocks = static_cast<unsigned>(std::min(kMostBlocks, (total + kThreads - 1) / kThreads));
  repeat_units<Unit>
      <<<blocks, kThreads, 0, stream>>>(static_cast<const Unit*>(in), static_cast<Unit*>(out), total, units, repeats);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string("repeat_interleave: CUDA launch failed (got ") + cudaGetErrorString(error) +
                             ")");
  }
}

}  // namespace

void repeat_interleave(const void* in, void* out, int64_t count, int64_t block_bytes, int64_t repeats,
                       CUstream_st* stream) {
  if (count == 0 || block_bytes == 0 || repeats == 0) {
    return;
  }
  // The widest unit that divides a block and that both addresses are aligned to.
  const auto fits = [&](int64_t size) {
    return block_bytes % size == 0 && reinterpret_cast<uintptr_t>(in) % size == 0 &&
           reinterpret_cast<uintptr_t>(out) % size == 0;
  };
  if (fits(16)) {
    launch<uint4>(in, out, count, block_bytes, repeats, stream);
  } else if (fits(8)) {
    launch<uint64_t>(in, out, count, block_bytes, repeats, stream);
  } else if (fits(4)) {
    launch<uint32_t>(in, out, count, block_bytes, repeats, stream);
  } else if (fits(2)) {
    launch<uint16_t>(in, out, count, block_bytes, repeats, stream);
  } else {
    launch<uint8_t>(in, out, count, block_bytes, repeats, stream);
  }
}

}  // namespace imgsim::cuda
