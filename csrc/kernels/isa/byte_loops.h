// Exact sums over bytes, and rounding to them; contracts in loops.h. Included by loops.cpp only.
//
// Plain loops: the compiler vectorises sums of small integers well, and they are exact in any order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "simd.h"

namespace imgsim::IMGSIM_ISA {
namespace {

void plane(const uint8_t* x, int64_t n, uint64_t* sum, uint64_t* squares) {
  constexpr int64_t kBlock = 1 << 15;  // 2^15 * 255^2 < 2^32
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t end = std::min(n, start + kBlock);
    uint32_t s = 0;
    uint32_t q = 0;
    for (int64_t i = start; i < end; ++i) {
      s += x[i];
      q += static_cast<uint32_t>(x[i]) * x[i];
    }
    *sum += s;
    *squares += q;
  }
}

// A strip is a whole number of registers and of positions, so that every place in it belongs to one channel.
template <int kChannels>
int64_t strips(const uint8_t* x, int64_t bytes, uint64_t* sums, uint64_t* squares) {
  constexpr int kStrip = kChannels * 32;
  constexpr int kRounds = 256;  // 256 * 255 < 2^16, 256 * 255^2 < 2^32
  int64_t done = 0;
  while (bytes - done >= kStrip) {
    const int64_t rounds = std::min<int64_t>(kRounds, (bytes - done) / kStrip);
    uint16_t s[kStrip] = {};
    uint32_t q[kStrip] = {};
    for (int64_t round = 0; round < rounds; ++round, done += kStrip) {
      for (int i = 0; i < kStrip; ++i) {
        const uint16_t value = x[done + i];
        s[i] = static_cast<uint16_t>(s[i] + value);
        q[i] += static_cast<uint16_t>(value * value);
      }
    }
    for (int i = 0; i < kStrip; ++i) {
      sums[i % kChannels] += s[i];
      squares[i % kChannels] += q[i];
    }
  }
  return done / kChannels;
}

void interleaved(const uint8_t* x, int64_t n, int64_t channels, uint64_t* sums, uint64_t* squares) {
  int64_t position = 0;
  if (channels == 3) {
    position = strips<3>(x, n * channels, sums, squares);
  } else if (channels == 4) {
    position = strips<4>(x, n * channels, sums, squares);
  }
  for (; position < n; ++position) {
    for (int64_t c = 0; c < channels; ++c) {
      const uint64_t value = x[position * channels + c];
      sums[c] += value;
      squares[c] += value * value;
    }
  }
}

// Adding 1.5 * 2^23 rounds to an integer and leaves it in the lowest byte of the float.
void round_to_bytes(const float* x, int64_t n, int8_t* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<int8_t>(float_to_bits(x[i] + 12582912.0f));
  }
}

}  // namespace
}  // namespace imgsim::IMGSIM_ISA
