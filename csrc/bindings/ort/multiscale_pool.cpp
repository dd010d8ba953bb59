// imgsim:MultiscalePool(X1, X2, X3, X4: T (N, C_i, H_i, W_i)) -> Y: T (N, width); width: int

#include "kernels/multiscale_pool.h"

#include "custom_op.h"
#include "kernels/layouts.h"

namespace imgsim::ort {
namespace {

class MultiscalePool {
 public:
  static constexpr const char* kName = "MultiscalePool";
  static constexpr const char* kErrorName = "multiscale_pool";
  static constexpr size_t kInputs = 4;  // the body of an ONNX function takes a fixed number
  static constexpr size_t kOutputs = 1;
  static constexpr const auto& kTypes = kFloatingTypes;

  static ElementType output_type(size_t, ElementType input) { return input; }

  static void infer_shapes(const ShapeInference& inference) {
    const auto map = inference.input(0);
    const auto width = inference.integer("width");
    if (map && width && *width > 0) {
      inference.set_output({map->front(), {*width, ""}});
    }
  }

  explicit MultiscalePool(const Attributes& attributes) : width_(attributes.integer("width")) {}

  void compute(const Context& context) const {
    std::vector<Shape> shapes;
    std::vector<const void*> data;
    for (size_t i = 0; i < kInputs; ++i) {
      TensorView map = context.input(i);
      shapes.push_back(std::move(map.shape));
      data.push_back(map.data);
    }
    check_multiscale_pool(shapes, width_);
    std::vector<FeatureMap> maps;
    for (size_t i = 0; i < kInputs; ++i) {
      maps.push_back(feature_map_of(data[i], shapes[i], row_major_strides(shapes[i])));
    }
    const int64_t batch = shapes[0][0];
    multiscale_pool(context.dtype(), maps, context.output(0, {batch, width_}), batch, width_, context.executor());
  }

 private:
  int64_t width_;
};

}  // namespace

void add_multiscale_pool(Domain& domain) { domain.add<MultiscalePool>(); }

}  // namespace imgsim::ort
