// imgsim:ReduceMean(X: T) -> Y: T; axes: ints (none: all), keepdims: int = 0

#include "custom_op.h"
#include "kernels/reduce.h"
#include "kernels/shapes.h"

namespace imgsim::ort {
namespace {

class ReduceMean {
 public:
  static constexpr const char* kName = "ReduceMean";
  static constexpr const char* kErrorName = "reduce_mean";
  static constexpr size_t kInputs = 1;
  static constexpr size_t kOutputs = 1;
  static constexpr const auto& kTypes = kFloatingTypes;

  static ElementType output_type(size_t, ElementType input) { return input; }

  static void infer_shapes(const ShapeInference& inference) {
    const auto dims = inference.input(0);
    const auto axes = inference.integers("axes");
    const auto keepdims = inference.integer("keepdims", 0);
    if (!dims || !axes || !keepdims) {
      return;
    }
    std::vector<Dim> left;
    const ReducePlan plan(Shape(dims->size()), *axes, false);
    for (size_t axis = 0; axis < dims->size(); ++axis) {
      if (!plan.reduced[axis]) {
        left.push_back((*dims)[axis]);
      } else if (*keepdims != 0) {
        left.push_back({1, ""});
      }
    }
    inference.set_output(left);
  }

  explicit ReduceMean(const Attributes& attributes)
      : axes_(attributes.integers("axes")), keepdims_(attributes.integer("keepdims", 0) != 0) {}

  void compute(const Context& context) const {
    const TensorView in = context.input(0);
    const ReducePlan plan(in.shape, axes_, keepdims_);
    reduce_mean(context.dtype(), in.data, context.output(0, plan.shape), in.shape, plan.reduced, context.executor());
  }

 private:
  Shape axes_;
  bool keepdims_;
};

}  // namespace

void add_reduce_mean(Domain& domain) { domain.add<ReduceMean>(); }

}  // namespace imgsim::ort
