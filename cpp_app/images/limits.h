// The limits on what is decoded: those of imgsim_ops/images/memory.py, so that both programs refuse the same.
#pragma once

#include <cstdint>
#include <string>

#include "errors.h"

namespace imgsim::app {

/// The bomb limit, above the 108 megapixels of today's largest phone cameras.
inline constexpr int64_t kMaxPixels = 112'000'000;

/// Checks a picture's header before anything is allocated. `held_per_pixel`: bytes that the Python package's decoder
/// would hold at the most. Throws PictureError: too_large.
inline void check_size(int64_t width, int64_t height, double held_per_pixel, const std::string& path) {
  constexpr double kMostHeldPerPixel = 3.2;
  const double pixels = static_cast<double>(width) * static_cast<double>(height);
  if (pixels > kMaxPixels || pixels * held_per_pixel > kMostHeldPerPixel * kMaxPixels) {
    throw PictureError(reasons::kTooLarge, path,
                       std::to_string(width) + " x " + std::to_string(height) + ", limit " +
                           std::to_string(kMaxPixels) + " pixels, or as many as are held in " +
                           std::to_string(kMostHeldPerPixel).substr(0, 3) + " bytes for each of them");
  }
}

}  // namespace imgsim::app
