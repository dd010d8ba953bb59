// Mean and standard deviation per channel, exact and mergeable.
#pragma once

#include <cmath>
#include <vector>

#include "numbers.h"
#include "parallel.h"

namespace imgsim {

/// count values with this mean and this sum of squared deviations from it (M2), for one channel.
struct Moments {
  double count = 0;
  double mean = 0;
  double m2 = 0;

  /// Adds the values that `other` summarises (Chan, Golub and LeVeque 1979). For a reproducible answer merge in
  /// a fixed order.
  IMGSIM_HOST_DEVICE void merge(const Moments& other) {
    if (other.count == 0) {
      return;
    }
    if (count == 0) {  // not left to the formula: 0 times an overflow would be NaN
      *this = other;
      return;
    }
    const double total = count + other.count;
    const double delta = other.mean - mean;
    m2 += other.m2 + delta * delta * (count * other.count / total);
    // From the difference, equal means stay as they are; where it is infinite, so is the mean or it is NaN.
    mean = delta - delta == 0 ? mean + delta * (other.count / total)
                              : mean * (count / total) + other.mean * (other.count / total);
    count = total;
  }
  /// Population standard deviation; NaN when there are no values.
  IMGSIM_HOST_DEVICE double std() const { return std::sqrt(count > 0 ? m2 / count : count / count); }
  /// Of n integers with this sum and this sum of squares. Exact: the squared deviations are
  /// (n * squares - sum^2) / n, and both terms fit 128 bits.
  IMGSIM_HOST_DEVICE static Moments from_sums(uint64_t n, uint64_t sum, uint64_t squares) {
    using Wide = unsigned __int128;
    const Wide spread = static_cast<Wide>(n) * squares - static_cast<Wide>(sum) * sum;
    const auto count = static_cast<double>(n);
    return {count, static_cast<double>(sum) / count, static_cast<double>(spread) / count};
  }
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
