// The multi-scale embedding's head in one pass.
#pragma once

#include <vector>

#include "parallel.h"
#include "types.h"

namespace imgsim {

/// One feature map of shape (batch, channels, positions), where positions are height x width as one axis.
/// Strides are in elements; one of stride_c (channels last) and stride_p (contiguous NCHW) is 1.
struct FeatureMap {
  const void* data;
  int64_t channels;
  int64_t positions;
  int64_t stride_n;
  int64_t stride_c;
  int64_t stride_p;
};

/// out[n, j] = mean over maps of (mean over positions of map[n, j / (width / channels)]), shape (batch, width).
///
/// width must be a multiple of every map's channels. All maps and out have element type `dtype`; sums are double.
/// A map without positions gives NaN.
void multiscale_pool(DType dtype, const std::vector<FeatureMap>& maps, void* out, int64_t batch, int64_t width,
                     const Executor& executor);

}  // namespace imgsim
