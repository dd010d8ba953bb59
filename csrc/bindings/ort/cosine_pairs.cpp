// imgsim:CosinePairs(vectors: T (N, D)) -> rows, cols: int64, scores: float, for double vectors double, all (P);
// threshold: float

#include <algorithm>

#include "custom_op.h"
#include "kernels/cosine.h"
#include "kernels/shapes.h"

namespace imgsim::ort {
namespace {

class CosinePairs {
 public:
  static constexpr const char* kName = "CosinePairs";
  static constexpr const char* kErrorName = "cosine_pairs";
  static constexpr size_t kInputs = 1;
  static constexpr size_t kOutputs = 3;
  static constexpr const auto& kTypes = kFloatingTypes;

  static ElementType output_type(size_t index, ElementType input) { return index == 2 ? wide_type(input) : kInt64; }

  explicit CosinePairs(const Attributes& attributes) : threshold_(attributes.number("threshold")) {}

  void compute(const Context& context) const {
    const auto [data, shape] = context.input(0);
    check_pairs(shape, threshold_);
    const Pairs pairs = cosine_pairs({context.dtype(), data, shape[0], shape[1]}, threshold_, context.executor());
    const Shape found{static_cast<int64_t>(pairs.rows.size())};
    std::copy(pairs.rows.begin(), pairs.rows.end(), context.output<int64_t>(0, found));
    std::copy(pairs.cols.begin(), pairs.cols.end(), context.output<int64_t>(1, found));
    write_values(context.dtype(), pairs.scores, context.output(2, found));
  }

 private:
  double threshold_;
};

}  // namespace

void add_cosine_pairs(Domain& domain) { domain.add<CosinePairs>(); }

}  // namespace imgsim::ort
