// imgsim::repeat_interleave, and the declaration of every operator's schema.

#include "kernels/repeat_interleave.h"

#include "bridge.h"
#include "repeat_interleave.h"

namespace imgsim::door {
namespace {

Tensor repeat_interleave_cpu(const Tensor& self, int64_t repeats, int64_t dim) {
  const RepeatPlan plan(self, repeats, dim);
  const Tensor in = dense(self);
  Tensor out = make(self, plan.shape);
  repeat_interleave(in.const_data_ptr(), out.mutable_data_ptr(), plan.count, plan.block_bytes, repeats,
                    TorchExecutor());
  return out;
}

}  // namespace
}  // namespace imgsim::door

STABLE_TORCH_LIBRARY(imgsim, library) {
  library.def("repeat_interleave(Tensor self, SymInt repeats, int dim=-1) -> Tensor");
  library.def("reduce_mean(Tensor self, int[] dim, bool keepdim=False) -> Tensor");
  library.def("channel_stats(Tensor images, int num_threads=0) -> (Tensor mean, Tensor std)");
  library.def("multiscale_pool(Tensor[] features, SymInt width) -> Tensor");
  library.def("cosine_similarity(Tensor x1, Tensor x2, int dim=-1, float eps=1e-8) -> Tensor");
  library.def("cosine_topk(Tensor queries, Tensor gallery, SymInt k) -> (Tensor scores, Tensor indices)");
  library.def("cosine_pairs(Tensor vectors, float threshold) -> (Tensor rows, Tensor cols, Tensor scores)");
}

STABLE_TORCH_LIBRARY_IMPL(imgsim, CPU, library) {
  library.impl("repeat_interleave", TORCH_BOX(&imgsim::door::repeat_interleave_cpu));
}
