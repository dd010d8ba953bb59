// The rules on shapes and arguments, and the shapes of results, for every binding. imgsim_ops/torch_ops/shapes.py has
// the rules in the same words, for tensors without memory.
#pragma once

#include <algorithm>
#include <limits>

#include "check.h"

namespace imgsim {

/// The shape two operands broadcast to, by NumPy's and PyTorch's rule.
inline Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {  // from the last axis on
    const int64_t m = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t n = i < b.size() ? b[b.size() - 1 - i] : 1;
    check(m == n || m == 1 || n == 1, op, ": shapes must broadcast (got ", a, " and ", b, ")");
    out[out.size() - 1 - i] = m == 1 ? n : m;
  }
  return out;
}

inline int64_t count_of(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    count *= size;
  }
  return count;
}

/// The copy that repeats a row-major tensor's elements along `dim`: `count` blocks of `block_bytes` adjacent bytes,
/// into a tensor of `shape`.
struct RepeatPlan {
  Shape shape;
  int64_t count = 1;
  int64_t block_bytes;

  RepeatPlan(const Shape& of, int64_t element_bytes, int64_t repeats, int64_t dim)
      : shape(of), block_bytes(element_bytes) {
    constexpr const char* kOp = "repeat_interleave";
    check(repeats >= 0, kOp, ": repeats must not be negative (got ", repeats, ")");
    check(!shape.empty(), kOp, ": the tensor must have at least one dimension (got a scalar)");
    const auto axis = static_cast<size_t>(wrap_dim(kOp, dim, static_cast<int64_t>(shape.size())));
    for (size_t i = 0; i < shape.size(); ++i) {
      (i <= axis ? count : block_bytes) *= shape[i];
    }
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
    check(count == 0 || block_bytes == 0 || repeats <= kMost / count / block_bytes, kOp,
          ": the result must fit the address space (got ", repeats, " repeats)");
    shape[axis] *= repeats;
  }
};

/// Which axes of `of` a mean goes over, for no `dims` all, and the shape that is left.
struct ReducePlan {
  std::vector<bool> reduced;
  Shape shape;

  ReducePlan(const Shape& of, const Shape& dims, bool keepdim) : reduced(of.size(), dims.empty()) {
    constexpr const char* kOp = "reduce_mean";
    for (const int64_t dim : dims) {
      const auto axis = static_cast<size_t>(wrap_dim(kOp, dim, std::max<int64_t>(static_cast<int64_t>(of.size()), 1)));
      if (!of.empty()) {
        check(!reduced[axis], kOp, ": a dim may be named once (got ", dims, ")");
        reduced[axis] = true;
      }
    }
    for (size_t axis = 0; axis < of.size(); ++axis) {
      if (!reduced[axis]) {
        shape.push_back(of[axis]);
      } else if (keepdim) {
        shape.push_back(1);
      }
    }
  }
};

/// Refuses feature maps, of which there is at least one, that multiscale_pool cannot put together.
inline void check_multiscale_pool(const std::vector<Shape>& maps, int64_t width) {
  constexpr const char* kOp = "multiscale_pool";
  check(width >= 1, kOp, ": width must be positive (got ", width, ")");
  for (const Shape& map : maps) {
    check(map.size() == 4, kOp, ": feature maps must have shape (N, C, H, W) (got ", map, ")");
    check(map[0] == maps[0][0], kOp, ": feature maps must have one batch size (got ", maps[0][0], " and ", map[0], ")");
    check(map[1] > 0 && width % map[1] == 0, kOp, ": width must be a multiple of every map's channels (got width ",
          width, ", channels ", map[1], ")");
  }
}

/// The vectors that cosine_similarity compares.
struct CosinePlan {
  Shape shape;     // of the result
  int64_t axis;    // the vectors', counted back from the last axis of the broadcast shape
  int64_t length;  // of a vector, after broadcasting

  CosinePlan(const Shape& x1, const Shape& x2, int64_t dim, double eps) {
    constexpr const char* kOp = "cosine_similarity";
    check(eps >= 0, kOp, ": eps must not be negative (got ", eps, ")");
    shape = broadcast_shapes(kOp, x1, x2);
    check(!shape.empty(), kOp, ": tensors must have at least one dimension (got scalars)");
    const auto axes = static_cast<int64_t>(shape.size());
    const int64_t at = wrap_dim(kOp, dim, axes);
    axis = axes - 1 - at;
    length = shape[static_cast<size_t>(at)];
    shape.erase(shape.begin() + at);
  }
};

/// Refuses matrices that cosine_topk cannot compare.
inline void check_topk(const Shape& queries, const Shape& gallery, int64_t k) {
  check(queries.size() == 2 && gallery.size() == 2, "cosine_topk: queries and gallery must be matrices (got shapes ",
        queries, " and ", gallery, ")");
  check(queries[1] == gallery[1], "cosine_topk: queries and gallery must have equally long rows (got ", queries[1],
        " and ", gallery[1], ")");
  check(k >= 0 && k <= gallery[0], "cosine_topk: k must be between 0 and the gallery's ", gallery[0], " rows (got ", k,
        ")");
}

inline void check_pairs(const Shape& vectors, double threshold) {
  check(vectors.size() == 2, "cosine_pairs: vectors must be a matrix (got shape ", vectors, ")");
  check(threshold == threshold, "cosine_pairs: threshold must be a number (got nan)");
}

/// Refuses images that channel_stats cannot summarise; shape is (batch, channels, height, width).
inline void check_channel_stats(const Shape& images, int64_t num_threads) {
  check(images.size() == 4, "channel_stats: images must have shape (N, C, H, W) (got ", images, ")");
  check(num_threads >= 0, "channel_stats: num_threads must be 0 (all) or more (got ", num_threads, ")");
  check(images[0] * images[2] * images[3] > 0, "channel_stats: images must have pixels (got shape ", images, ")");
}

}  // namespace imgsim
