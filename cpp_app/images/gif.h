// GIF to RGB: the first frame. torchvision's decoder lays it on a canvas of its own, and has no transparency.
#pragma once

#include <string>

#include "bytes.h"
#include "pixels.h"

namespace imgsim::app {

/// Decodes the first frame of a GIF as decode() promises, with the canvas around it; a frame that is larger than the
/// canvas makes it larger. Source: GIF89a (CompuServe), and Pillow for what that leaves open.
///
/// `path` is for the error. Throws PictureError: truncated, damaged or too_large.
RgbPixels decode_gif(Bytes file, const std::string& path);

}  // namespace imgsim::app
