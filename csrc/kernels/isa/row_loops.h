// Loops over one row of elements of any floating type; contracts in loops.h. Included by loops.cpp only.
#pragma once

#include <algorithm>

#include "sums.h"

namespace imgsim::IMGSIM_ISA {
namespace {

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

}  // namespace
}  // namespace imgsim::IMGSIM_ISA
