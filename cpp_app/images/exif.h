// The EXIF orientation: which way is up.
#pragma once

#include <vector>

#include "bytes.h"

namespace imgsim::app {

/// The value of the tag Orientation (0x0112) in the first directory of an EXIF block, a small TIFF file; 1, which turns
/// nothing, where the block is broken or has none. Source: CIPA DC-008, "Orientation".
int exif_orientation(Bytes tiff);

/// Turns RGB pixels (height, width, 3) as an orientation of 2 to 8 says; 5 to 8 swap height and width.
std::vector<uint8_t> turned(const uint8_t* pixels, int64_t height, int64_t width, int orientation);

}  // namespace imgsim::app
