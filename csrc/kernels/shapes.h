// Shape arithmetic that the doors share.
#pragma once

#include <algorithm>

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

/// Strides, in elements, that read an operand along the axes of a broadcast result: 0 where it repeats.
inline Shape broadcast_strides(const Shape& shape, const Shape& strides, size_t axes) {
  Shape out(axes);
  for (size_t i = 0; i < shape.size(); ++i) {
    out[axes - shape.size() + i] = shape[i] == 1 ? 0 : strides[i];
  }
  return out;
}

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
