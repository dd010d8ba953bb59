// imgsim::repeat_interleave

#include "kernels/repeat_interleave.h"

#include "bridge.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

Tensor repeat_interleave_cpu(const Tensor& self, int64_t repeats, int64_t dim) {
  const RepeatPlan plan(shape_of(self), static_cast<int64_t>(self.element_size()), repeats, dim);
  const Tensor in = dense(self);
  Tensor out = make(self, plan.shape);
  repeat_interleave(in.const_data_ptr(), out.mutable_data_ptr(), plan.count, plan.block_bytes, repeats,
                    TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(CPU, library) { library.impl("repeat_interleave", TORCH_BOX(&imgsim::binding::repeat_interleave_cpu)); }
