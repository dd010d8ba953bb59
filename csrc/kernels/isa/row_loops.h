// Loops over one row of elements; contracts in loops.h. Included by loops.cpp only.
#pragma once

#include <algorithm>

#include "loops.h"
#include "sums.h"

namespace imgsim::IMGSIM_ISA {
namespace {

template <class T>
void widen(const T* x, int64_t n, typename VectorLoops<T>::Wide* out) {
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

// Elements that are not finite times 0 are NaN, all others 0.
template <class T>
double largest(const T* x, int64_t n) {
  Doubles tops[kUnroll] = {};
  Doubles zeros[kUnroll] = {};
  int64_t i = by_registers<kDoubles>(n, [&](int64_t at, int u) {
    const Doubles v = load_doubles(x + at);
    tops[u] = larger(tops[u], larger(v, -v));
    zeros[u] += v * 0.0;
  });
  double zero = sum_partials(zeros);
  double top = largest_lane(tops);
  for (; i < n; ++i) {
    const double v = to_double(x[i]);
    top = std::max(top, v < 0 ? -v : v);
    zero += v * 0.0;
  }
  return top + zero;
}

template <class T>
void dot_and_squares(const typename VectorLoops<T>::Wide* x, const T* y, int64_t n, double* dot, double* squares) {
  Doubles dots[kUnroll] = {};
  Doubles norms[kUnroll] = {};
  int64_t i = by_registers<kDoubles>(n, [&](int64_t at, int u) {
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

template <class T>
void quick(const float* x, const T* y, int64_t n, float* dot, float* squares) {
  Floats dots[kUnroll] = {};
  Floats norms[kUnroll] = {};
  int64_t i = by_registers<kFloats>(n, [&](int64_t at, int u) {
    const Floats b = load_floats(y + at);
    dots[u] += load<Floats>(x + at) * b;
    norms[u] += b * b;
  });
  float xy = sum_partials(dots);
  float yy = sum_partials(norms);
  for (; i < n; ++i) {
    const auto b = static_cast<float>(to_double(y[i]));
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

// int8: sums of integers are the same in any order.

template <>
void widen<int8_t>(const int8_t* x, int64_t n, int16_t* out) {
  std::copy(x, x + n, out);
}

template <>
void scale<int8_t>(const int8_t* x, int64_t n, double factor, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<float>(x[i] * factor);
  }
}

template <>
void dot_and_squares<int8_t>(const int16_t* x, const int8_t* y, int64_t n, double* dot, double* squares) {
  constexpr int64_t kBlock = 1 << 16;  // 2^16 * 128^2 = 2^30
  int64_t xy = 0;
  int64_t yy = 0;
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t end = std::min(n, start + kBlock);
    int64_t i = start;
    int32_t block_xy = 0;
    int32_t block_yy = 0;
#if defined(__AVX2__)
    Ints dots[kUnroll] = {};
    Ints norms[kUnroll] = {};
    i += by_registers<kShorts>(end - start, [&](int64_t at, int u) {
      const Shorts b = load_shorts(y + start + at);
      dots[u] = add_products(dots[u], load<Shorts>(x + start + at), b);
      norms[u] = add_products(norms[u], b, b);
    });
    block_xy = sum_partials(dots);
    block_yy = sum_partials(norms);
#endif
    for (; i < end; ++i) {
      const int16_t value = y[i];
      block_xy += x[i] * value;
      block_yy += value * value;
    }
    xy += block_xy;
    yy += block_yy;
  }
  *dot = static_cast<double>(xy);
  *squares = static_cast<double>(yy);
}

}  // namespace
}  // namespace imgsim::IMGSIM_ISA
