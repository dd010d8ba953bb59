// Element types to and from float and double, bit by bit: the same numbers on every processor and on a GPU.
//
// Everything has internal linkage, because isa/loops.cpp is compiled for instruction sets that not every processor has:
// a function shared with the rest of the program might come from the wrong one.
#pragma once

#include <cstdint>
#include <cstring>

#include "types.h"

#ifdef __CUDACC__
#define IMGSIM_HOST_DEVICE __host__ __device__
#else
#define IMGSIM_HOST_DEVICE
#endif

namespace imgsim {

// Norms outside this range make the unit vector, or the role of cosine.h's eps, delicate: what approximates scores in
// single precision leaves such vectors to be scored exactly.
constexpr float kSmallestNorm = 1e-4f;  // the product of two stays at or above eps
constexpr float kLargestNorm = 1e18f;   // the square stays finite

namespace {

IMGSIM_HOST_DEVICE inline float bits_to_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

IMGSIM_HOST_DEVICE inline uint32_t float_to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// IEEE half precision in integer arithmetic; exact for every value, subnormal and NaN included.
IMGSIM_HOST_DEVICE inline float to_float(float16 x) {
#ifdef __CUDA_ARCH__
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  const uint32_t magnitude = x.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) {
    return bits_to_float(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  }
  // Shifted into place the exponent is short by 112; a multiplication mends it and normalises subnormals.
  return bits_to_float(sign | float_to_bits(bits_to_float(magnitude << 13) * 0x1p112f));
#endif
}

IMGSIM_HOST_DEVICE inline float to_float(bfloat16 x) { return bits_to_float(static_cast<uint32_t>(x.bits) << 16); }

IMGSIM_HOST_DEVICE inline double to_double(int8_t x) { return x; }
IMGSIM_HOST_DEVICE inline double to_double(float x) { return x; }
IMGSIM_HOST_DEVICE inline double to_double(double x) { return x; }
IMGSIM_HOST_DEVICE inline double to_double(float16 x) { return to_float(x); }
IMGSIM_HOST_DEVICE inline double to_double(bfloat16 x) { return to_float(x); }

// Rounding to nearest even, once, straight from double: via float it would round twice.
IMGSIM_HOST_DEVICE inline void from_double(double x, double* out) { *out = x; }
IMGSIM_HOST_DEVICE inline void from_double(double x, float* out) { *out = static_cast<float>(x); }

// Rounds x to a float whose lost bits are remembered in its last one ("round to odd"), so that a second rounding to
// a type at least two bits shorter gives what a single one would (Boldo and Melquiond 2008).
IMGSIM_HOST_DEVICE inline float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  const double back = nearest;
  if (back == x || back != back) {
    return nearest;
  }
  uint32_t bits = float_to_bits(nearest);
  if ((bits & 1u) == 0) {
    const bool away = (back < 0 ? -back : back) > (x < 0 ? -x : x);
    bits += away ? -1u : 1u;
  }
  return bits_to_float(bits);
}

IMGSIM_HOST_DEVICE inline void from_double(double x, bfloat16* out) {
  if (x != x) {
    out->bits = 0x7fc0u;
    return;
  }
  const uint32_t bits = float_to_bits(round_to_odd(x));
  out->bits = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

IMGSIM_HOST_DEVICE inline void from_double(double x, float16* out) {
  const float odd = round_to_odd(x);
  const uint32_t bits = float_to_bits(odd);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u;
  } else if (magnitude >= 0x47800000u) {  // 2^16 and more
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 aligns the subnormal's bits and rounds them
    half = float_to_bits(bits_to_float(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    half = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;
  }
  out->bits = static_cast<uint16_t>(sign | half);
}

}  // namespace
}  // namespace imgsim
