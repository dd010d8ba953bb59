// Which pairs of vectors could score above a threshold, found in small integers.
//
// A unit vector u is kept as a centre c plus a residual, and the residual as 7- or 8-bit codes times a step. The inner
// product of two such vectors is a product of small integers, several times cheaper than one of floats, and it errs by
// no more than |x - x'| |y| + |x'| |y - y'| (x, y residuals, x', y' what their codes stand for), which is known exactly
// for each vector. A pair whose upper bound stays below the threshold is left out for good; every other pair is scored
// exactly. So the answer is exact, for any input; only the time depends on how many pairs come close. The centre (the
// mean of a few rows) makes residuals small for real embeddings, which all point roughly the same way.
#pragma once

#include <cmath>
#include <vector>

#include "cosine.h"
#include "isa/loops.h"

namespace imgsim {

/// Whether screening works for vectors of this many elements: long enough to pay, short enough for 32-bit sums.
constexpr bool can_screen(int64_t dim) { return dim >= 32 && dim <= 32768; }

/// A matrix whose element type has been found out, once, outside of every loop over it.
template <class T>
struct TypedMatrix {
  const T* data;
  int64_t rows;
  int64_t dim;

  explicit TypedMatrix(const Matrix& matrix)
      : data(static_cast<const T*>(matrix.data)), rows(matrix.rows), dim(matrix.dim) {}
  const T* row(int64_t i) const { return data + i * dim; }
};

/// Vectors ready to be scored with many others: widened, their norms taken.
template <class T>
class Queries {
 public:
  using Wide = typename VectorLoops<T>::Wide;
  struct Query {
    const Wide* wide;
    const float* quick;
    double norm;
  };

  /// Takes rows [first, first + count) of the matrix.
  void fill(const TypedMatrix<T>& rows, int64_t first, int64_t count);
  Query operator[](int64_t i) const {
    return {wide_.data() + i * dim_, quick_.data() + i * dim_, norms_[static_cast<size_t>(i)]};
  }

 private:
  int64_t dim_ = 0;
  std::vector<Wide> wide_;
  std::vector<float> quick_;  // in single precision; not for double and int8
  std::vector<double> norms_;
};

/// Exact scores of queries with the rows of a matrix as they are.
template <class T>
class Scorer {
 public:
  using Query = typename Queries<T>::Query;
  Scorer(const TypedMatrix<T>& rows, double eps) : rows_(rows), eps_(eps) {}
  /// The score with a row, whose norm is taken in the same pass.
  double score(const Query& query, int64_t row) const;
  /// The scores with rows [first, first + count); -infinity in place of one that is certainly below `floor`.
  void scores(const Query& query, int64_t first, int64_t count, double floor, double* out) const;

 private:
  TypedMatrix<T> rows_;
  double eps_;
};

/// Widens a vector and returns its norm.
template <class T>
double widen_with_norm(const VectorLoops<T>& loop, const T* x, int64_t n, typename VectorLoops<T>::Wide* wide) {
  double dot = 0;
  double squares = 0;
  loop.widen(x, n, wide);
  loop.dot_and_squares(wide, x, n, &dot, &squares);
  return std::sqrt(squares);
}

/// A centre for the rows of a matrix: the mean of up to 256 of them, as unit vectors, evenly spread. Any centre is
/// right; none (empty) stands for zero.
template <class T>
std::vector<float> choose_centre(const TypedMatrix<T>& rows);

/// Codes of some rows: the left side of screening.
class SketchedRows {
 public:
  SketchedRows(int64_t capacity, int64_t dim);
  /// Sketches rows [first, first + count) of the matrix into places [at, at + count).
  template <class T>
  void fill(const TypedMatrix<T>& rows, const std::vector<float>& centre, int64_t first, int64_t count, int64_t at = 0);

  const uint8_t* codes(int64_t place) const { return codes_.data() + place * dim4_; }
  const Sketch* sketches(int64_t place) const { return sketches_.data() + place; }
  int64_t dim4() const { return dim4_; }

 private:
  int64_t dim_;
  int64_t dim4_;
  std::vector<uint8_t> codes_;
  std::vector<Sketch> sketches_;
};

/// The right side of screening, made from sketched rows; owns what a ScreenPanel points to.
class Panel {
 public:
  Panel(int64_t capacity, int64_t dim4);
  /// Takes places [first, first + count) of `rows`, all with the same threshold.
  void fill(const SketchedRows& rows, const std::vector<float>& centre, int64_t first, int64_t count, float threshold);
  const ScreenPanel& view() const { return view_; }
  /// The smallest thresholds are for the caller to raise as it learns more.
  std::vector<float>& thresholds() { return threshold_; }

 private:
  int64_t dim4_;
  std::vector<int8_t> codes_;
  std::vector<float> step_, offset_, error_, reach_, bias_, threshold_;
  ScreenPanel view_{};
};

/// The largest float not above x: as a threshold it keeps all that x keeps.
float float_not_above(double x);

}  // namespace imgsim
