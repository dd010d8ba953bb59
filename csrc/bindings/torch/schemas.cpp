// The schema of every operator. What they mean, and their errors: imgsim_ops/ops.py; edge cases: the kernels' headers.

#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY(imgsim, library) {
  library.def("repeat_interleave(Tensor self, SymInt repeats, int dim=-1) -> Tensor");
  library.def("reduce_mean(Tensor self, int[] dim, bool keepdim=False) -> Tensor");
  library.def("channel_stats(Tensor images, int num_threads=0) -> (Tensor mean, Tensor std)");
  library.def("multiscale_pool(Tensor[] features, SymInt width) -> Tensor");
  library.def("cosine_similarity(Tensor x1, Tensor x2, int dim=-1, float eps=1e-8) -> Tensor");
  library.def("cosine_topk(Tensor queries, Tensor gallery, SymInt k) -> (Tensor scores, Tensor indices)");
  library.def("cosine_pairs(Tensor vectors, float threshold) -> (Tensor rows, Tensor cols, Tensor scores)");
}
