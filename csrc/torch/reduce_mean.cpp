// imgsim::reduce_mean

#include <algorithm>

#include "bridge.h"
#include "kernels/reduce.h"

namespace imgsim::door {
namespace {

Tensor reduce_mean_cpu(const Tensor& self, std::vector<int64_t> dim, bool keepdim) {
  constexpr const char* kOp = "reduce_mean";
  const DType dtype = dtype_of(kOp, self);
  const Shape shape = shape_of(self);
  const auto axes = static_cast<int64_t>(shape.size());
  std::vector<bool> reduced(shape.size(), dim.empty());
  for (const int64_t d : dim) {
    const auto axis = static_cast<size_t>(wrap_dim(kOp, d, std::max<int64_t>(axes, 1)));
    if (axes > 0) {
      check(!reduced[axis], kOp, ": a dim may be named once (got ", dim, ")");
      reduced[axis] = true;
    }
  }
  Shape out_shape;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (!reduced[axis]) {
      out_shape.push_back(shape[axis]);
    } else if (keepdim) {
      out_shape.push_back(1);
    }
  }

  const Tensor in = dense(self);
  Tensor out = make(self, out_shape);
  reduce_mean(dtype, in.const_data_ptr(), out.mutable_data_ptr(), shape, reduced, TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::door

STABLE_TORCH_LIBRARY_IMPL(imgsim, CPU, library) {
  library.impl("reduce_mean", TORCH_BOX(&imgsim::door::reduce_mean_cpu));
}
