// The extractor, as export/resnet18_multiscale.py writes it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace imgsim::app {

/// The version of decode() and preprocess() together. A model made for another one is refused.
inline constexpr int64_t kPreprocessingVersion = 1;

class Model {
 public:
  /// Loads a TorchScript file. Throws UserError: no such file, no export of imgsim, or another preprocessing version.
  explicit Model(const std::string& path);
  ~Model();

  /// pixels: uint8 RGB (pictures, crop, crop, 3). Returns (pictures, dimension) values, not normalised to unit length.
  std::vector<float> embed(std::span<uint8_t> pixels, int64_t pictures) const;

  const std::string& fingerprint() const { return fingerprint_; }
  int64_t dimension() const { return dimension_; }
  int64_t resize() const { return resize_; }
  int64_t crop() const { return crop_; }
  int64_t pixel_bytes() const { return crop_ * crop_ * 3; }  ///< Of one picture.

 private:
  struct Module;
  std::unique_ptr<Module> module_;
  std::string fingerprint_;
  int64_t dimension_ = 0;
  int64_t resize_ = 0;
  int64_t crop_ = 0;
};

/// The operator imgsim::cosine_similarity of two vectors of one length.
float cosine_similarity(std::span<const float> a, std::span<const float> b);

/// How many threads PyTorch uses inside an operator.
void set_torch_threads(int threads);

/// PyTorch's version, for --version.
std::string torch_version();

}  // namespace imgsim::app
