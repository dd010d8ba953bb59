#include "gif.h"

#include <optional>

#include "errors.h"

namespace imgsim::app {
namespace {

constexpr uint8_t kExtension = 0x21;
constexpr uint8_t kGraphicControl = 0xF9;
constexpr uint8_t kImage = 0x2C;
constexpr uint8_t kTrailer = 0x3B;
constexpr size_t kScreenFlags = 10;
constexpr size_t kBackground = 11;

/// Walks GIF89a blocks over a copy of the file. Every access is checked: the end of the file is the error `truncated`.
class Walker {
 public:
  Walker(Bytes file, const std::string& path, Backdrop backdrop)
      : file_(file.begin(), file.end()), path_(path), backdrop_(static_cast<uint8_t>(backdrop)) {}

  std::vector<uint8_t> first_frame() {
    uint8_t& screen_flags = at(kScreenFlags);
    at(kBackground) = 0;
    position_ = 13;
    const size_t global = skip_colours(screen_flags);
    while (true) {
      const uint8_t block = next();
      if (block == kExtension) {
        if (next() == kGraphicControl && at(position_) >= 4) {
          uint8_t& flags = at(position_ + 1);
          transparent_ = flags & 1 ? std::optional<size_t>(at(position_ + 4)) : std::nullopt;
          flags &= 0xFE;
        }
        skip_data();
      } else if (block == kImage) {
        const uint8_t flags = at(position_ + 8);
        position_ += 9;
        paint(global, screen_flags);
        const size_t local = skip_colours(flags);
        paint(local, flags);
        if (transparent_ && (screen_flags & 0x80)) {  // where the frame leaves the canvas bare
          at(kBackground) = static_cast<uint8_t>(*transparent_);
        }
        ++position_;  // the smallest code
        skip_data();
        file_.resize(position_);
        file_.push_back(kTrailer);
        return std::move(file_);
      } else {
        throw PictureError(reasons::kDamaged, path_, "a GIF without a frame");
      }
    }
  }

 private:
  uint8_t& at(size_t place) {
    if (place >= file_.size()) {
      throw PictureError(reasons::kTruncated, path_);
    }
    return file_[place];
  }
  uint8_t next() { return at(position_++); }

  static size_t colours(uint8_t flags) { return flags & 0x80 ? size_t{2} << (flags & 7) : 0; }

  /// Steps over a table of colours and returns where it began.
  size_t skip_colours(uint8_t flags) {
    const size_t begin = position_;
    position_ += 3 * colours(flags);
    return begin;
  }

  void paint(size_t table, uint8_t flags) {
    if (transparent_ && *transparent_ < colours(flags)) {
      for (size_t i = 0; i < 3; ++i) {
        at(table + 3 * *transparent_ + i) = backdrop_;
      }
    }
  }

  void skip_data() {
    for (size_t size = next(); size != 0; size = next()) {
      position_ += size;
    }
  }

  std::vector<uint8_t> file_;
  const std::string& path_;
  uint8_t backdrop_;
  size_t position_ = 0;
  std::optional<size_t> transparent_;
};

}  // namespace

std::vector<uint8_t> gif_first_frame(Bytes file, const std::string& path, Backdrop backdrop) {
  return Walker(file, path, backdrop).first_frame();
}

}  // namespace imgsim::app
