// Cosine similarity: of matching rows, of the best k, of all pairs.
//
// score(x, y) = x.y / max(|x| |y|, eps), with x.y, |x|^2 and |y|^2 accumulated in double for every floating element
// type and exactly, in integers, for int8; and |x| |y| formed from the two norms, never from the product of the squares
// (which would overflow). The score is then rounded to `double` for float64 input and to `float` for all others. int8
// vectors need no scale, as a cosine does not depend on lengths (quantize.h makes them); -128 is a code like any other.
// All three functions compute it by the same loops, so a pair has one score wherever it is asked for. A zero vector
// scores 0 with everything, with eps 0 too. NaN anywhere in a pair gives NaN; so does an infinity.
#pragma once

#include <type_traits>
#include <vector>

#include "numbers.h"
#include "parallel.h"

namespace imgsim {

constexpr double kCosineEps = 1e-8;

/// What a score of vectors of T is rounded to.
template <class T>
using Score = std::conditional_t<std::is_same_v<T, int8_t>, float, T>;

/// What a score of vectors of T is rounded to where scores are ranked: by top-k and pairs.
template <class T>
using RankedScore = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// dot / max(norm_a norm_b, eps); 0 where that is 0 / 0.
IMGSIM_HOST_DEVICE inline double cosine_of(double dot, double norm_a, double norm_b, double eps) {
  const double norms = norm_a * norm_b;
  // std::max would drop a NaN in one of its places.
  const double divisor = norms < eps ? eps : norms;
  return divisor == 0 ? 0 : dot / divisor;
}

/// A matrix of `rows` vectors of `dim` adjacent elements; row i starts at data + i * dim.
struct Matrix {
  DType dtype;
  const void* data;
  int64_t rows;
  int64_t dim;
};

/// One operand of an elementwise cosine: vectors of adjacent elements, placed by strides (in elements, 0 for a
/// broadcast axis) over the axes of the result.
struct Vectors {
  const void* data;
  const int64_t* strides;
};

/// Writes score(x1[i], x2[i]) for every index i of the result's axes to out, in row-major order.
///
/// sizes: the `axes` sizes of the result; empty axes mean one value, a size of 0 means none.
/// length: elements in a vector; 0 gives 0.
/// out: elements of type `dtype`, float for int8, adjacent; must not overlap the inputs.
/// Cost: one pass over the longer operand; an operand with stride 0 along the last axis has its norm taken once.
void cosine_similarity(DType dtype, const Vectors& x1, const Vectors& x2, void* out, int64_t axes, const int64_t* sizes,
                       int64_t length, double eps, const Executor& executor);

/// For each query the k best rows of the gallery: scores (queries.rows x k, float or double as above) and
/// indices, best first, ties by lower index, NaN last.
///
/// Requires one dtype, one dim and 0 <= k <= gallery.rows.
/// How: up to four queries are scored with every row, which is bound by memory; more are screened (screen.h), in panels
/// of at most 256, and the gallery is read once for each panel.
///
/// Memory beyond the answer: a panel takes queries x dim x 14 bytes (10 for double, 4 for int8), and each thread a copy
/// of its codes, queries x k x 16 bytes for the best so far, and a block of 128 rows x (dim + 16) bytes. Never queries
/// x gallery.
void cosine_topk(const Matrix& queries, const Matrix& gallery, int64_t k, void* scores, int64_t* indices,
                 const Executor& executor);

struct Pairs {
  std::vector<int64_t> rows;
  std::vector<int64_t> cols;
  std::vector<double> scores;  // exactly representable in float unless the input is float64
};

/// All pairs i < j with score >= threshold, ordered by i, then j. A NaN score is in no pair.
///
/// Memory beyond the answer: (dim + 16) bytes for each vector, and while it grows the answer itself once more.
/// `threshold` must not be NaN.
Pairs cosine_pairs(const Matrix& vectors, double threshold, const Executor& executor);

}  // namespace imgsim
