// Wall time.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace imgsim::app {

class Timer {
 public:
  double microseconds() const { return std::chrono::duration<double, std::micro>(Clock::now() - start_).count(); }
  double milliseconds() const { return microseconds() / 1000; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// The middle of an odd number of values, the mean of the middle two of an even one; needs at least one.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace imgsim::app
