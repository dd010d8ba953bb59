// Launcher of the CUDA channel_stats; no torch types, no CUDA header needed to include it.
#pragma once

#include <cstdint>

#include "../channel_stats.h"

struct CUstream_st;

namespace imgsim::cuda {

/// Whether channel_stats reads such images as they are: positions adjacent (NCHW), or pixels of adjacent channels side
/// by side (NHWC), uint8 in the latter case with at most four channels.
bool reads_as_they_are(const Images& images);

/// The mean and the population standard deviation of each channel, as imgsim::channel_moments has them, on device
/// memory, queued on `stream`. mean and std are double for float64 images, else float. There are images and positions.
///
/// uint8: exact, by integer sums. Floating types: in parts of which each has its mean and squared deviations from it,
/// merged in an order that depends on the sizes alone.
///
/// scratch: channel_stats_scratch bytes of device memory, aligned to 256: 16 bytes for each channel, or 24 for each
/// part of 64 to 4,096 values. Throws std::runtime_error when a launch fails.
void channel_stats(const Images& images, void* mean, void* std, void* scratch, CUstream_st* stream);
int64_t channel_stats_scratch(const Images& images);

}  // namespace imgsim::cuda
