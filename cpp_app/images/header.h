// What a picture's header promises.
#pragma once

#include <cstdint>
#include <string_view>

#include "bytes.h"

namespace imgsim::app {

struct Header {
  int64_t width = 0;  ///< In pixels; 0 for PNG and where the file does not get so far.
  int64_t height = 0;
  int orientation = 1;          ///< 1 to 8: how the stored pixels are to be turned; see exif.h.
  int depth = 8;                ///< JPEG: bits of a sample.
  int colours = 3;              ///< JPEG.
  bool reaches_pixels = false;  ///< JPEG: the file has a scan.
  double held = 0;              ///< Bytes for each pixel; see limits.h. 0 for PNG.
  bool animated = false;        ///< WebP: an animation.
  Bytes first_frame;            ///< WebP: of an animation, the content of its chunk.
  Bytes chunks;                 ///< WebP: else, those of the picture.
  bool sound = true;            ///< JPEG, WebP: the file has what may stand there, where it must.
  bool alpha = false;           ///< WebP: pixels have an alpha channel.
};

/// Reads the header. Broken EXIF is no orientation, and a header cut short is no size: the decoder will say what is
/// wrong. format: JPEG, PNG, WEBP or GIF.
Header read_header(std::string_view format, Bytes file);

}  // namespace imgsim::app
