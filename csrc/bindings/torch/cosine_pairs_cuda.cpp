// imgsim::cosine_pairs on CUDA. How many pairs there are is known only on the device: this operator waits for it, once
// for each panel of rows, and so cannot be captured in a CUDA graph.

#include "cuda_bridge.h"
#include "kernels/cuda/cosine.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

Tensor joined(const std::vector<Tensor>& parts) {
  if (parts.size() == 1) {
    return parts[0];
  }
  StableIValue stack[] = {torch::stable::detail::from(parts), torch::stable::detail::from(int64_t{0})};
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::cat", "", stack, TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

std::tuple<Tensor, Tensor, Tensor> cosine_pairs_cuda(const Tensor& vectors, double threshold) {
  const DType dtype = dtype_of("cosine_pairs", vectors);
  check_pairs(shape_of(vectors), threshold);
  const OnDevice device(vectors);
  const Tensor in = dense(vectors);
  const cuda::PairsPlan plan({dtype, in.const_data_ptr(), in.size(0), in.size(1)}, threshold);
  const Tensor scratch = device.scratch(plan.scratch_bytes());
  std::vector<Tensor> rows;
  std::vector<Tensor> columns;
  std::vector<Tensor> scores;
  for (int64_t panel = 0; panel < plan.panels(); ++panel) {
    const int64_t found = plan.find(panel, scratch.mutable_data_ptr(), device.stream());
    if (found > 0 || (panel + 1 == plan.panels() && rows.empty())) {
      rows.push_back(make(vectors, {found}, ScalarType::Long));
      columns.push_back(make(vectors, {found}, ScalarType::Long));
      scores.push_back(make(vectors, {found}, wide_type(dtype)));
      plan.write(panel, found, static_cast<int64_t*>(rows.back().mutable_data_ptr()),
                 static_cast<int64_t*>(columns.back().mutable_data_ptr()), scores.back().mutable_data_ptr(),
                 scratch.mutable_data_ptr(), device.stream());
    }
  }
  if (rows.empty()) {  // no vectors
    return {make(vectors, {0}, ScalarType::Long), make(vectors, {0}, ScalarType::Long),
            make(vectors, {0}, wide_type(dtype))};
  }
  return {joined(rows), joined(columns), joined(scores)};
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(IMGSIM_CUDA_KEY, library) {
  library.impl("cosine_pairs", TORCH_BOX(&imgsim::binding::cosine_pairs_cuda));
}
