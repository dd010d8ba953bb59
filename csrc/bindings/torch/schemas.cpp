// The schema of every operator. What they mean, and their errors: imgsim_ops/ops.py; edge cases: the kernels' headers.

#include "registration.h"

namespace imgsim::binding {
namespace {

constexpr const char* kSchemas[] = {
    "repeat_interleave(Tensor self, SymInt repeats, int dim=-1) -> Tensor",
    "reduce_mean(Tensor self, int[] dim, bool keepdim=False) -> Tensor",
    "channel_stats(Tensor images, int num_threads=0) -> (Tensor mean, Tensor std)",
    "multiscale_pool(Tensor[] features, SymInt width) -> Tensor",
    "cosine_similarity(Tensor x1, Tensor x2, int dim=-1, float eps=1e-8) -> Tensor",
    "cosine_topk(Tensor queries, Tensor gallery, SymInt k) -> (Tensor scores, Tensor indices)",
    "cosine_pairs(Tensor vectors, float threshold) -> (Tensor rows, Tensor cols, Tensor scores)",
};

struct Schemas {
  Namespace operators{"imgsim"};
  Schemas() {
    for (const char* schema : kSchemas) {
      if (operators.ours()) {
        operators.define(schema);
      }
    }
  }
};

}  // namespace

bool registers() {
  static const Schemas schemas;
  return schemas.operators.ours();
}

}  // namespace imgsim::binding
