#include "screen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace imgsim {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float squares_of(const std::vector<float>& centre) {
  return static_cast<float>(loops().float32.sum_squares(centre.data(), static_cast<int64_t>(centre.size()), 0.0));
}

// What single-precision arithmetic on unit vectors of this length can add to a bound: a sum of n products errs by less
// than n / (lanes) + lanes roundings; a handful of such sums enters each bound, each at most 4 in size.
float slack(int64_t dim) { return 16.0f * 6e-8f * (static_cast<float>(dim) / 4 + 64); }

// Up to single precision, memory is read faster than it can be summed in double: what single precision rules out is
// not.
template <class T>
constexpr bool has_quick = !std::is_same_v<T, double> && !std::is_same_v<T, int8_t>;

}  // namespace

template <class T>
void Queries<T>::fill(const TypedMatrix<T>& rows, int64_t first, int64_t count) {
  const auto& loop = loops().rows<T>();
  dim_ = rows.dim;
  wide_.resize(static_cast<size_t>(count * dim_));
  quick_.resize(static_cast<size_t>(has_quick<T> ? count * dim_ : 0));
  norms_.resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const T* x = rows.row(first + i);
    norms_[static_cast<size_t>(i)] = widen_with_norm(loop, x, dim_, wide_.data() + i * dim_);
    if (has_quick<T>) {
      loop.scale(x, dim_, 1.0, quick_.data() + i * dim_);
    }
  }
}

template <class T>
double Scorer<T>::score(const Query& query, int64_t row) const {
  double score = 0;
  scores(query, row, 1, -std::numeric_limits<double>::infinity(), &score);
  return score;
}

template <class T>
void Scorer<T>::scores(const Query& query, int64_t first, int64_t count, double floor, double* out) const {
  // dot / (|x| |y|) < floor <=> dot < cut |y|. Where the divisor is eps instead, a positive score is lower still. In
  // one piece, because the sign of dot is anyone's guess, but the whole is nearly always true.
  const double cut = (floor - slack(rows_.dim)) * query.norm;
  const auto below = [&](double dot, double squares) {
    return static_cast<bool>((cut > 0) & ((dot <= 0) | (dot * dot < cut * cut * squares)));
  };
  const bool quick = cut > 0 && query.norm >= kSmallestNorm && query.norm <= kLargestNorm;
  const auto& loop = loops().rows<T>();
  for (int64_t i = 0; i < count; ++i) {
    const T* y = rows_.row(first + i);
    if constexpr (has_quick<T>) {
      if (quick) {
        float dot = 0;
        float squares = 0;
        loop.quick(query.quick, y, rows_.dim, &dot, &squares);
        if (squares >= kSmallestNorm * kSmallestNorm && squares <= kLargestNorm * kLargestNorm && below(dot, squares)) {
          out[i] = -std::numeric_limits<double>::infinity();
          continue;
        }
      }
    }
    double dot = 0;
    double squares = 0;
    loop.dot_and_squares(query.wide, y, rows_.dim, &dot, &squares);
    out[i] = below(dot, squares) ? -std::numeric_limits<double>::infinity()
                                 : static_cast<RankedScore<T>>(cosine_of(dot, query.norm, std::sqrt(squares), eps_));
  }
}

template <class T>
std::vector<float> choose_centre(const TypedMatrix<T>& rows) {
  constexpr int64_t kSample = 256;
  if (std::is_same_v<T, int8_t> && loops().screening.levels == kCodeLevels) {
    return {};
  }
  std::vector<float> unit(static_cast<size_t>(rows.dim));
  std::vector<double> sum(static_cast<size_t>(rows.dim));
  std::vector<float> centre(static_cast<size_t>(rows.dim));
  Queries<T> query;
  const int64_t step = std::max<int64_t>(1, rows.rows / kSample);
  double taken = 0;
  for (int64_t row = 0; row < rows.rows && taken < kSample; row += step) {
    query.fill(rows, row, 1);
    const double norm = query[0].norm;
    if (norm > 0 && std::isfinite(norm)) {
      loops().rows<T>().scale(rows.row(row), rows.dim, 1.0 / norm, unit.data());
      for (size_t i = 0; i < sum.size(); ++i) {
        sum[i] += unit[i];
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

template <class T>
void SketchedRows::fill(const TypedMatrix<T>& rows, const std::vector<float>& centre, int64_t first, int64_t count,
                        int64_t at) {
  std::vector<float> scratch(static_cast<size_t>(dim_));
  const float centre_squares = squares_of(centre);
  const auto code_zero = static_cast<uint8_t>(loops().screening.levels + 1);
  const VectorLoops<T>& loop = loops().rows<T>();
  for (int64_t i = 0; i < count; ++i) {
    uint8_t* codes = codes_.data() + (at + i) * dim4_;
    Sketch* sketch = &sketches_[static_cast<size_t>(at + i)];
    if (!loop.sketch(rows.row(first + i), dim_, centre.empty() ? nullptr : centre.data(), centre_squares,
                     scratch.data(), codes, sketch)) {
      std::fill(codes, codes + dim4_, code_zero);
      *sketch = {0, 0, 0, kInfinity};
    }
  }
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

// For every type that visit_vectors knows.
#define IMGSIM_INSTANTIATE(T)                                       \
  template class Queries<T>;                                        \
  template class Scorer<T>;                                         \
  template std::vector<float> choose_centre(const TypedMatrix<T>&); \
  template void SketchedRows::fill(const TypedMatrix<T>&, const std::vector<float>&, int64_t, int64_t, int64_t);
IMGSIM_INSTANTIATE(float)
IMGSIM_INSTANTIATE(double)
IMGSIM_INSTANTIATE(float16)
IMGSIM_INSTANTIATE(bfloat16)
IMGSIM_INSTANTIATE(int8_t)
#undef IMGSIM_INSTANTIATE

}  // namespace imgsim
