// The two passes of resize_crop; contracts in loops.h. Included by loops.cpp only.
//
// Fixed-point sums are exact, so every way of adding gives the same bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "loops.h"
#include "sums.h"

namespace imgsim::IMGSIM_ISA {
namespace {

constexpr int32_t kWeightHalf = 1 << (kWeightBits - 1);

inline uint8_t byte_of_fixed(int32_t fixed) { return static_cast<uint8_t>(std::clamp(fixed >> kWeightBits, 0, 255)); }

inline void resize_pixel(const uint8_t* in, const ResizeAxis& axis, int64_t i, uint8_t* out) {
  const uint8_t* pixel = in + 3 * axis.start[i];
  const int32_t* weight = axis.weights + i * axis.taps;
  int32_t sums[3] = {kWeightHalf, kWeightHalf, kWeightHalf};
  for (int64_t t = 0; t < axis.used[i]; ++t, pixel += 3) {
    for (int c = 0; c < 3; ++c) {
      sums[c] += pixel[c] * weight[t];
    }
  }
  for (int c = 0; c < 3; ++c) {
    out[c] = byte_of_fixed(sums[c]);
  }
}

#if defined(__AVX2__)
// Pixels and weights are multiplied in pairs of 16 bits, which halves the multiplications; for that a weight of up to
// 23 bits is cut in two. Registers of 32 bytes in the AVX-512 build too: a wider one would hold two output pixels'
// taps, which do not start at one place.
constexpr int kLowBits = 11;
constexpr int kSpreadWords = 2 * 16;  // 16-bit words of a chunk of weights: high halves, low halves

inline __m256i multiply_add_words(__m256i a, __m256i b, __m256i sums) {
#if defined(__AVX512VNNI__)
  return _mm256_dpwssd_epi32(sums, a, b);
#else
  return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
#endif
}

// Four taps' weights as the words that meet R0 R1 G0 G1 B0 B1 - - R2 R3 G2 G3 B2 B3 - -.
void spread_weights(const int32_t* weights, int64_t taps, int16_t* out) {
  for (int64_t t = 0; t < taps; t += kTapChunk, out += kSpreadWords) {
    for (int word = 0; word < 16; ++word) {
      const int32_t weight = weights[t + word / 8 * 2 + word % 2];
      out[word] = static_cast<int16_t>(weight >> kLowBits);
      out[16 + word] = static_cast<int16_t>(weight & ((1 << kLowBits) - 1));
    }
  }
}

// Red, green and blue of an output pixel in the first three lanes of both halves, to be added up.
inline __m256i pixel_sums(const uint8_t* in, const int16_t* spread, int64_t chunks) {
  const __m128i pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
  __m256i high = _mm256_setzero_si256();
  __m256i low = _mm256_setzero_si256();
  for (int64_t chunk = 0; chunk < chunks; ++chunk, in += 3 * kTapChunk, spread += kSpreadWords) {
    const __m256i words = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(load<__m128i>(in), pairs));
    high = multiply_add_words(words, load<__m256i>(spread), high);
    low = multiply_add_words(words, load<__m256i>(spread + 16), low);
  }
  return _mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low);
}

inline __m256i two_pixels(__m256i first, __m256i second) {
  const __m256i sums =
      _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20), _mm256_permute2x128_si256(first, second, 0x31));
  return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(kWeightHalf)), kWeightBits);
}

// Four pixels at a time as long as their loads stay within the row. `chunks` is a constant where one is enough:
// enlarging, and shrinking down to about a half.
template <class Chunks>
inline int64_t resize_fours(const uint8_t* in, int64_t width, const ResizeAxis& axis, uint8_t* out, Chunks chunks) {
  constexpr int64_t kLoad = 16;
  const int64_t last_start = (3 * width - kLoad) / 3 - kTapChunk * (chunks - 1);
  const __m128i packed = _mm_setr_epi8(0, 1, 2, 8, 9, 10, 4, 5, 6, 12, 13, 14, -1, -1, -1, -1);
  const int64_t* start = axis.start;
  const int16_t* spread = axis.spread;
  const int64_t step = chunks * kSpreadWords;
  int64_t i = 0;
  for (; i + 4 <= axis.count && 3 * width >= kLoad && start[i + 3] <= last_start; i += 4, spread += 4 * step) {
    const auto sums = [&](int p) { return pixel_sums(in + 3 * start[i + p], spread + p * step, chunks); };
    const __m256i words = _mm256_packs_epi32(two_pixels(sums(0), sums(1)), two_pixels(sums(2), sums(3)));
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    store(out + 3 * i, _mm_shuffle_epi8(bytes, packed));
  }
  return i;
}

int64_t resize_whole_chunks(const uint8_t* in, int64_t width, const ResizeAxis& axis, uint8_t* out) {
  return axis.taps == kTapChunk ? resize_fours(in, width, axis, out, std::integral_constant<int64_t, 1>())
                                : resize_fours(in, width, axis, out, axis.taps / kTapChunk);
}
#else
constexpr int kSpreadWords = 0;

void spread_weights(const int32_t* /*weights*/, int64_t /*taps*/, int16_t* /*out*/) {}

int64_t resize_whole_chunks(const uint8_t* /*in*/, int64_t /*width*/, const ResizeAxis& /*axis*/, uint8_t* /*out*/) {
  return 0;
}
#endif

void resize_row(const uint8_t* in, int64_t width, const ResizeAxis& axis, uint8_t* out) {
  for (int64_t i = resize_whole_chunks(in, width, axis, out); i < axis.count; ++i) {
    resize_pixel(in, axis, i, out + 3 * i);
  }
}

// A strip of sums stays in the nearest cache, or in registers, while the rows go by.
void resize_column(const uint8_t* in, int64_t stride, int64_t n, const int32_t* weights, int64_t used, uint8_t* out) {
  constexpr int64_t kStrip = 128;
  for (int64_t first = 0; first < n; first += kStrip) {
    const int64_t count = std::min(kStrip, n - first);
    int32_t sums[kStrip];
    std::fill_n(sums, kStrip, kWeightHalf);
    for (int64_t t = 0; t < used; ++t) {
      const uint8_t* row = in + t * stride + first;
      for (int64_t i = 0; i < count; ++i) {
        sums[i] += row[i] * weights[t];
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      out[first + i] = byte_of_fixed(sums[i]);
    }
  }
}

}  // namespace
}  // namespace imgsim::IMGSIM_ISA
