#include "exif.h"

namespace imgsim::app {
namespace {

constexpr uint32_t kOrientation = 0x0112;
constexpr uint32_t kShort = 3;
constexpr uint32_t kLong = 4;

/// Numbers of a TIFF file in its byte order; 0 beyond its end.
class Tiff {
 public:
  explicit Tiff(Bytes bytes) : bytes_(bytes), little_(!bytes.empty() && bytes[0] == 'I') {}
  uint32_t number(size_t at, size_t size) const {
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t place = at + (little_ ? size - 1 - i : i);
      value = value << 8 | (place < bytes_.size() ? bytes_[place] : 0u);
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool little_;
};

}  // namespace

int exif_orientation(Bytes bytes) {
  const Tiff tiff(bytes);
  if (bytes.size() < 8 || bytes[0] != bytes[1] || (bytes[0] != 'I' && bytes[0] != 'M') || tiff.number(2, 2) != 42) {
    return 1;
  }
  const size_t directory = tiff.number(4, 4);
  const size_t entries = tiff.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > bytes.size()) {
      break;
    }
    const uint32_t type = tiff.number(entry + 2, 2);
    if (tiff.number(entry, 2) == kOrientation && (type == kShort || type == kLong)) {
      const uint32_t value = tiff.number(entry + 8, type == kShort ? 2 : 4);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

std::vector<uint8_t> turned(const uint8_t* pixels, int64_t height, int64_t width, int orientation) {
  // Row r and column c of the upright picture come from this place of the stored one: where it starts, and the steps
  // along an upright row and down an upright column.
  const bool swaps = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t step_x = from_right ? -3 : 3;
  const int64_t step_y = (from_bottom ? -3 : 3) * width;
  const uint8_t* start = pixels + (from_right ? 3 * (width - 1) : 0) + (from_bottom ? 3 * width * (height - 1) : 0);
  const int64_t rows = swaps ? width : height;
  const int64_t cols = swaps ? height : width;
  const int64_t along = swaps ? step_y : step_x;
  const int64_t down = swaps ? step_x : step_y;
  std::vector<uint8_t> out(static_cast<size_t>(3 * height * width));
  uint8_t* to = out.data();
  for (int64_t r = 0; r < rows; ++r) {
    const uint8_t* from = start + r * down;
    for (int64_t c = 0; c < cols; ++c, from += along, to += 3) {
      to[0] = from[0];
      to[1] = from[1];
      to[2] = from[2];
    }
  }
  return out;
}

}  // namespace imgsim::app
