// imgsim:CosineSimilarity(X1, X2: T) -> Y: T; axis: int = -1, eps: float = 1e-8

#include <cstring>

#include "custom_op.h"
#include "kernels/cosine.h"
#include "kernels/layouts.h"

namespace imgsim::ort {
namespace {

/// One operand, and the copy that the kernel reads where the vectors are not adjacent.
class Operand {
 public:
  Operand(const TensorView& from, size_t element_bytes, const CosinePlan& plan)
      : layout_(from.shape, row_major_strides(from.shape), plan), data_(from.data) {
    if (!layout_.in_place) {
      copy(from.shape, plan.length, element_bytes);
    }
  }

  Vectors vectors() const { return {data_, layout_.strides.data()}; }

 private:
  /// Lays an (outer, own, inner) tensor out as (outer, inner, length); a vector of one element is repeated.
  void copy(const Shape& shape, int64_t length, size_t bytes) {
    const auto axis = shape.begin() + std::max<int64_t>(0, layout_.axis);
    const int64_t outer = count_of({shape.begin(), axis});
    const int64_t own = layout_.axis < 0 ? 1 : *axis;
    const int64_t inner = count_of({layout_.axis < 0 ? axis : axis + 1, shape.end()});
    copied_.resize(static_cast<size_t>(outer * inner * length) * bytes);
    const char* from = static_cast<const char*>(data_);
    char* to = copied_.data();
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t i = 0; i < inner; ++i) {
        for (int64_t j = 0; j < length; ++j, to += bytes) {
          const int64_t at = (o * own + (own == 1 ? 0 : j)) * inner + i;
          std::memcpy(to, from + static_cast<size_t>(at) * bytes, bytes);
        }
      }
    }
    data_ = copied_.data();
  }

  CosineOperand layout_;
  const void* data_;
  std::vector<char> copied_;
};

/// The size that two broadcast to, where it can be told.
std::optional<Dim> broadcast(const Dim& a, const Dim& b) {
  if (a.size == 1 || (a.size < 0 && b.size > 1)) {
    return b;
  }
  if (b.size == 1 || (b.size < 0 && a.size > 1) || (a.size == b.size && a.name == b.name)) {
    return a;
  }
  return std::nullopt;
}

class CosineSimilarity {
 public:
  static constexpr const char* kName = "CosineSimilarity";
  static constexpr const char* kErrorName = "cosine_similarity";
  static constexpr size_t kInputs = 2;
  static constexpr size_t kOutputs = 1;
  static constexpr const auto& kTypes = kFloatingTypes;

  static ElementType output_type(size_t, ElementType input) { return input; }

  static void infer_shapes(const ShapeInference& inference) {
    auto x1 = inference.input(0);
    auto x2 = inference.input(1);
    const auto axis = inference.integer("axis", kAxis);
    if (!x1 || !x2 || !axis) {
      return;
    }
    std::vector<Dim>& longer = x1->size() < x2->size() ? *x2 : *x1;
    const std::vector<Dim>& shorter = x1->size() < x2->size() ? *x1 : *x2;
    for (size_t i = 0; i < shorter.size(); ++i) {
      Dim& dim = longer[longer.size() - 1 - i];
      const auto both = broadcast(dim, shorter[shorter.size() - 1 - i]);
      if (!both) {
        return;
      }
      dim = *both;
    }
    longer.erase(longer.begin() + wrap_dim(kErrorName, *axis, static_cast<int64_t>(longer.size())));
    inference.set_output(longer);
  }

  explicit CosineSimilarity(const Attributes& attributes)
      : axis_(attributes.integer("axis", kAxis)), eps_(attributes.number("eps", static_cast<float>(kCosineEps))) {
    if (eps_ == static_cast<float>(kCosineEps)) {
      eps_ = kCosineEps;  // what every binding takes where nothing is said; a float cannot say it to the last bit
    }
  }

  void compute(const Context& context) const {
    const TensorView x1 = context.input(0);
    const TensorView x2 = context.input(1);
    const CosinePlan plan(x1.shape, x2.shape, axis_, eps_);
    const Operand a(x1, size_of(context.dtype()), plan);
    const Operand b(x2, size_of(context.dtype()), plan);
    cosine_similarity(context.dtype(), a.vectors(), b.vectors(), context.output(0, plan.shape),
                      static_cast<int64_t>(plan.shape.size()), plan.shape.data(), plan.length, eps_,
                      context.executor());
  }

 private:
  static constexpr int64_t kAxis = -1;
  int64_t axis_;
  double eps_;
};

}  // namespace

void add_cosine_similarity(Domain& domain) { domain.add<CosineSimilarity>(); }

}  // namespace imgsim::ort
