// One table of loops; see loops.h. Built once for each instruction set.

#include "loops.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "simd.h"

namespace imgsim {
namespace IMGSIM_ISA {
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

inline float largest_lane(const Floats (&tops)[kUnroll]) {
  const Floats all = larger(larger(tops[0], tops[1]), larger(tops[2], tops[3]));
  float top = 0;
  for (int lane = 0; lane < kFloats; ++lane) {
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

template <class T>
void widen(const T* x, int64_t n, double* out) {
  int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) {
    store(out + i, load_doubles(x + i));
  }
  for (; i < n; ++i) {
    out[i] = to_double(x[i]);
  }
}

template <class T>
void scale(const T* x, int64_t n, double factor, float* out) {
  int64_t i = 0;
  for (; i + kDoubles <= n; i += kDoubles) {
    store(out + i, __builtin_convertvector(load_doubles(x + i) * factor, HalfFloats));
  }
  for (; i < n; ++i) {
    out[i] = static_cast<float>(to_double(x[i]) * factor);
  }
}

template <class T>
void narrow(const double* x, int64_t n, T* out) {
  for (int64_t i = 0; i < n; ++i) {
    from_double(x[i], out + i);
  }
}

template <class Vector, class Scalar>
inline double accumulate(int64_t n, const Vector& vector_term, const Scalar& scalar_term) {
  Doubles sums[kUnroll] = {};
  int64_t i = by_registers<kDoubles>(n, [&](int64_t at, int u) { vector_term(at, sums[u]); });
  double sum = sum_partials(sums);
  for (; i < n; ++i) {
    scalar_term(i, sum);
  }
  return sum;
}

template <class T>
double sum(const T* x, int64_t n) {
  return accumulate(
      n,
      [&](int64_t i, Doubles& s) {
        prefetch_ahead(x + i);
        s += load_doubles(x + i);
      },
      [&](int64_t i, double& s) { s += to_double(x[i]); });
}

template <class T>
double sum_squares(const T* x, int64_t n, double shift) {
  return accumulate(
      n,
      [&](int64_t i, Doubles& s) {
        const Doubles d = load_doubles(x + i) - shift;
        s += d * d;
      },
      [&](int64_t i, double& s) {
        const double d = to_double(x[i]) - shift;
        s += d * d;
      });
}

template <class T>
double dot(const double* x, const T* y, int64_t n) {
  return accumulate(
      n, [&](int64_t i, Doubles& s) { s += load_doubles(x + i) * load_doubles(y + i); },
      [&](int64_t i, double& s) { s += x[i] * to_double(y[i]); });
}

template <class T>
void dot_and_squares(const double* x, const T* y, int64_t n, double* dot, double* squares) {
  Doubles dots[kUnroll] = {};
  Doubles norms[kUnroll] = {};
  int64_t i = by_registers<kDoubles>(n, [&](int64_t at, int u) {
    prefetch_ahead(y + at);
    const Doubles b = load_doubles(y + at);
    dots[u] += load_doubles(x + at) * b;
    norms[u] += b * b;
  });
  double xy = sum_partials(dots);
  double yy = sum_partials(norms);
  for (; i < n; ++i) {
    const double b = to_double(y[i]);
    xy += x[i] * b;
    yy += b * b;
  }
  *dot = xy;
  *squares = yy;
}

// Eight rows at a time, so that a sum is loaded and stored once for eight additions while rows are read as they lie.
template <class T>
void add_rows(const T* x, int64_t rows, int64_t stride, int64_t n, double* sums) {
  constexpr int64_t kTogether = 8;
  for (int64_t first = 0; first < rows; first += kTogether) {
    const int64_t count = std::min(kTogether, rows - first);
    const T* block = x + first * stride;
    int64_t j = 0;
    if (count == kTogether) {
      for (; j + kDoubles <= n; j += kDoubles) {
        Doubles sum = load<Doubles>(sums + j);
        for (int64_t i = 0; i < kTogether; ++i) {
          sum += load_doubles(block + i * stride + j);
        }
        store(sums + j, sum);
      }
    }
    for (; j < n; ++j) {
      double sum = sums[j];
      for (int64_t i = 0; i < count; ++i) {
        sum += to_double(block[i * stride + j]);
      }
      sums[j] = sum;
    }
  }
}

// Bytes. Plain loops: the compiler vectorises sums of small integers well, and they are exact in any order.

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

// Screening. The left side (rows) is unsigned and broadcast four bytes at a time; the right side (panel) is signed.
//
// AVX-512: one instruction multiplies and adds into 32 bits, 8-bit codes fit. AVX2: products of pairs are added in 16
// bits, and kTogether such sums before they are widened; (2 * 63 + 1) * 63 * 2 * 2 = 32,004 < 2^15 is why codes are
// shorter there.
#if defined(__AVX512VNNI__)
constexpr int kLevels = 127;
#else
constexpr int kLevels = 63;
#endif
constexpr int kGroup = kFloats;  // lanes of 32 bits in a register
// A tile's sums, kRows x kGroups registers, leave room for its operands.
#if defined(__AVX512F__)
constexpr int kRows = 4;
constexpr int kGroups = 4;
#else
constexpr int kRows = 4;
constexpr int kGroups = 2;
#endif
constexpr int kPanelStep = kGroup * kGroups;

// Norms outside this range make the unit vector, or the role of eps, delicate: such vectors are always scored exactly.
constexpr float kSmallestNorm = 1e-4f;  // the product of two stays at or above eps
constexpr float kLargestNorm = 1e18f;   // the square stays finite

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

template <class T>
constexpr RowLoops<T> row_loops() {
  return {widen<T>, scale<T>, narrow<T>, sum<T>, sum_squares<T>, dot<T>, dot_and_squares<T>, add_rows<T>, sketch<T>};
}

}  // namespace

extern const Loops kTable;
const Loops kTable = {IMGSIM_ISA_NAME,
                      row_loops<float>(),
                      row_loops<double>(),
                      row_loops<imgsim::float16>(),
                      row_loops<imgsim::bfloat16>(),
                      {plane, interleaved},
                      {kLevels, kPanelStep, kGroup, screen}};

}  // namespace IMGSIM_ISA
}  // namespace imgsim
