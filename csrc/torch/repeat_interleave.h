// What the CPU and the CUDA registration of repeat_interleave share.
#pragma once

#include <limits>

#include "bridge.h"

namespace imgsim::door {

/// The copy that repeats `self` along `dim`: `count` blocks of `block_bytes` adjacent bytes, into a tensor of `shape`.
struct RepeatPlan {
  Shape shape;
  int64_t count = 1;
  int64_t block_bytes;

  RepeatPlan(const Tensor& self, int64_t repeats, int64_t dim)
      : shape(shape_of(self)), block_bytes(static_cast<int64_t>(self.element_size())) {
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

}  // namespace imgsim::door
