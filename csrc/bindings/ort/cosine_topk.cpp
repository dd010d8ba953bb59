// imgsim:CosineTopk(queries: T (Q, D), gallery: T (N, D)) -> scores: float, for double vectors double, indices: int64,
// both (Q, k); k: int

#include "custom_op.h"
#include "kernels/cosine.h"
#include "kernels/shapes.h"

namespace imgsim::ort {
namespace {

class CosineTopk {
 public:
  static constexpr const char* kName = "CosineTopk";
  static constexpr const char* kErrorName = "cosine_topk";
  static constexpr size_t kInputs = 2;
  static constexpr size_t kOutputs = 2;
  static constexpr const auto& kTypes = kFloatingTypes;

  static ElementType output_type(size_t index, ElementType input) { return index == 0 ? wide_type(input) : kInt64; }

  explicit CosineTopk(const Attributes& attributes) : k_(attributes.integer("k")) {}

  void compute(const Context& context) const {
    const TensorView queries = context.input(0);
    const TensorView gallery = context.input(1);
    check_topk(queries.shape, gallery.shape, k_);
    const Shape shape{queries.shape[0], k_};
    cosine_topk({context.dtype(), queries.data, queries.shape[0], queries.shape[1]},
                {context.dtype(), gallery.data, gallery.shape[0], gallery.shape[1]}, k_, context.output(0, shape),
                context.output<int64_t>(1, shape), context.executor());
  }

 private:
  int64_t k_;
};

}  // namespace

void add_cosine_topk(Domain& domain) { domain.add<CosineTopk>(); }

}  // namespace imgsim::ort
