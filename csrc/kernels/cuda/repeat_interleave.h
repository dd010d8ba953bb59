// Launcher of the CUDA repeat_interleave; no torch types, no CUDA header needed to include it.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace imgsim::cuda {

/// As imgsim::repeat_interleave, on device memory, queued on `stream`. out starts at a multiple of 16 bytes.
/// Throws std::runtime_error when the launch fails.
void repeat_interleave(const void* in, void* out, int64_t count, int64_t block_bytes, int64_t repeats,
                       CUstream_st* stream);

}  // namespace imgsim::cuda
