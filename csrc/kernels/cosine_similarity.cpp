#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "cosine.h"
#include "screen.h"

namespace imgsim {
namespace {

constexpr int64_t kRangeBytes = 1 << 16;  // what one range of a parallel loop reads at least

// Walks row-major over the axes of a result, keeping both operands' offsets.
class Walk {
 public:
  Walk(int64_t axes, const int64_t* sizes, const int64_t* strides1, const int64_t* strides2, int64_t start)
      : axes_(axes), sizes_(sizes), strides_{strides1, strides2}, index_(static_cast<size_t>(axes)) {
    for (int64_t axis = axes - 1; axis >= 0; --axis) {
      index_[static_cast<size_t>(axis)] = start % sizes[axis];
      start /= sizes[axis];
      offset[0] += index_[static_cast<size_t>(axis)] * strides1[axis];
      offset[1] += index_[static_cast<size_t>(axis)] * strides2[axis];
    }
  }

  void next() {
    for (int64_t axis = axes_ - 1; axis >= 0; --axis) {
      int64_t& i = index_[static_cast<size_t>(axis)];
      const int64_t step = ++i < sizes_[axis] ? 1 : 1 - sizes_[axis];
      offset[0] += step * strides_[0][axis];
      offset[1] += step * strides_[1][axis];
      if (step == 1) {
        return;
      }
      i = 0;
    }
  }

  int64_t offset[2] = {0, 0};

 private:
  int64_t axes_;
  const int64_t* sizes_;
  const int64_t* strides_[2];
  std::vector<int64_t> index_;
};

template <class T>
void cosine_range(const Vectors& x1, const Vectors& x2, Score<T>* out, int64_t axes, const int64_t* sizes,
                  int64_t length, double eps, int64_t begin, int64_t end) {
  const VectorLoops<T>& loop = loops().rows<T>();
  const T* data[2] = {static_cast<const T*>(x1.data), static_cast<const T*>(x2.data)};
  // The operand that stands still along the last axis is widened, and its norm taken, only when it changes.
  const int held = axes > 0 && x2.strides[axes - 1] == 0 ? 1 : 0;
  Walk walk(axes, sizes, x1.strides, x2.strides, begin);
  std::vector<typename VectorLoops<T>::Wide> wide(static_cast<size_t>(length));
  const T* current = nullptr;
  double norm = 0;
  for (int64_t i = begin; i < end; ++i, walk.next()) {
    const T* a = data[held] + walk.offset[held];
    if (a != current || length == 0) {
      norm = widen_with_norm(loop, a, length, wide.data());
      current = a;
    }
    double dot = 0;
    double squares = 0;
    loop.dot_and_squares(wide.data(), data[1 - held] + walk.offset[1 - held], length, &dot, &squares);
    const double score = cosine_of(dot, norm, std::sqrt(squares), eps);
    loops().rows<Score<T>>().narrow(&score, 1, out + i);
  }
}

}  // namespace

void cosine_similarity(DType dtype, const Vectors& x1, const Vectors& x2, void* out, int64_t axes, const int64_t* sizes,
                       int64_t length, double eps, const Executor& executor) {
  const int64_t total = std::accumulate(sizes, sizes + axes, int64_t{1}, std::multiplies<>());
  const int64_t vector_bytes = std::max<int64_t>(1, length * static_cast<int64_t>(size_of(dtype)));
  visit_vectors(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    executor.parallel_for(total, 1 + kRangeBytes / vector_bytes, [&](int64_t begin, int64_t end) {
      cosine_range<T>(x1, x2, static_cast<Score<T>*>(out), axes, sizes, length, eps, begin, end);
    });
  });
}

}  // namespace imgsim
