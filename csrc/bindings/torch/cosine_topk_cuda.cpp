// imgsim::cosine_topk on CUDA.

#include "cuda_bridge.h"
#include "kernels/cuda/cosine.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

std::tuple<Tensor, Tensor> cosine_topk_cuda(const Tensor& queries, const Tensor& gallery, int64_t k) {
  constexpr const char* kOp = "cosine_topk";
  const DType dtype = dtype_of(kOp, queries);
  check_same(kOp, queries, gallery);
  check_one_device(kOp, "tensors", queries, gallery);
  check_topk(shape_of(queries), shape_of(gallery), k);
  const OnDevice device(queries);
  const Tensor q = dense(queries);
  const Tensor g = dense(gallery);
  Tensor scores = make(queries, {q.size(0), k}, wide_type(dtype));
  Tensor indices = make(queries, {q.size(0), k}, ScalarType::Long);
  const cuda::TopkPlan plan({dtype, q.const_data_ptr(), q.size(0), q.size(1)},
                            {dtype, g.const_data_ptr(), g.size(0), g.size(1)}, k);
  const Tensor scratch = device.scratch(plan.scratch_bytes());
  plan.run(scores.mutable_data_ptr(), static_cast<int64_t*>(indices.mutable_data_ptr()), scratch.mutable_data_ptr(),
           device.stream());
  return {scores, indices};
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(IMGSIM_CUDA_KEY, library) { library.impl("cosine_topk", TORCH_BOX(&imgsim::binding::cosine_topk_cuda)); }
