// From an adapter class to the structs that ONNX Runtime wants.
//
// An adapter has
//   static constexpr const char* kName;        the operator's name in ONNX
//   static constexpr const char* kErrorName;   the name before its errors, the same in every binding
//   static constexpr size_t kInputs, kOutputs;
//   static constexpr ElementType kTypes[];     the types it is registered for; all inputs of a node have one of them
//   static ElementType output_type(size_t index, ElementType input);
//   explicit Adapter(const Attributes&);       once for each node
//   void compute(const Context&) const;        may run on several threads at once
//   static void infer_shapes(const ShapeInference&);   where it can be told
#pragma once

#include "bridge.h"
#include "shape_inference.h"

namespace imgsim::ort {

constexpr ElementType kFloatingTypes[] = {kFloat, kDouble, kFloat16, kBFloat16};

template <class Adapter>
concept InfersShapes = requires(const ShapeInference& inference) { Adapter::infer_shapes(inference); };

/// An adapter for one element type.
template <class Adapter>
struct CustomOp : OrtCustomOp {
  const OrtApi* api;
  ElementType type;

  CustomOp(const OrtApi& of, ElementType element) : OrtCustomOp{}, api(&of), type(element) {
    version = kApiVersion;
    GetName = [](const OrtCustomOp*) { return Adapter::kName; };
    GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
    GetInputTypeCount = [](const OrtCustomOp*) { return Adapter::kInputs; };
    GetInputType = [](const OrtCustomOp* op, size_t) { return self(op).type; };
    GetOutputTypeCount = [](const OrtCustomOp*) { return Adapter::kOutputs; };
    GetOutputType = [](const OrtCustomOp* op, size_t index) { return Adapter::output_type(index, self(op).type); };
    GetInputCharacteristic = [](const OrtCustomOp*, size_t) { return kRequired; };
    GetOutputCharacteristic = [](const OrtCustomOp*, size_t) { return kRequired; };
    GetInputMemoryType = [](const OrtCustomOp*, size_t) { return kDefaultMemory; };
    CreateKernelV2 = [](const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info, void** kernel) {
      return guarded(*api, [&] {
        *kernel = new Kernel{api, self(op).type, Adapter(Attributes(*api, info, Adapter::kErrorName))};
      });
    };
    KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
      const Kernel& node = *static_cast<const Kernel*>(kernel);
      return guarded(*node.api, [&] { node.adapter.compute(Context(*node.api, context, node.type)); });
    };
    KernelDestroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
    if constexpr (InfersShapes<Adapter>) {
      InferOutputShapeFn = [](const OrtCustomOp* op, OrtShapeInferContext* context) -> OrtStatus* {
        try {
          Adapter::infer_shapes(ShapeInference(*self(op).api, context));
        } catch (...) {  // what is wrong with a node is said by its kernel, in the operator's own words
        }
        return nullptr;
      };
    }
  }

 private:
  struct Kernel {
    const OrtApi* api;
    ElementType type;
    Adapter adapter;
  };

  static const CustomOp& self(const OrtCustomOp* op) { return *static_cast<const CustomOp*>(op); }
};

/// The operators as one ONNX Runtime has them; lives as long as the process, because sessions point to it.
class Domain {
 public:
  explicit Domain(const OrtApi& api) : api_(api), domain_(nullptr, api[ReleaseCustomOpDomain]) {
    OrtCustomOpDomain* made = nullptr;
    ensure(api, api[CreateCustomOpDomain]("imgsim", &made));
    domain_.reset(made);
  }

  template <class Adapter>
  void add() {
    for (const ElementType type : Adapter::kTypes) {
      auto op = std::make_shared<const CustomOp<Adapter>>(api_, type);
      ensure(api_, api_[CustomOpDomain_Add](domain_.get(), op.get()));
      ops_.push_back(std::move(op));
    }
  }

  void add_to(OrtSessionOptions* options) const { ensure(api_, api_[AddCustomOpDomain](options, domain_.get())); }

 private:
  const OrtApi& api_;
  std::vector<std::shared_ptr<const void>> ops_;
  std::unique_ptr<OrtCustomOpDomain, void (*)(OrtCustomOpDomain*)> domain_;
};

// One for each operator, in the file of its name.
void add_channel_stats(Domain& domain);
void add_cosine_pairs(Domain& domain);
void add_cosine_similarity(Domain& domain);
void add_cosine_topk(Domain& domain);
void add_multiscale_pool(Domain& domain);
void add_reduce_mean(Domain& domain);
void add_repeat_interleave(Domain& domain);

}  // namespace imgsim::ort
