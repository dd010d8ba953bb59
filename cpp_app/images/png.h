// PNG to RGB. torchvision's own PNG decoder is not used: on a damaged file its error path crashes the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.h"
#include "pixels.h"

namespace imgsim::app {

struct PngChunk {
  std::string_view name;
  Bytes body;     ///< What there is of it.
  Bytes checked;  ///< Name and body.
  uint32_t check_sum;
  bool whole;

  bool is(std::string_view other) const;
  bool sound() const;  ///< It is whole, and its check sum is right.
};

/// The chunks up to the end chunk, the end of the file or something that is no chunk.
std::vector<PngChunk> png_chunks(Bytes file);

/// Decodes a PNG of any colour type, depth and interlacing as decode() promises; of an APNG the default image.
///
/// What is no part of the picture and is broken, or in a wrong place, is passed over, by the rules of
/// imgsim_ops/images/png.py. Gamma and colour profiles are left alone. Source: PNG Specification, third edition (W3C).
/// `path` is for the error. Throws PictureError: truncated, damaged or too_large.
RgbPixels decode_png(Bytes file, const std::string& path);

}  // namespace imgsim::app
