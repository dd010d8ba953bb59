// What a picture's first bytes promise: told by content, never by name.
#pragma once

#include <cstdint>

#include "bytes.h"

namespace imgsim::app {

/// How many bytes of a file's beginning `picture_kind` wants to see.
inline constexpr size_t kHeadSize = 32;

enum class Kind { kNone, kJpeg, kPng, kWebp, kGif, kBmp, kTiff };

Kind picture_kind(Bytes head);

struct Header {
  int64_t width = 0;  ///< In pixels; 0 for PNG and where the file does not get so far.
  int64_t height = 0;
  int orientation = 1;    ///< EXIF tag 0x0112, 1 to 8: how the stored pixels are to be turned; see exif.h.
  bool animated = false;  ///< WebP: an animation. (Of an animated GIF the first frame is read.)
  bool alpha = false;     ///< WebP: pixels have an alpha channel.
};

/// Reads the header. Broken EXIF is no orientation, and a header cut short is no size: the decoder will say what is
/// wrong. kind: JPEG, PNG, WebP or GIF.
Header read_header(Kind kind, Bytes file);

}  // namespace imgsim::app
