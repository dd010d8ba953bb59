// imgsim::multiscale_pool on CUDA.

#include "cuda_bridge.h"
#include "kernels/cuda/multiscale_pool.h"
#include "views.h"

namespace imgsim::binding {
namespace {

Tensor multiscale_pool_cuda(std::vector<Tensor> features, int64_t width) {
  constexpr const char* kOp = "multiscale_pool";
  check(!features.empty(), kOp, ": there must be at least one feature map (got none)");
  for (size_t i = 1; i < features.size(); ++i) {
    check_one_device(kOp, "feature maps", features[0], features[i]);
  }
  const OnDevice device(features[0]);
  const FeatureMaps in(features, width);
  const int64_t batch = features[0].size(0);
  Tensor out = make(features[0], {batch, width});
  const Tensor scratch = device.scratch(cuda::multiscale_pool_scratch(in.maps, batch, width));
  cuda::multiscale_pool(in.dtype, in.maps, out.mutable_data_ptr(), batch, width, scratch.mutable_data_ptr(),
                        device.stream());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(IMGSIM_CUDA_KEY, library) {
  library.impl("multiscale_pool", TORCH_BOX(&imgsim::binding::multiscale_pool_cuda));
}
