// imgsim::multiscale_pool

#include "kernels/multiscale_pool.h"

#include "bridge.h"
#include "kernels/shapes.h"

namespace imgsim::door {
namespace {

Tensor multiscale_pool_cpu(std::vector<Tensor> features, int64_t width) {
  constexpr const char* kOp = "multiscale_pool";
  check(!features.empty(), kOp, ": there must be at least one feature map (got none)");
  const DType dtype = dtype_of(kOp, features[0]);
  std::vector<Shape> shapes;
  for (const Tensor& feature : features) {
    check_same(kOp, features[0], feature);
    check(feature.is_cpu(), kOp, ": feature maps must be on one device (got cpu and another)");
    shapes.push_back(shape_of(feature));
  }
  check_multiscale_pool(shapes, width);
  std::vector<FeatureMap> maps;
  std::vector<Tensor> held;  // copies must outlive the kernel
  for (size_t i = 0; i < features.size(); ++i) {
    const Tensor& feature = features[i];
    const Shape& shape = shapes[i];
    held.push_back(one_axis_of_positions(feature) ? feature : dense(feature));
    const Shape strides = strides_of(held.back());
    maps.push_back({held.back().const_data_ptr(), shape[1], shape[2] * shape[3], strides[0], strides[1],
                    position_stride(held.back())});
    if (maps.back().stride_p != 1 && maps.back().stride_c != 1) {
      // Neither layout that the kernel knows: a slice along both.
      held.back() = dense(torch::stable::flatten(feature, 2, 3));
      maps.back() = {held.back().const_data_ptr(), shape[1], shape[2] * shape[3], held.back().stride(0),
                     held.back().stride(1),        1};
    }
  }
  Tensor out = make(features[0], {features[0].size(0), width});
  multiscale_pool(dtype, maps, out.mutable_data_ptr(), features[0].size(0), width, TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::door

STABLE_TORCH_LIBRARY_IMPL(imgsim, CPU, library) {
  library.impl("multiscale_pool", TORCH_BOX(&imgsim::door::multiscale_pool_cpu));
}
