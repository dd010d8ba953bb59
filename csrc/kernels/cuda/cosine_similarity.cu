#include <limits>
#include <vector>

#include "cosine.h"
#include "divider.cuh"
#include "scores.cuh"

namespace imgsim::cuda {
namespace {

constexpr const char* kOp = "cosine_similarity";
constexpr int kThreads = 256;

constexpr size_t kMostAxes = 8;  // that a launch takes

struct Axis {
  int64_t size;
  int64_t stride[2];
};

// The axes of a result, neighbours that both operands walk as one made one.
std::vector<Axis> joined(const Vectors& x1, const Vectors& x2, int64_t axes, const int64_t* sizes) {
  std::vector<Axis> joined;
  for (int64_t i = 0; i < axes; ++i) {
    const Axis axis{sizes[i], {x1.strides[i], x2.strides[i]}};
    if (axis.size == 1) {
      continue;
    }
    if (!joined.empty() && joined.back().stride[0] == axis.size * axis.stride[0] &&
        joined.back().stride[1] == axis.size * axis.stride[1]) {
      joined.back() = {joined.back().size * axis.size, {axis.stride[0], axis.stride[1]}};
    } else {
      joined.push_back(axis);
    }
  }
  return joined;
}

// Where the vectors of a result are, by its index along each axis, the last axis first.
template <class Index>
struct Places {
  struct {
    Divider<Index> size{1};
    int64_t stride[2] = {0, 0};
  } axis[kMostAxes];
  int axes = 0;

  explicit Places(const std::vector<Axis>& from) {
    for (size_t i = from.size(); i-- > 0; ++axes) {
      axis[axes].size = Divider<Index>(from[i].size);
      axis[axes].stride[0] = from[i].stride[0];
      axis[axes].stride[1] = from[i].stride[1];
    }
  }
};

// A team for each result. The loop's end is the same for the whole warp, whose lanes add up together.
template <class T, class Index>
__global__ void __launch_bounds__(kThreads)
    score_all(const T* __restrict__ x1, const T* __restrict__ x2, T* __restrict__ out, Places<Index> places,
              int64_t total, int64_t length, double eps) {
  const int lanes = lanes_for(length);
  const int64_t teams = 32 / lanes;
  const int team = static_cast<int>(threadIdx.x) % 32 / lanes;
  for (int64_t first = global_thread() / 32 * teams; first < total; first += global_threads() / 32 * teams) {
    const int64_t which = first + team;
    const bool mine = which < total;
    int64_t offset[2] = {0, 0};
    auto rest = static_cast<Index>(mine ? which : 0);
    for (int a = 0; a < places.axes; ++a) {
      const auto& axis = places.axis[a];
      const Index outer = a + 1 < places.axes ? axis.size.divide(rest) : 0;
      const auto at = static_cast<int64_t>(rest - outer * axis.size.divisor());
      offset[0] += at * axis.stride[0];
      offset[1] += at * axis.stride[1];
      rest = outer;
    }
    const double score = score_of(x1 + offset[0], x2 + offset[1], mine ? length : 0, length, eps);
    if (mine && static_cast<int>(threadIdx.x) % lanes == 0) {
      from_double(score, out + which);
    }
  }
}

template <class T>
void score_axes(const T* x1, const T* x2, T* out, const std::vector<Axis>& axes, int64_t length, double eps,
                CUstream_st* stream) {
  int64_t total = 1;
  for (const Axis& axis : axes) {
    total *= axis.size;
  }
  if (axes.size() > kMostAxes) {
    const std::vector<Axis> inner(axes.begin() + 1, axes.end());
    for (int64_t i = 0; i < axes[0].size; ++i) {
      score_axes(x1 + i * axes[0].stride[0], x2 + i * axes[0].stride[1], out + i * (total / axes[0].size), inner,
                 length, eps, stream);
    }
    return;
  }
  const dim3 blocks = blocks_for(total * lanes_for(length), kThreads);
  if (total < std::numeric_limits<int32_t>::max()) {
    launch(kOp, score_all<T, uint32_t>, blocks, kThreads, 0, stream, x1, x2, out, Places<uint32_t>(axes), total, length,
           eps);
  } else {
    launch(kOp, score_all<T, uint64_t>, blocks, kThreads, 0, stream, x1, x2, out, Places<uint64_t>(axes), total, length,
           eps);
  }
}

}  // namespace

void cosine_similarity(DType dtype, const Vectors& x1, const Vectors& x2, void* out, int64_t axes, const int64_t* sizes,
                       int64_t length, double eps, CUstream_st* stream) {
  for (int64_t i = 0; i < axes; ++i) {
    if (sizes[i] == 0) {
      return;
    }
  }
  visit_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    score_axes(static_cast<const T*>(x1.data), static_cast<const T*>(x2.data), static_cast<T*>(out),
               joined(x1, x2, axes, sizes), length, eps, stream);
  });
}

}  // namespace imgsim::cuda
