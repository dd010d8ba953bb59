#include "png.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "bytes.h"
#include "errors.h"
#include "image_library.h"
#include "limits.h"
#include "pixels.h"

namespace imgsim::app {
namespace {

constexpr double kHeldPerPixel = 4;
// As Pillow hands them to zlib: of a piece all is looked at, also a wrong check sum behind the last row.
constexpr size_t kPiece = size_t{1} << 16;
constexpr uint8_t kLastFilter = 4;

enum Colour : uint8_t { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgba = 6 };

struct Colours {
  uint8_t values[256][3] = {};  // what is not listed is black
  uint8_t alpha[256];
};

/// What the chunks say, before any pixel is looked at.
struct Chunks {
  int64_t width = 0;
  int64_t height = 0;
  int depth = 0;
  uint8_t colour = 0;
  bool interlaced = false;
  bool have_palette = false;
  bool have_pixels = false;
  bool have_frame = false;  // of an animation
  Colours palette;
  std::optional<std::array<uint16_t, 3>> key;  // the colour that is transparent
  std::vector<Bytes> compressed;
};

/// One pass of Adam7, or the only pass of a picture that is not interlaced: every dx-th column from x on, and rows
/// likewise.
struct Pass {
  int64_t x, y, dx, dy;
  int64_t cols(int64_t width) const { return (width - x + dx - 1) / dx; }
  int64_t rows(int64_t height) const { return (height - y + dy - 1) / dy; }
};
constexpr Pass kWhole[] = {{0, 0, 1, 1}};
constexpr Pass kAdam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                           {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

class PngReader {
 public:
  PngReader(Bytes file, const std::string& path) : path_(path) {
    read_chunks(file);
    check_size(chunks_.width, chunks_.height, kHeldPerPixel, path_);
  }

  RgbPixels decode() {
    const std::span<const Pass> passes =
        chunks_.interlaced ? std::span<const Pass>(kAdam7) : std::span<const Pass>(kWhole);
    std::vector<uint8_t> raw = inflated(passes);
    RgbPixels out{std::vector<uint8_t>(3 * chunks_.width * chunks_.height), chunks_.height, chunks_.width};
    const bool deep_grey = chunks_.colour == kGrey && chunks_.depth == 16;
    int used = 0;
    uint8_t* row = raw.data();
    for (const Pass& pass : passes) {
      const int64_t cols = pass.cols(chunks_.width);
      const int64_t size = row_bytes(cols);
      const std::vector<uint8_t> nothing(size);
      const uint8_t* above = nothing.data();
      for (int64_t r = 0; cols > 0 && r < pass.rows(chunks_.height); ++r, row += 1 + size) {
        unfilter(row[0], row + 1, above, size);
        above = row + 1;
        for (int64_t i = 0; deep_grey && i < cols; ++i) {
          used = std::max(used, sample(above, i));
        }
      }
    }
    for (int bits = 14; bits >= 8 && used < 1 << bits; bits -= 2) {
      deep_white_ = (1 << bits) - 1;
    }
    write(raw, passes, out);
    if (!deep_grey && backdrop_.found() == kBlack) {
      behind_ = kBlack;
      write(raw, passes, out);
    }
    return out;
  }

 private:
  [[noreturn]] void damaged(const char* detail) const { throw PictureError(reasons::kDamaged, path_, detail); }

  int channels() const {
    switch (chunks_.colour) {
      case kRgb:
        return 3;
      case kGreyAlpha:
        return 2;
      case kRgba:
        return 4;
      default:
        return 1;
    }
  }
  bool deep_colour() const { return chunks_.depth == 16 && chunks_.colour == kRgb; }
  int64_t row_bytes(int64_t cols) const { return (cols * channels() * chunks_.depth + 7) / 8; }

  void read_chunks(Bytes file) {
    std::fill(std::begin(chunks_.palette.alpha), std::end(chunks_.palette.alpha), 255);
    bool pixels_over = false;
    for (const PngChunk& chunk : png_chunks(file)) {
      if (chunks_.depth == 0) {
        read_header(chunk);
        continue;
      }
      pixels_over |= chunks_.have_pixels && !chunk.is("IDAT");
      if (chunk.is("IHDR")) {
        damaged("there are two header chunks");
      } else if (chunk.is("PLTE") && !chunks_.have_pixels && chunks_.colour == kPalette) {
        read_palette(chunk);
      } else if (chunk.is("tRNS") && !chunks_.have_pixels && chunk.sound()) {
        read_transparency(chunk.body);
      } else if (chunk.is("IDAT") && !pixels_over) {
        for (Bytes rest = chunk.body; !rest.empty(); rest = slice(rest, kPiece, rest.size())) {
          chunks_.compressed.push_back(slice(rest, 0, kPiece));
        }
        chunks_.have_pixels = true;
      } else if (!chunks_.have_pixels && (chunk.is("acTL") || chunk.is("fcTL") || chunk.is("fdAT"))) {
        check_animation(chunk);
      }
    }
    if (chunks_.depth == 0) {
      throw PictureError(reasons::kTruncated, path_);
    }
    if (chunks_.colour == kPalette && !chunks_.have_palette) {
      damaged("there is no palette");
    }
    if (!chunks_.have_pixels) {
      throw PictureError(reasons::kTruncated, path_);
    }
  }

  /// An animation may not be taken for a still picture because a part of it is broken.
  void check_animation(const PngChunk& chunk) {
    bool fits = chunk.is("acTL") && chunk.body.size() >= 8;
    if (chunk.is("fcTL") && chunk.body.size() >= 26 && !chunks_.have_frame) {
      chunks_.have_frame = true;
      fits = big_endian(chunk.body, 0, 4) == 0 && big_endian(chunk.body, 4, 4) == chunks_.width &&
             big_endian(chunk.body, 8, 4) == chunks_.height && big_endian(chunk.body, 12, 4) == 0 &&
             big_endian(chunk.body, 16, 4) == 0;
    }
    if (!fits || !chunk.sound()) {
      damaged("the animation is broken");
    }
  }

  void read_header(const PngChunk& chunk) {
    const Bytes body = chunk.body;
    if (!chunk.is("IHDR")) {
      damaged("the header chunk must come first");
    }
    if (!chunk.whole) {
      throw PictureError(reasons::kTruncated, path_);
    }
    if (body.size() != 13 || !chunk.sound()) {
      damaged("the header chunk is broken");
    }
    chunks_.width = big_endian(body, 0, 4);
    chunks_.height = big_endian(body, 4, 4);
    chunks_.depth = body[8];
    chunks_.colour = body[9];
    chunks_.interlaced = body[12] == 1;
    const int depth = chunks_.depth;
    const bool eight_or_sixteen = depth == 8 || depth == 16;
    const bool small = depth == 1 || depth == 2 || depth == 4;
    bool sound = false;
    switch (chunks_.colour) {
      case kGrey:
        sound = small || eight_or_sixteen;
        break;
      case kPalette:
        sound = small || depth == 8;
        break;
      case kRgb:
      case kGreyAlpha:
      case kRgba:
        sound = eight_or_sixteen;
        break;
      default:
        break;
    }
    if (!sound || chunks_.width < 1 || chunks_.height < 1 || chunks_.width > INT32_MAX || chunks_.height > INT32_MAX ||
        body[10] != 0 || body[11] != 0 || body[12] > 1) {
      damaged("the header chunk promises a picture that cannot be");
    }
  }

  void read_palette(const PngChunk& chunk) {
    const size_t size = chunk.body.size();
    if (!chunk.sound() || size % 3 != 0 || size == 0 || size > sizeof(chunks_.palette.values)) {
      damaged("the palette is broken");
    }
    chunks_.have_palette = true;
    std::fill_n(&chunks_.palette.values[0][0], sizeof(chunks_.palette.values), 0);
    std::copy(chunk.body.begin(), chunk.body.end(), &chunks_.palette.values[0][0]);
  }

  void read_transparency(Bytes body) {
    // The lowest bits count, but of 16-bit colour, of which the upper byte is looked at.
    const auto at = [&](size_t place) {
      const uint32_t value = big_endian(body, place, 2);
      return static_cast<uint16_t>(deep_colour() ? value >> 8 : value & ((1u << chunks_.depth) - 1));
    };
    if (chunks_.colour == kPalette && body.size() <= sizeof(chunks_.palette.alpha)) {
      std::fill(std::begin(chunks_.palette.alpha), std::end(chunks_.palette.alpha), 255);
      std::copy(body.begin(), body.end(), chunks_.palette.alpha);
    } else if (chunks_.colour == kGrey && body.size() >= 2) {
      chunks_.key = {at(0), at(0), at(0)};
    } else if (chunks_.colour == kRgb && body.size() >= 6) {
      chunks_.key = {at(0), at(2), at(4)};
    }
  }

  std::vector<uint8_t> inflated(std::span<const Pass> passes) const {
    int64_t size = 0;
    for (const Pass& pass : passes) {
      const int64_t cols = pass.cols(chunks_.width);
      size += cols > 0 ? pass.rows(chunks_.height) * (1 + row_bytes(cols)) : 0;
    }
    std::vector<uint8_t> raw(size);
    const Inflated result = zlib_inflate(chunks_.compressed, raw);
    if (result.broken || (result.size < raw.size() && has_unknown_filter(raw, result.size, passes))) {
      damaged("the compressed pixels make no sense");
    }
    if (result.size < raw.size()) {
      throw PictureError(reasons::kTruncated, path_);
    }
    return raw;
  }

  bool has_unknown_filter(const std::vector<uint8_t>& raw, size_t size, std::span<const Pass> passes) const {
    size_t at = 0;
    for (const Pass& pass : passes) {
      const int64_t cols = pass.cols(chunks_.width);
      for (int64_t r = 0; cols > 0 && r < pass.rows(chunks_.height); ++r, at += 1 + row_bytes(cols)) {
        if (at + 1 + row_bytes(cols) <= size && raw[at] > kLastFilter) {
          return true;
        }
      }
    }
    return false;
  }

  void unfilter(uint8_t filter, uint8_t* row, const uint8_t* above, int64_t size) const {
    const int64_t step = std::max(1, channels() * chunks_.depth / 8);
    const int64_t head = std::min(step, size);
    switch (filter) {
      case 0:
        break;
      case 1:
        for (int64_t i = step; i < size; ++i) {
          row[i] += row[i - step];
        }
        break;
      case 2:
        for (int64_t i = 0; i < size; ++i) {
          row[i] += above[i];
        }
        break;
      case 3:
        for (int64_t i = 0; i < head; ++i) {
          row[i] += above[i] / 2;
        }
        for (int64_t i = step; i < size; ++i) {
          row[i] += (row[i - step] + above[i]) / 2;
        }
        break;
      case 4:
        for (int64_t i = 0; i < head; ++i) {
          row[i] += above[i];
        }
        for (int64_t i = step; i < size; ++i) {
          row[i] += paeth(row[i - step], above[i], above[i - step]);
        }
        break;
      default:
        damaged("a row has an unknown filter");
    }
  }

  /// Whichever of left, above and above left is nearest to left + above - above left.
  static uint8_t paeth(int left, int above, int corner) {
    const int to_left = std::abs(above - corner);
    const int to_above = std::abs(left - corner);
    const int to_corner = std::abs(left + above - 2 * corner);
    const int nearest = to_above <= to_corner ? above : corner;
    return static_cast<uint8_t>(to_left <= to_above && to_left <= to_corner ? left : nearest);
  }

  /// Sample i of a row, as it is stored.
  int sample(const uint8_t* row, int64_t i) const {
    switch (chunks_.depth) {
      case 8:
        return row[i];
      case 16:
        return row[2 * i] << 8 | row[2 * i + 1];
      default: {
        const int64_t bit = i * chunks_.depth;
        return row[bit / 8] >> (8 - chunks_.depth - bit % 8) & ((1 << chunks_.depth) - 1);
      }
    }
  }

  void write(const std::vector<uint8_t>& raw, std::span<const Pass> passes, RgbPixels& out) {
    const uint8_t* row = raw.data();
    for (const Pass& pass : passes) {
      const int64_t cols = pass.cols(chunks_.width);
      const int64_t size = row_bytes(cols);
      for (int64_t r = 0; cols > 0 && r < pass.rows(chunks_.height); ++r, row += 1 + size) {
        write_row(row + 1, cols, 3 * pass.dx,
                  out.values.data() + 3 * ((pass.y + r * pass.dy) * chunks_.width + pass.x));
      }
    }
  }

  /// A stored sample as 8 bits. Of 16-bit grey the nearest, by the bits that it uses: 8, 10, 12, 14 or all; of 16-bit
  /// colour the upper byte, as Pillow does.
  int look(int value) const {
    switch (chunks_.depth) {
      case 8:
        return value;
      case 16:
        return chunks_.colour == kGrey ? (value * 255 + deep_white_ / 2) / deep_white_ : value >> 8;
      default:
        return value * 255 / ((1 << chunks_.depth) - 1);
    }
  }

  /// Writes `cols` pixels, `step` bytes apart.
  void write_row(const uint8_t* row, int64_t cols, int64_t step, uint8_t* to) {
    if (chunks_.colour == kRgb && chunks_.depth == 8 && !chunks_.key && step == 3) {
      std::memcpy(to, row, 3 * cols);
      return;
    }
    for (int64_t i = 0; i < cols; ++i, to += step) {
      if (chunks_.colour == kPalette) {
        const int index = sample(row, i);
        put(to, chunks_.palette.values[index], chunks_.palette.alpha[index]);
        continue;
      }
      const int each = channels();
      const bool coloured = each >= 3;
      const int stored[3] = {sample(row, i * each), sample(row, i * each + (coloured ? 1 : 0)),
                             sample(row, i * each + (coloured ? 2 : 0))};
      const uint8_t seen[3] = {static_cast<uint8_t>(look(stored[0])), static_cast<uint8_t>(look(stored[1])),
                               static_cast<uint8_t>(look(stored[2]))};
      int alpha = each % 2 == 0 ? look(sample(row, i * each + each - 1)) : 255;
      const int shift = deep_colour() ? 8 : 0;
      if (chunks_.key && stored[0] >> shift == (*chunks_.key)[0] && stored[1] >> shift == (*chunks_.key)[1] &&
          stored[2] >> shift == (*chunks_.key)[2]) {
        alpha = 0;
      }
      put(to, seen, alpha);
    }
  }

  void put(uint8_t* to, const uint8_t* rgb, int alpha) {
    put_on(behind_, to, rgb, alpha);
    if (behind_ == kWhite) {
      backdrop_.see(to, alpha);
    }
  }

  const std::string& path_;
  Chunks chunks_;
  int deep_white_ = 65535;
  Backdrop behind_ = kWhite;
  BackdropFinder backdrop_;
};

}  // namespace

bool PngChunk::is(std::string_view other) const { return name == other; }

bool PngChunk::sound() const { return whole && zlib_crc32(checked) == check_sum; }

std::vector<PngChunk> png_chunks(Bytes file) {
  std::vector<PngChunk> chunks;
  for (size_t at = 8; at + 8 <= file.size();) {
    const size_t length = big_endian(file, at, 4);
    const std::string_view name(reinterpret_cast<const char*>(&file[at + 4]), 4);
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalpha(c) != 0; })) {
      break;
    }
    const bool whole = at + 12 + length <= file.size();
    chunks.push_back({name, slice(file, at + 8, length), slice(file, at + 4, 4 + length),
                      whole ? big_endian(file, at + 8 + length, 4) : 0, whole});
    if (name == "IEND") {
      break;
    }
    at += 12 + length;
  }
  return chunks;
}

RgbPixels decode_png(Bytes file, const std::string& path) { return PngReader(file, path).decode(); }

}  // namespace imgsim::app
