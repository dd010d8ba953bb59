// The widest registers of the instruction set being compiled for, through the compiler's own vector types, and loads
// that widen every element type to double. Included by loops.cpp only.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "../numbers.h"

namespace imgsim::IMGSIM_ISA {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;  // SSE2 and NEON, both part of their 64-bit baselines
#endif

constexpr int kDoubles = kBytes / 8;
constexpr int kFloats = kBytes / 4;

using Doubles = double __attribute__((vector_size(kBytes)));
using Floats = float __attribute__((vector_size(kBytes)));
using Ints = int32_t __attribute__((vector_size(kBytes)));
using HalfFloats = float __attribute__((vector_size(kBytes / 2)));

template <class V, class T>
inline V load(const T* p) {
  V v;
  std::memcpy(&v, p, sizeof(V));
  return v;
}

template <class V, class T>
inline void store(T* p, const V& v) {
  std::memcpy(p, &v, sizeof(V));
}

inline Doubles load_doubles(const double* p) { return load<Doubles>(p); }

inline Doubles widen_floats(const HalfFloats& v) {
#if defined(__AVX512F__)
  // GCC 12 makes two conversions of a vector's one. Masked, all lanes taken, because it warns of its own plain form.
  return reinterpret_cast<Doubles>(_mm512_maskz_cvtps_pd(0xff, reinterpret_cast<__m256>(v)));
#else
  return __builtin_convertvector(v, Doubles);
#endif
}

inline Doubles load_doubles(const float* p) { return widen_floats(load<HalfFloats>(p)); }

inline Doubles load_doubles(const bfloat16* p) {
  using Words = uint16_t __attribute__((vector_size(kBytes / 4)));
  using Longs = uint32_t __attribute__((vector_size(kBytes / 2)));
  const Longs bits = __builtin_convertvector(load<Words>(p), Longs) << 16;
  return widen_floats(load<HalfFloats>(&bits));
}

inline Doubles load_doubles(const float16* p) {
#if defined(__AVX512F__)
  const __m256 wide = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return widen_floats(reinterpret_cast<HalfFloats>(wide));
#elif defined(__F16C__)
  const __m128 wide = _mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return widen_floats(reinterpret_cast<HalfFloats>(wide));
#else
  Doubles out;
  for (int lane = 0; lane < kDoubles; ++lane) {
    out[lane] = to_float(p[lane]);
  }
  return out;
#endif
}

inline Floats load_floats(const float* p) { return load<Floats>(p); }

inline Floats load_floats(const double* p) {
  const HalfFloats halves[2] = {__builtin_convertvector(load_doubles(p), HalfFloats),
                                __builtin_convertvector(load_doubles(p + kDoubles), HalfFloats)};
  return load<Floats>(halves);
}

inline Floats load_floats(const float16* p) {
#if defined(__AVX512F__)
  // Masked, all lanes taken: GCC 12 warns of its own header's plain form.
  return reinterpret_cast<Floats>(_mm512_maskz_cvtph_ps(0xffff, load<__m256i>(p)));
#elif defined(__F16C__)
  return reinterpret_cast<Floats>(_mm256_cvtph_ps(load<__m128i>(p)));
#else
  Floats out;
  for (int lane = 0; lane < kFloats; ++lane) {
    out[lane] = to_float(p[lane]);
  }
  return out;
#endif
}

inline Floats load_floats(const bfloat16* p) {
  using Words = uint16_t __attribute__((vector_size(kBytes / 2)));
  using Longs = uint32_t __attribute__((vector_size(kBytes)));
  const Longs bits = __builtin_convertvector(load<Words>(p), Longs) << 16;
  return load<Floats>(&bits);
}

// Spelled out because compilers convert vectors of bytes one by one.
inline Floats load_floats(const int8_t* p) {
#if defined(__AVX512F__)
  const __m512i wide = _mm512_maskz_cvtepi8_epi32(0xffff, load<__m128i>(p));
  return __builtin_convertvector(reinterpret_cast<Ints>(wide), Floats);
#elif defined(__AVX2__)
  const __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return __builtin_convertvector(reinterpret_cast<Ints>(wide), Floats);
#else
  Floats out;
  for (int lane = 0; lane < kFloats; ++lane) {
    out[lane] = p[lane];
  }
  return out;
#endif
}

#if defined(__AVX2__)
using Shorts = int16_t __attribute__((vector_size(kBytes)));
constexpr int kShorts = kBytes / 2;

inline Shorts load_shorts(const int8_t* p) {
#if defined(__AVX512F__)
  return reinterpret_cast<Shorts>(_mm512_cvtepi8_epi16(load<__m256i>(p)));
#else
  return reinterpret_cast<Shorts>(_mm256_cvtepi8_epi16(load<__m128i>(p)));
#endif
}

// sums + the products of a and b, those of two neighbours together.
inline Ints add_products(const Ints& sums, const Shorts& a, const Shorts& b) {
#if defined(__AVX512VNNI__)
  return reinterpret_cast<Ints>(
      _mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sums), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#else
  return sums + reinterpret_cast<Ints>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#endif
}
#endif

inline Floats magnitude(const Floats& v) {
  Ints bits;
  std::memcpy(&bits, &v, sizeof(bits));
  bits &= 0x7fffffff;
  return load<Floats>(&bits);
}

template <class Vector>
inline Vector larger(const Vector& a, const Vector& b) {
  return a > b ? a : b;
}

// Bit l is set where lane l of a comparison is true (all ones).
inline uint32_t lane_bits(const Ints& mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
  return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#else
  uint32_t bits = 0;
  for (int lane = 0; lane < kFloats; ++lane) {
    bits |= (static_cast<uint32_t>(mask[lane]) & 1u) << lane;
  }
  return bits;
#endif
}

template <class Lane>
struct SixteenBytes;
template <>
struct SixteenBytes<double> {
  using type = double __attribute__((vector_size(16)));
};
template <>
struct SixteenBytes<float> {
  using type = float __attribute__((vector_size(16)));
};
template <>
struct SixteenBytes<int32_t> {
  using type = int32_t __attribute__((vector_size(16)));
};

// Halves are added to halves: one after the other, sixteen lanes would take longer than a row of bytes.
template <class Vector>
inline auto sum_lanes(const Vector& v) {
  using Lane = std::remove_cvref_t<decltype(v[0])>;
  using Part = typename SixteenBytes<Lane>::type;
  Part parts[kBytes / sizeof(Part)];
  std::memcpy(parts, &v, sizeof(v));
  for (size_t half = kBytes / sizeof(Part) / 2; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) {
      parts[i] += parts[i + half];
    }
  }
  const Part& sum = parts[0];
  if constexpr (sizeof(Lane) == 8) {
    return sum[0] + sum[1];
  } else {
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
  }
}

}  // namespace imgsim::IMGSIM_ISA
