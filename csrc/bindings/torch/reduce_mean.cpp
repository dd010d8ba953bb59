// imgsim::reduce_mean

#include "bridge.h"
#include "kernels/reduce.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

Tensor reduce_mean_cpu(const Tensor& self, std::vector<int64_t> dim, bool keepdim) {
  const DType dtype = dtype_of("reduce_mean", self);
  const Shape shape = shape_of(self);
  const ReducePlan plan(shape, dim, keepdim);
  const Tensor in = dense(self);
  Tensor out = make(self, plan.shape);
  reduce_mean(dtype, in.const_data_ptr(), out.mutable_data_ptr(), shape, plan.reduced, TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(CPU, library) { library.impl("reduce_mean", TORCH_BOX(&imgsim::binding::reduce_mean_cpu)); }
