// The first frame of a GIF, as a GIF of its own.
#pragma once

#include <string>
#include <vector>

#include "bytes.h"
#include "pixels.h"

namespace imgsim::app {

/// The file up to the end of its first frame, with the transparent colour, if it has one, made white or black.
///
/// A decoder that reads all frames then reads just this one, whatever the length of the animation. `path` is for the
/// error. Throws PictureError: truncated or damaged.
std::vector<uint8_t> gif_first_frame(Bytes file, const std::string& path, Backdrop backdrop);

}  // namespace imgsim::app
