// From a file to RGB pixels, or to the reason why not.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace imgsim::app {

/// RGB pixels as they are stored: uint8 (height, width, 3), adjacent.
struct Picture {
  std::shared_ptr<void> owner;
  uint8_t* pixels;
  int64_t height;
  int64_t width;
  int orientation;  ///< EXIF, 1 to 8. Mean and deviation need no turning; the model does.
};

/// Reads a picture as the Python package does (imgsim_ops/images/decode.py), bit for bit: type by content, transparency
/// on white as round((a * value + (255 - a) * 255) / 255), 16-bit grey v as round(v * 255 / white), of
/// 16-bit colour the upper byte, CMYK to RGB with Adobe's inversion undone, of an animation the first frame.
///
/// load_image_library() must have been called. Safe in any number of threads at once. Throws PictureError.
Picture decode(const std::string& path);

/// Writes the model's input for a picture to out: upright, shorter side to `resize`, centre `crop` x `crop`, RGB.
void preprocess(const Picture& picture, int64_t resize, int64_t crop, uint8_t* out);

}  // namespace imgsim::app
