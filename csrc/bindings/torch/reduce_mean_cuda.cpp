// imgsim::reduce_mean on CUDA.

#include "cuda_bridge.h"
#include "kernels/cuda/reduce.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

Tensor reduce_mean_cuda(const Tensor& self, std::vector<int64_t> dim, bool keepdim) {
  const DType dtype = dtype_of("reduce_mean", self);
  const Shape shape = shape_of(self);
  const ReducePlan plan(shape, dim, keepdim);
  const OnDevice device(self);
  const Tensor in = dense(self);
  Tensor out = make(self, plan.shape);
  const Tensor scratch = device.scratch(cuda::reduce_mean_scratch(shape, plan.reduced));
  cuda::reduce_mean(dtype, in.const_data_ptr(), out.mutable_data_ptr(), shape, plan.reduced, scratch.mutable_data_ptr(),
                    device.stream());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(IMGSIM_CUDA_KEY, library) { library.impl("reduce_mean", TORCH_BOX(&imgsim::binding::reduce_mean_cuda)); }
