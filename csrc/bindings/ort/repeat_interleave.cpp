// imgsim:RepeatInterleave(X: T) -> Y: T; repeats: int, axis: int = -1

#include "kernels/repeat_interleave.h"

#include "custom_op.h"
#include "kernels/shapes.h"

namespace imgsim::ort {
namespace {

constexpr int64_t bytes_of(ElementType type) {
  switch (type) {
    case kInt8:
    case kBool:
      return 1;
    case kInt32:
      return 4;
    case kInt64:
      return 8;
    default:
      return static_cast<int64_t>(size_of(dtype_of(type)));
  }
}

class RepeatInterleave {
 public:
  static constexpr const char* kName = "RepeatInterleave";
  static constexpr const char* kErrorName = "repeat_interleave";
  static constexpr size_t kInputs = 1;
  static constexpr size_t kOutputs = 1;
  static constexpr ElementType kTypes[] = {kFloat, kDouble, kFloat16, kBFloat16, kInt64, kInt32, kInt8, kUInt8, kBool};

  static ElementType output_type(size_t, ElementType input) { return input; }

  static void infer_shapes(const ShapeInference& inference) {
    auto dims = inference.input(0);
    const auto repeats = inference.integer("repeats");
    const auto axis = inference.integer("axis", kAxis);
    if (!dims || !repeats || !axis) {
      return;
    }
    Dim& dim = (*dims)[static_cast<size_t>(wrap_dim(kErrorName, *axis, static_cast<int64_t>(dims->size())))];
    if (dim.size >= 0 && *repeats >= 0 && !__builtin_mul_overflow(dim.size, *repeats, &dim.size)) {
      inference.set_output(*dims);
    }
  }

  explicit RepeatInterleave(const Attributes& attributes)
      : repeats_(attributes.integer("repeats")), axis_(attributes.integer("axis", kAxis)) {}

  void compute(const Context& context) const {
    const TensorView in = context.input(0);
    const RepeatPlan plan(in.shape, bytes_of(context.type()), repeats_, axis_);
    repeat_interleave(in.data, context.output(0, plan.shape), plan.count, plan.block_bytes, repeats_,
                      context.executor());
  }

 private:
  static constexpr int64_t kAxis = -1;
  int64_t repeats_;
  int64_t axis_;
};

}  // namespace

void add_repeat_interleave(Domain& domain) { domain.add<RepeatInterleave>(); }

}  // namespace imgsim::ort
