// Sketching and screening; contracts in loops.h, the idea in screen.h. Included by loops.cpp only.
//
// The left side (rows) is unsigned and broadcast four bytes at a time; the right side (panel) is signed.
//
// AVX-512: one instruction multiplies and adds into 32 bits, 8-bit codes fit. AVX2: products of pairs are added in 16
// bits, and kTogether such sums before they are widened; (2 * 63 + 1) * 63 * 2 * 2 = 32,004 < 2^15 is why codes are
// shorter there.
#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>

#include "loops.h"
#include "sums.h"

namespace imgsim::IMGSIM_ISA {
namespace {

#if defined(__AVX512VNNI__)
constexpr int kLevels = kCodeLevels;
#else
constexpr int kLevels = 63;
#endif
constexpr int kGroup = kFloats;  // lanes of 32 bits in a register
// A tile's sums, kRows x kGroups registers, leave room for its operands.
constexpr int kRows = 4;
#if defined(__AVX512F__)
constexpr int kGroups = 4;
#else
constexpr int kGroups = 2;
#endif
constexpr int kPanelStep = kGroup * kGroups;

// Passes over a row that the first one brings into the nearest cache. Without a centre (null) the residual is the unit
// vector, and the pass that forms it is saved.
template <class T>
bool sketch(const T* x, int64_t n, const float* centre, float centre_squares, float* scratch, uint8_t* codes,
            Sketch* out) {
  Floats squares[kUnroll] = {};
  Floats tops[kUnroll] = {};
  const int64_t whole = by_registers<kFloats>(n, [&](int64_t i, int u) {
    __builtin_prefetch(x + n + i);  // the next row, while this one is worked on
    const Floats v = load_floats(x + i);
    squares[u] += v * v;
    tops[u] = larger(tops[u], magnitude(v));
  });
  float sum = sum_partials(squares);
  float top = largest_lane(tops);
  for (int64_t i = whole; i < n; ++i) {
    const auto v = static_cast<float>(to_double(x[i]));
    sum += v * v;
    top = std::max(top, std::fabs(v));
  }
  const float norm = std::sqrt(sum);
  if (!(norm >= kSmallestNorm && norm <= kLargestNorm)) {
    return false;
  }

  // The residual, the largest of its elements, and its product with the centre.
  const float inverse_norm = 1.0f / norm;
  float product = 0;
  if (centre == nullptr) {
    top *= inverse_norm;
  } else {
    Floats products[kUnroll] = {};
    std::fill(std::begin(tops), std::end(tops), Floats{});
    by_registers<kFloats>(n, [&](int64_t i, int u) {
      const Floats c = load<Floats>(centre + i);
      const Floats r = load_floats(x + i) * inverse_norm - c;
      tops[u] = larger(tops[u], magnitude(r));
      products[u] += r * c;
      store(scratch + i, r);
    });
    top = largest_lane(tops);
    product = sum_partials(products);
    for (int64_t i = whole; i < n; ++i) {
      scratch[i] = static_cast<float>(to_double(x[i])) * inverse_norm - centre[i];
      top = std::max(top, std::fabs(scratch[i]));
      product += scratch[i] * centre[i];
    }
  }

  // Adding 1.5 * 2^23 + zero rounds to an integer and leaves the code in the lowest byte of the float.
  constexpr float kMagic = 12582912.0f + (kLevels + 1);
  const float step = std::max(top / kLevels, 1e-30f);
  const float inverse_step = 1.0f / step;
  Floats errors[kUnroll] = {};
  by_registers<kFloats>(n, [&](int64_t i, int u) {
    const Floats r = centre == nullptr ? load_floats(x + i) * inverse_norm : load<Floats>(scratch + i);
    const Floats shifted = r * inverse_step + kMagic;
    const Floats off = r - (shifted - kMagic) * step;
    errors[u] += off * off;
    store(scratch + i, shifted);
  });
  float error = sum_partials(errors);
  for (int64_t i = whole; i < n; ++i) {
    const float r = centre == nullptr ? static_cast<float>(to_double(x[i])) * inverse_norm : scratch[i];
    const float shifted = r * inverse_step + kMagic;
    const float off = r - (shifted - kMagic) * step;
    error += off * off;
    scratch[i] = shifted;
  }
  for (int64_t i = 0; i < n; ++i) {
    codes[i] = static_cast<uint8_t>(float_to_bits(scratch[i]));
  }
  for (int64_t i = n; i % 4 != 0; ++i) {
    codes[i] = kLevels + 1;
  }
  // |r|^2 = |u|^2 - 2 u.c + |c|^2 with u = r + c.
  const float bias = product + centre_squares;
  const float residual = std::sqrt(std::max(0.0f, 1.0f - 2.0f * bias + centre_squares));
  *out = {step, std::sqrt(error), residual + std::sqrt(error), bias};
  return true;
}

#if defined(__AVX512VNNI__)
// Codes as they are: nothing is lost, but for what 32-bit sums and offsets lose when they become floats. Both are at
// most 128 sqrt(n) / step_of_the_other in size, with a relative error of 2^-24.
template <>
bool sketch<int8_t>(const int8_t* x, int64_t n, const float* /*centre*/, float /*centre_squares*/, float* /*scratch*/,
                    uint8_t* codes, Sketch* out) {
  int32_t squares = 0;  // can_screen: at most 2^15 * 2^14
  for (int64_t i = 0; i < n; ++i) {
    squares += static_cast<int16_t>(x[i]) * x[i];
    codes[i] = static_cast<uint8_t>(x[i] + kLevels + 1);
  }
  if (squares == 0) {
    return false;
  }
  for (int64_t i = n; i % 4 != 0; ++i) {
    codes[i] = kLevels + 1;
  }
  const float step = 1.0f / std::sqrt(static_cast<float>(squares));
  const float error = 0x1p-16f * std::sqrt(static_cast<float>(n)) * step;
  *out = {step, error, 1.0f + error, 0.0f};
  return true;
}
#endif

inline Ints multiply_add(const uint8_t* four, const int8_t* panel, Ints sums) {
#if defined(__AVX512VNNI__) || defined(__AVX2__)
  int32_t word;
  std::memcpy(&word, four, sizeof(word));
#endif
#if defined(__AVX512VNNI__)
  return reinterpret_cast<Ints>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums), _mm512_set1_epi32(word), _mm512_loadu_si512(panel)));
