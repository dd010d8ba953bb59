// What every registration needs to get from PyTorch's stable tensors to the kernels and back.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <tuple>
#include <vector>

#include "kernels/check.h"
#include "kernels/layouts.h"
#include "kernels/parallel.h"
#include "kernels/types.h"
#include "registration.h"

namespace imgsim::binding {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

/// The threads of PyTorch: as many as torch.get_num_threads() says.
class TorchExecutor final : public Executor {
 public:
  int threads() const override { return static_cast<int>(torch::stable::get_num_threads()); }
  void parallel_for(int64_t n, int64_t grain, RangeBody body) const override {
    if (n <= grain) {  // small work: not even the way into PyTorch's pool
      if (n > 0) {
        body(0, n);
      }
      return;
    }
    torch::stable::parallel_for(0, n, grain, body);
  }
};

inline Shape shape_of(const Tensor& tensor) { return Shape(tensor.sizes().begin(), tensor.sizes().end()); }
inline Shape strides_of(const Tensor& tensor) { return Shape(tensor.strides().begin(), tensor.strides().end()); }

/// The kernels' name of a dtype; refuses what is not floating, but for uint8 where `bytes` allows it.
inline DType dtype_of(const char* op, const Tensor& tensor, bool bytes = false) {
  switch (tensor.scalar_type()) {
    case ScalarType::Float:
      return DType::kFloat32;
    case ScalarType::Double:
      return DType::kFloat64;
    case ScalarType::Half:
      return DType::kFloat16;
    case ScalarType::BFloat16:
      return DType::kBFloat16;
    case ScalarType::Byte:
      if (bytes) {
        return DType::kUInt8;
      }
      break;
    default:
      break;
  }
  check(false, op, ": dtype must be ", bytes ? "uint8, " : "", "float32, float64, float16 or bfloat16 (got ",
        torch::headeronly::toString(tensor.scalar_type()), ")");
  return DType::kFloat32;
}

/// The dtype of scores and statistics over elements of this one.
inline ScalarType wide_type(DType dtype) { return dtype == DType::kFloat64 ? ScalarType::Double : ScalarType::Float; }

inline void check_same(const char* op, const Tensor& a, const Tensor& b) {
  check(a.scalar_type() == b.scalar_type(), op, ": tensors must have one dtype (got ",
        torch::headeronly::toString(a.scalar_type()), " and ", torch::headeronly::toString(b.scalar_type()), ")");
}

/// An empty contiguous tensor on the device of `like`. (By the C interface: torch::stable::new_empty looks its operator
/// up by name at each call, which costs as much as a small kernel.)
inline Tensor make(const Tensor& like, const Shape& shape, ScalarType dtype) {
  const Shape strides = row_major_strides(shape);
  int32_t device_type = 0;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(like.get(), &device_type));
  AtenTensorHandle out = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(
      aoti_torch_empty_strided(static_cast<int64_t>(shape.size()), shape.data(), strides.data(),
                               torch::stable::detail::to<int32_t>(torch::stable::detail::from(dtype)), device_type,
                               like.get_device_index(), &out));
  return Tensor(out);
}

inline Tensor make(const Tensor& like, const Shape& shape) { return make(like, shape, like.scalar_type()); }

/// The tensor itself where its elements are adjacent in row-major order, else a copy that is so.
inline Tensor dense(const Tensor& tensor) {
  return tensor.is_contiguous() ? tensor : torch::stable::contiguous(tensor);
}

/// The tensor with its axes in this order, as a view. (torch::stable::permute is younger than the oldest torch we build
/// with.)
inline Tensor permuted(const Tensor& tensor, const Shape& order) {
  const torch::headeronly::IntHeaderOnlyArrayRef dims(order.data(), order.size());
  StableIValue stack[] = {torch::stable::detail::from(tensor), torch::stable::detail::from(dims)};
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::permute", "", stack, TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

/// The tensor with axes of one element repeated up to these sizes, as a view.
inline Tensor expanded(const Tensor& tensor, const Shape& shape) {
  const torch::headeronly::IntHeaderOnlyArrayRef size(shape.data(), shape.size());
  StableIValue stack[] = {torch::stable::detail::from(tensor), torch::stable::detail::from(size),
                          torch::stable::detail::from(false)};
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::expand", "", stack, TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

}  // namespace imgsim::binding
