// imgsim::cosine_similarity

#include "bridge.h"
#include "kernels/cosine.h"
#include "kernels/shapes.h"

namespace imgsim::door {
namespace {

constexpr const char* kOp = "cosine_similarity";

/// An operand whose vectors are adjacent in memory, and its strides along the result's axes.
struct Operand {
  Tensor tensor;
  Shape strides;

  /// axis: the vectors' axis, counted from the last one; length: of a vector after broadcasting; axes: of the result.
  Operand(const Tensor& from, int64_t axis, int64_t length, size_t axes) : tensor(from) {
    const auto ndim = static_cast<int64_t>(from.dim());
    const int64_t at = ndim - 1 - axis;  // negative: the operand has no such axis, every element is a vector of one
    const bool repeats = at < 0 || (tensor.size(at) == 1 && length != 1);
    Shape order;
    for (int64_t i = 0; i < ndim; ++i) {
      if (i != at) {
        order.push_back(i);
      }
    }
    if (at >= 0) {
      order.push_back(at);
      tensor = permuted(tensor, order);
    } else {
      tensor = torch::stable::unsqueeze(tensor, ndim);
    }
    Shape shape = shape_of(tensor);
    if (repeats && length != 1) {
      shape.back() = length;
      const torch::headeronly::IntHeaderOnlyArrayRef size(shape.data(), shape.size());
      StableIValue stack[] = {torch::stable::detail::from(tensor), torch::stable::detail::from(size),
                              torch::stable::detail::from(false)};
      STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::expand", "", stack, TORCH_ABI_VERSION));
      tensor = torch::stable::detail::to<Tensor>(stack[0]);
    }
    if (length > 1 && tensor.stride(tensor.dim() - 1) != 1) {
      tensor = dense(tensor);
    }
    shape.pop_back();
    Shape own = strides_of(tensor);
    own.pop_back();
    strides = broadcast_strides(shape, own, axes);
  }
};

Tensor cosine_similarity_cpu(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  const DType dtype = dtype_of(kOp, x1);
  check_same(kOp, x1, x2);
  check(x1.is_cpu() && x2.is_cpu(), kOp, ": tensors must be on one device (got cpu and another)");
  const CosinePlan plan(shape_of(x1), shape_of(x2), dim, eps);
  const Operand a(x1, plan.axis, plan.length, plan.shape.size());
  const Operand b(x2, plan.axis, plan.length, plan.shape.size());
  Tensor out = make(x1, plan.shape);
  cosine_similarity(dtype, {a.tensor.const_data_ptr(), a.strides.data()}, {b.tensor.const_data_ptr(), b.strides.data()},
                    out.mutable_data_ptr(), static_cast<int64_t>(plan.shape.size()), plan.shape.data(), plan.length,
                    eps, TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::door

STABLE_TORCH_LIBRARY_IMPL(imgsim, CPU, library) {
  library.impl("cosine_similarity", TORCH_BOX(&imgsim::door::cosine_similarity_cpu));
}
