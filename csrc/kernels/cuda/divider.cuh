// Division by a number that is known before the kernel starts.
#pragma once

#include "device.cuh"

namespace imgsim::cuda {
namespace {

/// n / divisor for n and divisor of type Index. For uint32_t by a multiplication, as a GPU has no instruction that
/// divides (Granlund and Montgomery 1994); n and the divisor are then below 2^31.
template <class Index>
class Divider {
 public:
  explicit Divider(int64_t divisor) : divisor_(static_cast<Index>(divisor)) {}
  IMGSIM_HOST_DEVICE Index divisor() const { return divisor_; }
  IMGSIM_HOST_DEVICE Index divide(Index n) const { return n / divisor_; }

 private:
  Index divisor_;
};

template <>
class Divider<uint32_t> {
 public:
  explicit Divider(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((int64_t{1} << shift_) < divisor) {
      ++shift_;
    }
    multiplier_ = static_cast<uint32_t>((uint64_t{1} << 32) * ((uint64_t{1} << shift_) - divisor_) / divisor_ + 1);
  }
  IMGSIM_HOST_DEVICE uint32_t divisor() const { return divisor_; }
  IMGSIM_HOST_DEVICE uint32_t divide(uint32_t n) const {
    const auto high = static_cast<uint32_t>(static_cast<uint64_t>(n) * multiplier_ >> 32);
    return (high + n) >> shift_;
  }

 private:
  uint32_t divisor_;
  uint32_t multiplier_;
  int shift_ = 0;
};

}  // namespace
}  // namespace imgsim::cuda
