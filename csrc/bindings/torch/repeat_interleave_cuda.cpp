// imgsim::repeat_interleave on CUDA.

#include "cuda_bridge.h"
#include "kernels/cuda/repeat_interleave.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

Tensor repeat_interleave_cuda(const Tensor& self, int64_t repeats, int64_t dim) {
  const RepeatPlan plan(shape_of(self), static_cast<int64_t>(self.element_size()), repeats, dim);
  const OnDevice device(self);
  const Tensor in = dense(self);
  Tensor out = make(self, plan.shape);
  cuda::repeat_interleave(in.const_data_ptr(), out.mutable_data_ptr(), plan.count, plan.block_bytes, repeats,
                          device.stream());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(IMGSIM_CUDA_KEY, library) {
  library.impl("repeat_interleave", TORCH_BOX(&imgsim::binding::repeat_interleave_cuda));
}
