// Tensors as the kernels want to see them: without a copy where their layout allows it.
#pragma once

#include <vector>

#include "bridge.h"
#include "kernels/channel_stats.h"
#include "kernels/multiscale_pool.h"
#include "kernels/shapes.h"

namespace imgsim::door {

/// One operand of an elementwise cosine: a tensor whose vectors are adjacent in memory, and its strides along the
/// result's axes.
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

/// Whether height and width of an (N, C, H, W) tensor are one axis in memory, as in both usual layouts.
inline bool one_axis_of_positions(const Tensor& images) {
  return images.size(2) == 1 || images.size(3) == 1 || images.stride(2) == images.size(3) * images.stride(3);
}

/// The step along that axis. Where width is 1 it is the step from row to row.
inline int64_t position_stride(const Tensor& images) {
  return images.size(3) == 1 ? (images.size(2) == 1 ? 1 : images.stride(2)) : images.stride(3);
}

/// (N, C, H, W) images whose height and width are one axis in memory.
inline Images images_of(DType dtype, const Tensor& images) {
  return {dtype,
          images.const_data_ptr(),
          images.size(0),
          images.size(1),
          images.size(2) * images.size(3),
          images.stride(0),
          images.stride(1),
          position_stride(images)};
}

/// Feature maps in one of the two layouts that multiscale_pool knows, after all of its checks but that of the devices.
struct FeatureMaps {
  std::vector<FeatureMap> maps;
  std::vector<Tensor> held;  // copies must outlive the kernel
  DType dtype;

  FeatureMaps(const std::vector<Tensor>& features, int64_t width) {
    constexpr const char* kOp = "multiscale_pool";
    dtype = dtype_of(kOp, features[0]);
    std::vector<Shape> shapes;
    for (const Tensor& feature : features) {
      check_same(kOp, features[0], feature);
      shapes.push_back(shape_of(feature));
    }
    check_multiscale_pool(shapes, width);
    for (size_t i = 0; i < features.size(); ++i) {
      const Tensor& feature = features[i];
      const Shape& shape = shapes[i];
      held.push_back(one_axis_of_positions(feature) ? feature : dense(feature));
      maps.push_back({held.back().const_data_ptr(), shape[1], shape[2] * shape[3], held.back().stride(0),
                      held.back().stride(1), position_stride(held.back())});
      if (maps.back().stride_p != 1 && maps.back().stride_c != 1) {
        // Neither layout that the kernel knows: a slice along both.
        held.back() = dense(torch::stable::flatten(feature, 2, 3));
        maps.back() = {held.back().const_data_ptr(), shape[1], shape[2] * shape[3], held.back().stride(0),
                       held.back().stride(1),        1};
      }
    }
  }
};

}  // namespace imgsim::door
