// Arithmetic of single pixels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace imgsim::app {

struct RgbPixels {
  std::vector<uint8_t> values;  ///< (height, width, 3)
  int64_t height;
  int64_t width;
};

/// What lies behind transparent places.
enum Backdrop : int { kBlack = 0, kWhite = 255 };

/// Writes a colour of this opacity, 0 to 255, over a backdrop: round((alpha * value + (255 - alpha) * backdrop) / 255)
/// in each channel.
inline void put_on(Backdrop backdrop, uint8_t* to, const uint8_t* rgb, int alpha) {
  for (int c = 0; c < 3; ++c) {
    to[c] = static_cast<uint8_t>((alpha * rgb[c] + (255 - alpha) * backdrop + 127) / 255);
  }
}

/// Finds what a picture must be laid on: black, where on white nothing would be left of what it shows.
class BackdropFinder {
 public:
  /// Takes a pixel as it is on white.
  void see(const uint8_t* on_white, int alpha) {
    darkest_ = std::min({darkest_, int{on_white[0]}, int{on_white[1]}, int{on_white[2]}});
    least_ = std::min(least_, alpha);
    most_ = std::max(most_, alpha);
  }

  Backdrop found() const { return darkest_ >= kNearlyWhite && least_ < 255 && most_ > 0 ? kBlack : kWhite; }

 private:
  static constexpr int kNearlyWhite = 250;
  int darkest_ = 255;
  int least_ = 255;
  int most_ = 0;
};

}  // namespace imgsim::app
