#include "gif.h"

#include <algorithm>
#include <array>
#include <optional>

#include "errors.h"
#include "limits.h"

namespace imgsim::app {
namespace {

constexpr uint8_t kExtension = 0x21;
constexpr uint8_t kGraphicControl = 0xF9;
constexpr uint8_t kImage = 0x2C;
constexpr uint8_t kTrailer = 0x3B;
constexpr double kHeldPerPixel = 5;
constexpr int kMostBits = 12;
constexpr int kMostCodes = 1 << kMostBits;

/// Codes of a growing number of bits, from data in blocks. The end of the file is the error `truncated`.
class Codes {
 public:
  Codes(Bytes file, size_t at, const std::string& path) : file_(file), at_(at), path_(path) {}

  int next(int size) {
    for (; held_ < size; held_ += 8) {
      while (left_ == 0) {
        left_ = byte();
        if (at_ + left_ > file_.size()) {
          throw PictureError(reasons::kTruncated, path_);
        }
      }
      --left_;
      bits_ |= static_cast<uint32_t>(byte()) << held_;
    }
    const int code = static_cast<int>(bits_ & ((1u << size) - 1));
    bits_ >>= size;
    held_ -= size;
    return code;
  }

 private:
  uint8_t byte() {
    if (at_ >= file_.size()) {
      throw PictureError(reasons::kTruncated, path_);
    }
    return file_[at_++];
  }

  Bytes file_;
  size_t at_;
  const std::string& path_;
  size_t left_ = 0;
  uint32_t bits_ = 0;
  int held_ = 0;
};

struct Frame {
  int64_t x, y, width, height;
  bool interlaced;
  int bits;     // of the smallest code
  size_t data;  // where its blocks begin
};

class GifReader {
 public:
  GifReader(Bytes file, const std::string& path) : file_(file), path_(path) {
    for (int i = 0; i < 256; ++i) {
      palette_[i] = {static_cast<uint8_t>(i), static_cast<uint8_t>(i), static_cast<uint8_t>(i)};
    }
  }

  RgbPixels decode() {
    const Frame frame = find_frame();
    if (frame.width == 0 || frame.height == 0 || frame.bits > kMostBits) {
      damaged("a frame that cannot be");
    }
    std::vector<uint8_t> canvas(width_ * height_, static_cast<uint8_t>(transparent_.value_or(0)));
    unpack(frame, canvas);
    RgbPixels out{std::vector<uint8_t>(3 * canvas.size()), height_, width_};
    BackdropFinder backdrop;
    for (const Backdrop behind : {kWhite, kBlack}) {
      if (behind == kBlack && backdrop.found() == kWhite) {
        break;
      }
      for (size_t i = 0; i < canvas.size(); ++i) {
        const int alpha = canvas[i] == transparent_ ? 0 : 255;
        put_on(behind, &out.values[3 * i], palette_[canvas[i]].data(), alpha);
        backdrop.see(&out.values[3 * i], alpha);
      }
    }
    return out;
  }

 private:
  [[noreturn]] void damaged(const char* detail) const { throw PictureError(reasons::kDamaged, path_, detail); }

  uint8_t at(size_t place) const {
    if (place >= file_.size()) {
      throw PictureError(file_.back() == kTrailer ? reasons::kDamaged : reasons::kTruncated, path_);
    }
    return file_[place];
  }
  uint8_t next() { return at(position_++); }
  int64_t number(size_t place) const { return at(place) | at(place + 1) << 8; }

  Frame find_frame() {
    width_ = number(6);
    height_ = number(8);
    check_size(width_, height_, kHeldPerPixel, path_);
    const uint8_t flags = at(10);
    at(12);
    position_ = 13;
    read_colours(flags);
    while (true) {
      switch (next()) {
        case kExtension:
          read_extension();
          break;
        case kImage:
          return read_frame();
        case kTrailer:
          damaged("a GIF without a frame");
        default:  // of nothing
          break;
      }
    }
  }

