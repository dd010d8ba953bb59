// Launcher of the CUDA reduce_mean; no torch types, no CUDA header needed to include it.
#pragma once

#include <cstdint>
#include <vector>

#include "../types.h"

struct CUstream_st;

namespace imgsim::cuda {

/// As imgsim::reduce_mean, on device memory, queued on `stream`. Sums are double, in pieces that depend on the sizes
/// alone, so the answer is the same on every GPU; it may differ from the CPU's in the last bits of a double.
///
/// scratch: reduce_mean_scratch bytes of device memory, aligned to 256: a double for each piece and each sum that is
/// left after the innermost reduced axes, where that is not the answer yet. Throws std::runtime_error when a launch
/// fails.
void reduce_mean(DType dtype, const void* in, void* out, const std::vector<int64_t>& sizes,
                 const std::vector<bool>& reduced, void* scratch, CUstream_st* stream);
int64_t reduce_mean_scratch(const std::vector<int64_t>& sizes, const std::vector<bool>& reduced);

}  // namespace imgsim::cuda
