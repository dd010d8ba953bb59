// Mean and standard deviation per channel, exact and mergeable.
#pragma once

#include <vector>

#include "parallel.h"
#include "types.h"

namespace imgsim {

/// count values with this mean and this sum of squared deviations from it (M2), for one channel.
struct Moments {
  double count = 0;
  double mean = 0;
  double m2 = 0;

  /// Adds the values that `other` summarises (Chan, Golub and LeVeque 1979). For a reproducible answer merge in
  /// a fixed order.
  void merge(const Moments& other);
  /// Population standard deviation; NaN when there are no values.
  double std() const;
};

/// One of the two answers for each channel.
std::vector<double> means_of(const std::vector<Moments>& moments);
std::vector<double> stds_of(const std::vector<Moments>& moments);

/// Images of shape (batch, channels, positions); strides in elements, positions is height x width as one axis.
/// Fast when positions are adjacent (NCHW) or channels are (NHWC); right for any strides.
struct Images {
  DType dtype;
  const void* data;
  int64_t batch;
  int64_t channels;
  int64_t positions;
  int64_t stride_n;
  int64_t stride_c;
  int64_t stride_p;
};

/// The moments of each channel over all images and positions.
///
/// uint8: sums are integers, hence exact, and one pass over the bytes is all it takes. Floating types: two passes over
/// blocks that fit the first-level cache, merged in block order.
std::vector<Moments> channel_moments(const Images& images, const Executor& executor);

}  // namespace imgsim
