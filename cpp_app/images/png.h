// PNG to RGB. torchvision's own PNG decoder is not used: on a damaged file its error path crashes the process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bytes.h"

namespace imgsim::app {

struct RgbPixels {
  std::vector<uint8_t> values;  ///< (height, width, 3)
  int64_t height;
  int64_t width;
};

/// Decodes a PNG of any colour type, depth and interlacing as decode() promises; of an APNG the default image.
///
/// Gamma and colour profiles are left alone. Source: PNG Specification, third edition (W3C). `path` is for the error.
/// Throws PictureError: truncated, damaged or too_large.
RgbPixels decode_png(Bytes file, int64_t max_pixels, const std::string& path);

}  // namespace imgsim::app
