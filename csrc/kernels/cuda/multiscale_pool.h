// Launcher of the CUDA multiscale_pool; no torch types, no CUDA header needed to include it.
#pragma once

#include <cstdint>
#include <vector>

#include "../multiscale_pool.h"

struct CUstream_st;

namespace imgsim::cuda {

/// As imgsim::multiscale_pool, on device memory, queued on `stream`: a launch for each map and one that puts them
/// together (one for every 16). Sums are double and in an order that depends on the sizes alone.
///
/// scratch: multiscale_pool_scratch bytes of device memory, aligned to 256: a double for each channel of each image and
/// map, several where maps are large and few.
/// Throws std::runtime_error when a launch fails.
void multiscale_pool(DType dtype, const std::vector<FeatureMap>& maps, void* out, int64_t batch, int64_t width,
                     void* scratch, CUstream_st* stream);
int64_t multiscale_pool_scratch(const std::vector<FeatureMap>& maps, int64_t batch, int64_t width);

}  // namespace imgsim::cuda
