// imgsim::cosine_similarity on CUDA.

#include "cuda_bridge.h"
#include "kernels/cuda/cosine.h"
#include "views.h"

namespace imgsim::binding {
namespace {

Tensor cosine_similarity_cuda(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  constexpr const char* kOp = "cosine_similarity";
  const DType dtype = dtype_of(kOp, x1);
  check_same(kOp, x1, x2);
  check_one_device(kOp, "tensors", x1, x2);
  const CosinePlan plan(shape_of(x1), shape_of(x2), dim, eps);
  const OnDevice device(x1);
  const Operand a(x1, plan);
  const Operand b(x2, plan);
  Tensor out = make(x1, plan.shape);
  cuda::cosine_similarity(dtype, a.vectors(), b.vectors(), out.mutable_data_ptr(),
                          static_cast<int64_t>(plan.shape.size()), plan.shape.data(), plan.length, eps,
                          device.stream());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(IMGSIM_CUDA_KEY, library) {
  library.impl("cosine_similarity", TORCH_BOX(&imgsim::binding::cosine_similarity_cuda));
}
