// imgsim::cosine_pairs

#include <algorithm>

#include "bridge.h"
#include "kernels/cosine.h"
#include "kernels/shapes.h"

namespace imgsim::binding {
namespace {

std::tuple<Tensor, Tensor, Tensor> cosine_pairs_cpu(const Tensor& vectors, double threshold) {
  const DType dtype = dtype_of("cosine_pairs", vectors);
  check_pairs(shape_of(vectors), threshold);
  const Tensor in = dense(vectors);
  const Pairs pairs = cosine_pairs({dtype, in.const_data_ptr(), in.size(0), in.size(1)}, threshold, TorchExecutor());
  const auto count = static_cast<int64_t>(pairs.rows.size());
  Tensor rows = make(vectors, {count}, ScalarType::Long);
  Tensor cols = make(vectors, {count}, ScalarType::Long);
  std::copy(pairs.rows.begin(), pairs.rows.end(), static_cast<int64_t*>(rows.mutable_data_ptr()));
  std::copy(pairs.cols.begin(), pairs.cols.end(), static_cast<int64_t*>(cols.mutable_data_ptr()));
  Tensor scores = make(vectors, {count}, wide_type(dtype));
  write_values(dtype, pairs.scores, scores.mutable_data_ptr());
  return {rows, cols, scores};
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(CPU, library) { library.impl("cosine_pairs", TORCH_BOX(&imgsim::binding::cosine_pairs_cpu)); }
