#include "screen.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace imgsim {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
const T* row_of(const Matrix& rows, int64_t row) {
  return static_cast<const T*>(rows.data) + row * rows.dim;
}

float squares_of(const std::vector<float>& centre) {
  return static_cast<float>(loops().float32.sum_squares(centre.data(), static_cast<int64_t>(centre.size()), 0.0));
}

// What single-precision arithmetic on unit vectors of this length can add to a bound: a sum of n products errs by less
// than n / (lanes) + lanes roundings; a handful of such sums enters each bound, each at most 4 in size.
float slack(int64_t dim) { return 16.0f * 6e-8f * (static_cast<float>(dim) / 4 + 64); }

}  // namespace

double Scorer::norm(int64_t row) const {
  return visit_floating(rows_.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return std::sqrt(loops().rows<T>().sum_squares(row_of<T>(rows_, row), rows_.dim, 0.0));
  });
}

void Scorer::widen(int64_t row, double* out) const {
  visit_floating(rows_.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    loops().rows<T>().widen(row_of<T>(rows_, row), rows_.dim, out);
  });
}

double Scorer::score(const double* query, double query_norm, int64_t row) const {
  double dot = 0;
  double squares = 0;
  visit_floating(rows_.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    loops().rows<T>().dot_and_squares(query, row_of<T>(rows_, row), rows_.dim, &dot, &squares);
  });
  return round_score(rows_.dtype, cosine_of(dot, query_norm, std::sqrt(squares), eps_));
}

double cosine_of(double dot, double norm_a, double norm_b, double eps) {
  const double norms = norm_a * norm_b;
  // std::max would drop a NaN in one of its places.
  const double divisor = norms < eps ? eps : norms;
  return divisor == 0 ? 0 : dot / divisor;
}

double round_score(DType dtype, double score) {
  return dtype == DType::kFloat64 ? score : static_cast<double>(static_cast<float>(score));
}

std::vector<float> choose_centre(const Matrix& rows) {
  constexpr int64_t kSample = 256;
  std::vector<double> unit(static_cast<size_t>(rows.dim));
  std::vector<double> sum(static_cast<size_t>(rows.dim));
  std::vector<float> centre(static_cast<size_t>(rows.dim));
  const Scorer scorer(rows, kCosineEps);
  const int64_t step = std::max<int64_t>(1, rows.rows / kSample);
  double taken = 0;
  for (int64_t row = 0; row < rows.rows && taken < kSample; row += step) {
    const double norm = scorer.norm(row);
    if (norm > 0 && std::isfinite(norm)) {
      scorer.widen(row, unit.data());
      for (size_t i = 0; i < sum.size(); ++i) {
        sum[i] += unit[i] / norm;
      }
      ++taken;
    }
  }
  loops().float64.scale(sum.data(), rows.dim, taken > 0 ? 1.0 / taken : 0.0, centre.data());
  // What a short centre takes off the residuals is not worth its cost.
  constexpr float kWorthwhile = 0.1f;
  return squares_of(centre) < kWorthwhile ? std::vector<float>() : centre;
}

SketchedRows::SketchedRows(int64_t capacity, int64_t dim)
    : dim_(dim),
      dim4_((dim + 3) / 4 * 4),
      codes_(static_cast<size_t>(capacity * dim4_)),
      sketches_(static_cast<size_t>(capacity)) {}

void SketchedRows::fill(const Matrix& rows, const std::vector<float>& centre, int64_t first, int64_t count,
                        int64_t at) {
  std::vector<float> scratch(static_cast<size_t>(dim_));
  const float centre_squares = squares_of(centre);
  const auto code_zero = static_cast<uint8_t>(loops().screening.levels + 1);
  visit_floating(rows.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const RowLoops<T>& loop = loops().rows<T>();
    for (int64_t i = 0; i < count; ++i) {
      uint8_t* codes = codes_.data() + (at + i) * dim4_;
      Sketch* sketch = &sketches_[static_cast<size_t>(at + i)];
      if (!loop.sketch(row_of<T>(rows, first + i), dim_, centre.empty() ? nullptr : centre.data(), centre_squares,
                       scratch.data(), codes, sketch)) {
        std::fill(codes, codes + dim4_, code_zero);
        *sketch = {0, 0, 0, kInfinity};
      }
    }
  });
}

Panel::Panel(int64_t capacity, int64_t dim4) : dim4_(dim4) {
  const int64_t step = loops().screening.lanes;
  const auto lanes = static_cast<size_t>((capacity + step - 1) / step * step);
  codes_.resize(lanes * static_cast<size_t>(dim4));
  for (auto* values : {&step_, &offset_, &error_, &reach_, &bias_, &threshold_}) {
    values->resize(lanes);
  }
}

void Panel::fill(const SketchedRows& rows, const std::vector<float>& centre, int64_t first, int64_t count,
                 float threshold) {
  const ScreenLoops& loop = loops().screening;
  const int zero = loop.levels + 1;
  const int64_t lanes = (count + loop.lanes - 1) / loop.lanes * loop.lanes;
  const float common = slack(dim4_) - squares_of(centre);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    int8_t* group = codes_.data() + lane / loop.group * loop.group * dim4_;
    int8_t* column = group + lane % loop.group * 4;
    const auto i = static_cast<size_t>(lane);
    if (lane < count) {
      const Sketch& sketch = *rows.sketches(first + lane);
      const uint8_t* codes = rows.codes(first + lane);
      int32_t code_sum = 0;
      for (int64_t k = 0; k < dim4_; k += 4) {
        for (int64_t b = 0; b < 4; ++b) {
          column[k * loop.group + b] = static_cast<int8_t>(codes[k + b] - zero);
          code_sum += codes[k + b] - zero;
        }
      }
      step_[i] = sketch.step;
      offset_[i] = static_cast<float>(zero * code_sum);
      error_[i] = sketch.error;
      reach_[i] = sketch.length + sketch.error;
      bias_[i] = sketch.bias + common;
      threshold_[i] = threshold;
    } else {
      for (int64_t k = 0; k < dim4_; k += 4) {
        std::fill_n(column + k * loop.group, 4, static_cast<int8_t>(0));
      }
      step_[i] = offset_[i] = error_[i] = reach_[i] = bias_[i] = 0;
      threshold_[i] = kInfinity;
    }
  }
  view_ = {codes_.data(), step_.data(),      offset_.data(), error_.data(), reach_.data(),
           bias_.data(),  threshold_.data(), count,          lanes};
}

float float_not_above(double x) {
  const float nearest = static_cast<float>(x);
  return static_cast<double>(nearest) > x ? std::nextafter(nearest, -kInfinity) : nearest;
}

}  // namespace imgsim