#elif defined(__AVX2__)
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi32(word), load<__m256i>(panel));
  return sums + reinterpret_cast<Ints>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#else
  for (int lane = 0; lane < kGroup; ++lane) {
    sums[lane] += four[0] * panel[4 * lane] + four[1] * panel[4 * lane + 1] + four[2] * panel[4 * lane + 2] +
                  four[3] * panel[4 * lane + 3];
  }
  return sums;
#endif
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// kTogether steps of multiply_add at once, widened once.
constexpr int kTogether = 2;

inline Ints multiply_add_together(const uint8_t* codes, const __m256i (&panel)[kTogether], Ints sums) {
  __m256i pairs[kTogether];
  for (int t = 0; t < kTogether; ++t) {
    int32_t word;
    std::memcpy(&word, codes + 4 * t, sizeof(word));
    pairs[t] = _mm256_maddubs_epi16(_mm256_set1_epi32(word), panel[t]);
  }
  const __m256i all = _mm256_add_epi16(pairs[0], pairs[1]);
  return sums + reinterpret_cast<Ints>(_mm256_madd_epi16(all, _mm256_set1_epi16(1)));
}
#endif

// out[r][g]: row r times the lanes of group g.
template <int kTileRows>
inline void tile(const uint8_t* codes, int64_t dim4, const int8_t* panel, Ints (&out)[kRows][kGroups]) {
  const int64_t group_bytes = dim4 * kGroup;
  Ints sums[kTileRows][kGroups];
  for (int r = 0; r < kTileRows; ++r) {
    for (int g = 0; g < kGroups; ++g) {
      sums[r][g] = Ints{};
    }
  }
  int64_t k = 0;
#if defined(__AVX2__) && !defined(__AVX512F__)
  for (; k + 4 * kTogether <= dim4; k += 4 * kTogether) {
    for (int g = 0; g < kGroups; ++g) {
      __m256i block[kTogether];
      for (int t = 0; t < kTogether; ++t) {
        block[t] = load<__m256i>(panel + g * group_bytes + (k + 4 * t) * kGroup);
      }
      for (int r = 0; r < kTileRows; ++r) {
        sums[r][g] = multiply_add_together(codes + r * dim4 + k, block, sums[r][g]);
      }
    }
  }
#endif
  for (; k < dim4; k += 4) {
    for (int r = 0; r < kTileRows; ++r) {
      for (int g = 0; g < kGroups; ++g) {
        sums[r][g] = multiply_add(codes + r * dim4 + k, panel + g * group_bytes + k * kGroup, sums[r][g]);
      }
    }
  }
  for (int r = 0; r < kTileRows; ++r) {
    for (int g = 0; g < kGroups; ++g) {
      out[r][g] = sums[r][g];
    }
  }
}

template <int kTileRows>
int64_t screen_tile(const uint8_t* codes, const Sketch* rows, int64_t first_row, int64_t dim4, const ScreenPanel& panel,
                    int64_t lane, Survivor* out) {
  int64_t found = 0;
  Ints sums[kRows][kGroups];
  tile<kTileRows>(codes + first_row * dim4, dim4, panel.codes + lane * dim4, sums);
  for (int r = 0; r < kTileRows; ++r) {
    const Sketch& row = rows[first_row + r];
    for (int g = 0; g < kGroups; ++g) {
      const int64_t at = lane + g * kGroup;
      const Floats inner = __builtin_convertvector(sums[r][g], Floats) - load<Floats>(panel.offset + at);
      // |x.y - x'.y'| <= |x - x'| |y| + |x'| |y - y'| for the residuals x, y and what their codes stand for.
      const Floats bound = inner * (load<Floats>(panel.step + at) * row.step) +
                           (load<Floats>(panel.bias + at) + row.bias) + load<Floats>(panel.error + at) * row.length +
                           load<Floats>(panel.reach + at) * row.error;
      const Ints below = bound < load<Floats>(panel.threshold + at);  // false for NaN: it survives
      for (uint32_t kept = lane_bits(~below); kept != 0; kept &= kept - 1) {
        const int64_t hit = at + __builtin_ctz(kept);
        if (hit < panel.count) {
          out[found++] = {static_cast<int32_t>(first_row + r), static_cast<int32_t>(hit)};
        }
      }
    }
  }
  return found;
}

// A strip of the panel and the rows both stay in the nearest cache.
int64_t screen(const uint8_t* codes, const Sketch* rows, int64_t row_count, int64_t dim4, const ScreenPanel& panel,
               Survivor* out) {
  int64_t found = 0;
  for (int64_t lane = 0; lane < panel.lanes; lane += kPanelStep) {
    int64_t row = 0;
    for (; row + kRows <= row_count; row += kRows) {
      found += screen_tile<kRows>(codes, rows, row, dim4, panel, lane, out + found);
    }
    for (; row < row_count; ++row) {
      found += screen_tile<1>(codes, rows, row, dim4, panel, lane, out + found);
    }
  }
  return found;
}

}  // namespace
}  // namespace imgsim::IMGSIM_ISA
