// imgsim::multiscale_pool

#include "kernels/multiscale_pool.h"

#include "views.h"

namespace imgsim::binding {
namespace {

Tensor multiscale_pool_cpu(std::vector<Tensor> features, int64_t width) {
  constexpr const char* kOp = "multiscale_pool";
  check(!features.empty(), kOp, ": there must be at least one feature map (got none)");
  for (const Tensor& feature : features) {
    check(feature.is_cpu(), kOp, ": feature maps must be on one device (got cpu and another)");
  }
  const FeatureMaps in(features, width);
  Tensor out = make(features[0], {features[0].size(0), width});
  multiscale_pool(in.dtype, in.maps, out.mutable_data_ptr(), features[0].size(0), width, TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(CPU, library) { library.impl("multiscale_pool", TORCH_BOX(&imgsim::binding::multiscale_pool_cpu)); }
