// How every loop here adds up: in four registers at a time. Included by loops.cpp only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "simd.h"

namespace imgsim::IMGSIM_ISA {
namespace {

// Four registers of partial sums hide the latency of an addition.
constexpr int kUnroll = 4;

// Calls step(i, u) for the register of kLanes elements at i, u saying which partial sum it goes to; returns the number
// of elements covered, a multiple of kLanes. Every sum in this file goes this way, so equal terms give equal bits.
template <int kLanes, class Step>
inline int64_t by_registers(int64_t n, const Step& step) {
  int64_t i = 0;
  for (; i + kUnroll * kLanes <= n; i += kUnroll * kLanes) {
    for (int u = 0; u < kUnroll; ++u) {
      step(i + u * kLanes, u);
    }
  }
  for (; i + kLanes <= n; i += kLanes) {
    step(i, 0);
  }
  return i;
}

template <class Vector>
inline auto largest_lane(const Vector (&tops)[kUnroll]) {
  const Vector all = larger(larger(tops[0], tops[1]), larger(tops[2], tops[3]));
  auto top = all[0];
  for (size_t lane = 1; lane < sizeof(all) / sizeof(all[0]); ++lane) {
    top = std::max(top, all[lane]);
  }
  return top;
}

template <class Vector>
inline auto sum_partials(const Vector (&sums)[kUnroll]) {
  return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// Rows that are scanned one after the other come from memory; the hardware's own prefetcher stops at every page.
constexpr int64_t kAhead = 4096;  // bytes

template <class T>
inline void prefetch_ahead(const T* x) {
  __builtin_prefetch(reinterpret_cast<const char*>(x) + kAhead);
}

}  // namespace
}  // namespace imgsim::IMGSIM_ISA