  void read_extension() {
    const bool control = next() == kGraphicControl;
    const size_t size = next();
    if (control && size > 0) {
      at(position_ + 3);
      if (at(position_) & 1) {
        transparent_ = at(position_ + 3);
      }
    }
    position_ += size;
    for (size_t more = next(); more != 0; more = next()) {
      position_ += more;
    }
  }

  Frame read_frame() {
    const size_t begin = position_;
    const uint8_t flags = at(begin + 8);
    Frame frame{number(begin), number(begin + 2), number(begin + 4), number(begin + 6), (flags & 0x40) != 0, 0, 0};
    width_ = std::max(width_, frame.x + frame.width);
    height_ = std::max(height_, frame.y + frame.height);
    check_size(width_, height_, kHeldPerPixel, path_);
    position_ += 9;
    read_colours(flags);
    frame.bits = next();
    frame.data = position_;
    return frame;
  }

  /// Reads a table of colours, where the flags say that there is one. What it does not list is black.
  void read_colours(uint8_t flags) {
    if ((flags & 0x80) == 0) {
      return;
    }
    const size_t count = size_t{2} << (flags & 7);
    bool greys = true;
    std::array<std::array<uint8_t, 3>, 256> found{};
    for (size_t i = 0; i < count; ++i) {
      for (uint8_t& value : found[i]) {
        value = next();
        greys &= value == i;
      }
    }
    if (greys) {  // then all are
      for (size_t i = count; i < 256; ++i) {
        found[i].fill(static_cast<uint8_t>(i));
      }
    }
    palette_ = found;
  }

  /// Lempel, Ziv and Welch's codes to the indices of a frame.
  void unpack(const Frame& frame, std::vector<uint8_t>& canvas) const {
    constexpr int kSteps[] = {8, 8, 4, 2}, kStarts[] = {0, 4, 2, 1};
    const int clear = 1 << frame.bits;
    std::vector<uint8_t> last(kMostCodes), string;
    std::vector<int> link(kMostCodes);
    Codes codes(file_, frame.data, path_);
    int64_t x = 0, y = 0;
    int pass = 0, free = clear + 2, size = frame.bits + 1, before = -1;
    uint8_t first = 0;
    while (y < frame.height) {
      int code = codes.next(size);
      if (code == clear) {
        free = clear + 2;
        size = frame.bits + 1;
        before = -1;
        continue;
      }
      if (code == clear + 1) {
        throw PictureError(reasons::kTruncated, path_);
      }
      string.clear();
      if (code > (before < 0 ? clear : free)) {
        damaged("a code that stands for nothing");
      }
      const int whole = code;
      if (before >= 0 && code == free) {
        string.push_back(first);
        code = before;
      }
      for (; code >= clear; code = link[code]) {
        if (code >= kMostCodes || string.size() >= kMostCodes) {
          damaged("a code that stands for nothing");
        }
        string.push_back(last[code]);
      }
      first = static_cast<uint8_t>(code);
      string.push_back(first);
      if (before >= 0 && free < kMostCodes) {
        last[free] = first;
        link[free] = before;
        if (free == (1 << size) - 1 && size < kMostBits) {
          ++size;
        }
        ++free;
      }
      before = whole;
      for (; !string.empty() && y < frame.height; string.pop_back()) {
        canvas[(frame.y + y) * width_ + frame.x + x] = string.back();
        if (++x == frame.width) {
          x = 0;
          y += frame.interlaced ? kSteps[pass] : 1;
          while (frame.interlaced && y >= frame.height && pass < 3) {
            y = kStarts[++pass];
          }
        }
      }
    }
  }

  Bytes file_;
  const std::string& path_;
  size_t position_ = 0;
  int64_t width_ = 0;
  int64_t height_ = 0;
  std::array<std::array<uint8_t, 3>, 256> palette_;
  std::optional<int> transparent_;
};

}  // namespace

RgbPixels decode_gif(Bytes file, const std::string& path) { return GifReader(file, path).decode(); }

}  // namespace imgsim::app
