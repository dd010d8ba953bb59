#include "exif.h"

#include <array>
#include <string_view>

namespace imgsim::app {
namespace {

constexpr uint32_t kOrientation = 0x0112;
constexpr std::string_view kPrefix{"Exif\0\0", 6};

/// Bytes of a value of each type of TIFF, of 0 on.
constexpr std::array<size_t, 17> kSizes{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};
/// Types whose values are integers, but for a byte, which no program writes here.
constexpr uint32_t kIntegers = 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 13;

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

/// What the tag says; 1 where it or the block is broken, nothing where there is none.
std::optional<int> exif_orientation(Bytes bytes) {
  for (int i = 0; i < 2 && starts_with(bytes, kPrefix); ++i) {  // some writers keep it where it is none of theirs
    bytes = bytes.subspan(kPrefix.size());
  }
  if (bytes.empty()) {
    return std::nullopt;
  }
  const Tiff tiff(bytes);
  if (bytes.size() < 8 || bytes[0] != bytes[1] || (bytes[0] != 'I' && bytes[0] != 'M') || tiff.number(2, 2) != 42) {
    return 1;
  }
  std::optional<int> found;
  const size_t directory = tiff.number(4, 4);
  const size_t entries = tiff.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > bytes.size()) {
      break;
    }
    const uint32_t type = tiff.number(entry + 2, 2);
    const size_t size = type < kSizes.size() ? kSizes[type] * tiff.number(entry + 4, 4) : 0;
    const size_t place = size > 4 ? tiff.number(entry + 8, 4) : entry + 8;
    if (place + size > bytes.size()) {
      break;
    }
    if (tiff.number(entry, 2) == kOrientation && size > 0) {
      const uint32_t value = kIntegers >> type & 1 ? tiff.number(place, kSizes[type]) : 0;
      found = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return found;
}

int xmp_orientation(Bytes bytes) {
  constexpr std::string_view kName = "tiff:Orientation";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (size_t at = text.find(kName); at != text.npos; at = text.find(kName, at + 1)) {
    std::string_view value = text.substr(at + kName.size());
    const size_t before = value.starts_with("=\"") ? 2 : value.starts_with('>') ? 1 : 0;
    value.remove_prefix(before);
    if (before != 0 && !value.empty() && value[0] >= '0' && value[0] <= '9') {
      return value[0] >= '1' && value[0] <= '8' ? value[0] - '0' : 1;
    }
  }
  return 1;
}

}  // namespace

int orientation(const std::optional<Bytes>& exif, Bytes xmp) {
  const std::optional<int> said = exif ? exif_orientation(*exif) : std::nullopt;
  return said ? *said : xmp_orientation(xmp);
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
