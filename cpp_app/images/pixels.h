// Arithmetic of single pixels.
#pragma once

#include <cstdint>

namespace imgsim::app {

/// Writes a colour of this opacity, 0 to 255, over white: round((alpha * value + (255 - alpha) * 255) / 255) in each
/// channel.
inline void put_on_white(uint8_t* to, const uint8_t* rgb, int alpha) {
  for (int c = 0; c < 3; ++c) {
    to[c] = static_cast<uint8_t>((alpha * rgb[c] + (255 - alpha) * 255 + 127) / 255);
  }
}

}  // namespace imgsim::app
