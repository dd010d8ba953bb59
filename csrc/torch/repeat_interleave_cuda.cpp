// imgsim::repeat_interleave on CUDA. A library of its own: it needs torch's CUDA libraries, the rest does not.

#include <torch/csrc/stable/accelerator.h>

#include "bridge.h"
#include "kernels/cuda/repeat_interleave.h"
#include "kernels/shapes.h"

namespace imgsim::door {
namespace {

Tensor repeat_interleave_cuda(const Tensor& self, int64_t repeats, int64_t dim) {
  const RepeatPlan plan(shape_of(self), static_cast<int64_t>(self.element_size()), repeats, dim);
  const torch::stable::accelerator::DeviceGuard guard(self.get_device_index());
  const Tensor in = dense(self);
  Tensor out = make(self, plan.shape);
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(self.get_device_index(), &stream));
  cuda::repeat_interleave(in.const_data_ptr(), out.mutable_data_ptr(), plan.count, plan.block_bytes, repeats,
                          static_cast<CUstream_st*>(stream));
  return out;
}

}  // namespace
}  // namespace imgsim::door

STABLE_TORCH_LIBRARY_IMPL(imgsim, CUDA, library) {
  library.impl("repeat_interleave", TORCH_BOX(&imgsim::door::repeat_interleave_cuda));
}
