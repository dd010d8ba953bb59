// Shapes before the first run, as far as they can be told.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge.h"

namespace imgsim::ort {

/// A size, or -1 and the name of one that is not known yet.
struct Dim {
  int64_t size;
  std::string name;
};

/// What a node's declared inputs and attributes tell of its output. Whatever is in doubt stays unsaid: a missing shape
/// costs nothing, a wrong one breaks a model.
class ShapeInference {
 public:
  ShapeInference(const OrtApi& api, OrtShapeInferContext* context) : api_(api), context_(context) {}

  /// Nothing for an input of unknown rank (which looks like a scalar) or with an unknown size that has no name (which
  /// could not be handed on).
  std::optional<std::vector<Dim>> input(size_t index) const {
    const OrtTensorTypeAndShapeInfo* info = info_of(index);
    size_t axes = 0;
    ensure(api_, api_[GetDimensionsCount](info, &axes));
    std::vector<int64_t> sizes(axes);
    std::vector<const char*> names(axes);
    ensure(api_, api_[GetDimensions](info, sizes.data(), axes));
    ensure(api_, api_[GetSymbolicDimensions](info, names.data(), axes));
    std::vector<Dim> dims;
    for (size_t i = 0; i < axes; ++i) {
      dims.push_back({sizes[i], names[i] == nullptr ? "" : names[i]});
      if (sizes[i] < 0 && dims.back().name.empty()) {
        return std::nullopt;
      }
    }
    return axes == 0 ? std::nullopt : std::optional(dims);
  }

  /// `otherwise` for a missing attribute, nothing for one that is no integer.
  std::optional<int64_t> integer(const char* name, std::optional<int64_t> otherwise = std::nullopt) const {
    int64_t value = 0;
    const std::optional<size_t> bytes = read(name, kInt, &value, sizeof(value));
    return !bytes ? std::nullopt : *bytes == 0 ? otherwise : std::optional(value);
  }

  /// Empty where there are none, nothing where there are more than a tensor has axes.
  std::optional<std::vector<int64_t>> integers(const char* name) const {
    int64_t values[64];
    const std::optional<size_t> bytes = read(name, kInts, values, sizeof(values));
    return bytes ? std::optional(std::vector<int64_t>(values, values + *bytes / sizeof(*values))) : std::nullopt;
  }

  /// Says the shape of the only output, whose type is that of the first input.
  void set_output(const std::vector<Dim>& dims) const {
    ElementType type{};
    ensure(api_, api_[GetTensorElementType](info_of(0), &type));
    std::vector<int64_t> sizes;
    std::vector<const char*> names;
    for (const Dim& dim : dims) {
      sizes.push_back(dim.size);
      names.push_back(dim.size < 0 ? dim.name.c_str() : "");
    }
    OrtTensorTypeAndShapeInfo* made = nullptr;
    ensure(api_, api_[CreateTensorTypeAndShapeInfo](&made));
    const auto release = api_[ReleaseTensorTypeAndShapeInfo];
    const std::unique_ptr<OrtTensorTypeAndShapeInfo, decltype(release)> info(made, release);
    ensure(api_, api_[SetTensorElementType](info.get(), type));
    ensure(api_, api_[SetDimensions](info.get(), sizes.data(), sizes.size()));
    ensure(api_, api_[SetSymbolicDimensions](info.get(), names.data(), names.size()));
    ensure(api_, api_[ShapeInferContext_SetOutputTypeShape](context_, 0, info.get()));
  }

 private:
  const OrtTensorTypeAndShapeInfo* info_of(size_t index) const {
    OrtTensorTypeAndShapeInfo* info = nullptr;
    ensure(api_, api_[ShapeInferContext_GetInputTypeShape](context_, index, &info));
    return info;
  }

  /// The bytes read; 0 for a missing attribute, nothing for one that does not fit.
  std::optional<size_t> read(const char* name, AttributeType type, void* data, size_t capacity) const {
    const OrtOpAttr* attribute = nullptr;
    if (!succeeds(api_, api_[ShapeInferContext_GetAttribute](context_, name, &attribute)) || attribute == nullptr) {
      return 0;
    }
    size_t bytes = 0;
    return succeeds(api_, api_[ReadOpAttr](attribute, type, data, capacity, &bytes)) ? std::optional(bytes)
                                                                                     : std::nullopt;
  }

  const OrtApi& api_;
  OrtShapeInferContext* context_;
};

}  // namespace imgsim::ort
