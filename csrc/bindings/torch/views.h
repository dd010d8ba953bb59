// Tensors as the kernels want to see them: without a copy where their layout allows it.
#pragma once

#include <vector>

#include "bridge.h"
#include "kernels/cosine.h"
#include "kernels/layouts.h"

namespace imgsim::binding {

/// One operand of cosine_similarity; holds what the kernel reads.
class Operand {
 public:
  Operand(const Tensor& from, const CosinePlan& plan)
      : layout_(shape_of(from), strides_of(from), plan),
        tensor_(layout_.in_place ? from : copied(from, layout_, plan.length)) {}

  Vectors vectors() const { return {tensor_.const_data_ptr(), layout_.strides.data()}; }

 private:
  /// The vectors' axis last, repeated where it must be, in row-major order.
  static Tensor copied(const Tensor& from, const CosineOperand& layout, int64_t length) {
    const auto ndim = static_cast<int64_t>(from.dim());
    Tensor last = from;
    if (layout.axis < 0) {
      last = torch::stable::unsqueeze(from, ndim);
    } else {
      Shape order;
      for (int64_t i = 0; i < ndim; ++i) {
        if (i != layout.axis) {
          order.push_back(i);
        }
      }
      order.push_back(layout.axis);
      last = permuted(from, order);
    }
    Shape shape = layout.outer;
    shape.push_back(length);
    return dense(last.size(last.dim() - 1) == length ? last : expanded(last, shape));
  }

  CosineOperand layout_;
  Tensor tensor_;
};

inline Images images_of(DType dtype, const Tensor& images) {
  return imgsim::images_of(dtype, images.const_data_ptr(), shape_of(images), strides_of(images));
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
      const bool as_it_lies = one_axis_of_positions(shapes[i], strides_of(features[i]));
      held.push_back(as_it_lies ? features[i] : dense(features[i]));
      maps.push_back(feature_map_of(held[i].const_data_ptr(), shapes[i], strides_of(held[i])));
      if (maps[i].stride_p != 1 && maps[i].stride_c != 1) {
        // Neither layout that the kernel knows: a slice along both.
        held[i] = dense(features[i]);
        maps[i] = feature_map_of(held[i].const_data_ptr(), shapes[i], strides_of(held[i]));
        maps[i].stride_p = 1;  // said, because strides of a map without elements may be any
      }
    }
  }
};

}  // namespace imgsim::binding
