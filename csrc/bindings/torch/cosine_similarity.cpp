// imgsim::cosine_similarity

#include "kernels/cosine.h"
#include "views.h"

namespace imgsim::binding {
namespace {

constexpr const char* kOp = "cosine_similarity";

Tensor cosine_similarity_cpu(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  const DType dtype = dtype_of(kOp, x1);
  check_same(kOp, x1, x2);
  check(x1.is_cpu() && x2.is_cpu(), kOp, ": tensors must be on one device (got cpu and another)");
  const CosinePlan plan(shape_of(x1), shape_of(x2), dim, eps);
  const Operand a(x1, plan);
  const Operand b(x2, plan);
  Tensor out = make(x1, plan.shape);
  cosine_similarity(dtype, a.vectors(), b.vectors(), out.mutable_data_ptr(), static_cast<int64_t>(plan.shape.size()),
                    plan.shape.data(), plan.length, eps, TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(CPU, library) { library.impl("cosine_similarity", TORCH_BOX(&imgsim::binding::cosine_similarity_cpu)); }
