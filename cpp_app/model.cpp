#include "model.h"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/version.h>

#include <charconv>

#include "errors.h"
#include "file.h"
#include "json.h"
#include "text.h"

namespace imgsim::app {
namespace {

constexpr const char* kMetadata = "imgsim.json";

at::Tensor wrap(std::span<const float> vector) {
  return at::from_blob(const_cast<float*>(vector.data()), {static_cast<int64_t>(vector.size())}, at::kFloat);
}

std::string required(const std::string& metadata, const char* key, const std::string& path) {
  const std::optional<std::string> value = json_field(metadata, key);
  if (!value) {
    throw UserError("model: must be a .pt file that imgsim export wrote (got " + printable(path) + ", whose " +
                    kMetadata + " has no " + key + ")");
  }
  return *value;
}

int64_t required_number(const std::string& metadata, const char* key, const std::string& path) {
  const std::string text = required(metadata, key, path);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number <= 0) {
    throw UserError("model: " + std::string(key) + " must be a positive integer (got " + printable(text) + " in " +
                    printable(path) + ")");
  }
  return number;
}

}  // namespace

struct Model::Module {
  torch::jit::Module module;
};

Model::Model(const std::string& path) : module_(std::make_unique<Module>()) {
  try {
    read_regular(path, 1);
  } catch (const PictureError&) {
    throw UserError("model: no such file, or not readable (got " + printable(path) + ")");
  }
  torch::jit::ExtraFilesMap extra{{kMetadata, ""}};
  try {
    module_->module = torch::jit::load(path, at::kCPU, extra);
  } catch (const std::exception&) {  // PyTorch's own message is a page of C++
    throw UserError("model: must be a .pt file that imgsim export wrote (got " + printable(path) + ")");
  }
  const std::string& metadata = extra[kMetadata];
  const int64_t version = required_number(metadata, "preprocessing_version", path);
  if (version != kPreprocessingVersion) {
    throw UserError("model: must be exported for preprocessing version " + std::to_string(kPreprocessingVersion) +
                    " (got version " + std::to_string(version) + " in " + printable(path) + ")");
  }
  fingerprint_ = required(metadata, "fingerprint", path);
  dimension_ = required_number(metadata, "dimension", path);
  resize_ = required_number(metadata, "resize", path);
  crop_ = required_number(metadata, "crop", path);
  module_->module.eval();
}

Model::~Model() = default;

std::vector<float> Model::embed(std::span<uint8_t> pixels, int64_t pictures) const {
  const c10::InferenceMode guard;
  const at::Tensor input = at::from_blob(pixels.data(), {pictures, crop_, crop_, 3}, at::kByte);
  // It would profile the first run and compile in the second, for no gain: the time is in the convolutions.
  const torch::jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const at::Tensor out = module_->module.forward({input}).toTensor().contiguous();
  const float* values = out.const_data_ptr<float>();
  return {values, values + out.numel()};
}

float cosine_similarity(std::span<const float> a, std::span<const float> b) {
  const c10::InferenceMode guard;
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("imgsim::cosine_similarity", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, int64_t, double)>();
  return op.call(wrap(a), wrap(b), -1, 1e-8).item<float>();
}

void set_torch_threads(int threads) { at::set_num_threads(threads); }

std::string torch_version() { return TORCH_VERSION; }

}  // namespace imgsim::app
