// imgsim::cosine_topk

#include "bridge.h"
#include "kernels/cosine.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

std::tuple<Tensor, Tensor> cosine_topk_cpu(const Tensor& queries, const Tensor& gallery, int64_t k) {
  constexpr const char* kOp = "cosine_topk";
  const DType dtype = dtype_of(kOp, queries);
  check_same(kOp, queries, gallery);
  check(queries.is_cpu() && gallery.is_cpu(), kOp, ": tensors must be on one device (got cpu and another)");
  check_topk(shape_of(queries), shape_of(gallery), k);
  const Tensor q = dense(queries);
  const Tensor g = dense(gallery);
  Tensor scores = make(queries, {q.size(0), k}, wide_type(dtype));
  Tensor indices = make(queries, {q.size(0), k}, ScalarType::Long);
  cosine_topk({dtype, q.const_data_ptr(), q.size(0), q.size(1)}, {dtype, g.const_data_ptr(), g.size(0), g.size(1)}, k,
              scores.mutable_data_ptr(), static_cast<int64_t*>(indices.mutable_data_ptr()), TorchExecutor());
  return {scores, indices};
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(CPU, library) { library.impl("cosine_topk", TORCH_BOX(&imgsim::binding::cosine_topk_cpu)); }
