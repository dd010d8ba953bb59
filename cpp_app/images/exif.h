// The orientation: which way is up.
#pragma once

#include <optional>
#include <vector>

#include "bytes.h"

namespace imgsim::app {

/// Which of the eight ways a picture is stored, 1 to 8: the value of the tag Orientation (0x0112) in the first
/// directory of an EXIF block, a small TIFF file, or where there is no such tag tiff:Orientation of XMP. 1, which turns
/// nothing, where neither says so or the one that counts is broken. Source: CIPA DC-008, "Orientation"; XMP part
/// 2, 8.8.
int orientation(const std::optional<Bytes>& exif, Bytes xmp);

/// Turns RGB pixels (height, width, 3) as an orientation of 2 to 8 says; 5 to 8 swap height and width.
std::vector<uint8_t> turned(const uint8_t* pixels, int64_t height, int64_t width, int orientation);

}  // namespace imgsim::app
