#include "decode.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "errors.h"
#include "exif.h"
#include "file.h"
#include "gif.h"
#include "header.h"
#include "image_library.h"
#include "kernels/resize_crop.h"
#include "pixels.h"
#include "png.h"

namespace imgsim::app {
namespace {

/// Whether a decoder's words, or the file's own length field, say that it ends early.
bool ends_early(Kind kind, Bytes file, const std::string& message) {
  if (kind == Kind::kWebp && file.size() >= 8) {
    const size_t promised = size_t{8} + little_endian(file, 4, 4);
    return promised > file.size();
  }
  return message.find("truncated") != std::string::npos;
}

/// A GIF has a colour for what is transparent, or none: what it would be on black shows whether on white nothing is
/// left.
Raster run_gif(Bytes file, const std::string& path) {
  Raster on_white = run_decoder(Decoder::kGif, gif_first_frame(file, path, kWhite), Mode::kRgb);
  const int64_t count = on_white.height * on_white.width;
  if (std::any_of(on_white.data, on_white.data + 3 * count, [](uint8_t value) { return value < 250; })) {
    return on_white;
  }
  Raster on_black = run_decoder(Decoder::kGif, gif_first_frame(file, path, kBlack), Mode::kRgb);
  BackdropFinder backdrop;
  for (int64_t i = 0; i < 3 * count; i += 3) {
    const bool bare = std::memcmp(on_white.data + i, on_black.data + i, 3) != 0;
    backdrop.see(on_white.data + i, bare ? 0 : 255);
  }
  return backdrop.found() == kBlack ? on_black : on_white;
}

Raster run(Kind kind, Bytes file, const Header& header, const std::string& path) {
  try {
    switch (kind) {
      case Kind::kJpeg:
        return run_decoder(Decoder::kJpeg, file, Mode::kRgb);
      case Kind::kWebp:
        return run_decoder(Decoder::kWebp, file, header.alpha ? Mode::kRgba : Mode::kRgb);
      default:
        return run_gif(file, path);
    }
  } catch (const DecoderError& error) {
    const std::string message = error.what();
    if (message.find("allocate memory") != std::string::npos) {
      throw PictureError(reasons::kOutOfMemory, path);
    }
    throw PictureError(ends_early(kind, file, message) ? reasons::kTruncated : reasons::kDamaged, path, message);
  }
}

/// Turns (count, 4) values into (count, 3) in place: the result never overtakes what is still to be read.
void to_rgb(uint8_t* data, int64_t count) {
  BackdropFinder backdrop;
  for (int64_t i = 0; i < count; ++i) {
    uint8_t on_white[3];
    put_on(kWhite, on_white, data + 4 * i, data[4 * i + 3]);
    backdrop.see(on_white, data[4 * i + 3]);
  }
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t rgb[3] = {data[4 * i], data[4 * i + 1], data[4 * i + 2]};
    put_on(backdrop.found(), data + 3 * i, rgb, data[4 * i + 3]);
  }
}

Picture from_png(Bytes file, int orientation, const std::string& path) {
  auto decoded = std::make_shared<RgbPixels>(decode_png(file, kMaxPixels, path));
  uint8_t* pixels = decoded->values.data();
  const int64_t height = decoded->height, width = decoded->width;
  return {std::move(decoded), pixels, height, width, orientation};
}

}  // namespace

Picture decode(const std::string& path) {
  try {
    const std::vector<uint8_t> file = read_regular(path);
    const Kind kind = picture_kind(file);
    if (kind == Kind::kNone) {
      throw PictureError(reasons::kNotAPicture, path);
    }
    if (kind == Kind::kBmp || kind == Kind::kTiff) {
      throw PictureError(reasons::kUnsupported, path, kind == Kind::kBmp ? "BMP" : "TIFF");
    }
    const Header header = read_header(kind, file);
    if (header.width * header.height > kMaxPixels) {
      throw PictureError(reasons::kTooLarge, path,
                         std::to_string(header.width) + " x " + std::to_string(header.height) + ", limit " +
                             std::to_string(kMaxPixels) + " pixels");
    }
    if (header.animated) {
      throw PictureError(reasons::kUnsupported, path, "animated WebP");
    }
    if (kind == Kind::kPng) {
      return from_png(file, header.orientation, path);
    }
    const Raster raster = run(kind, file, header, path);
    if (raster.channels == 4) {
      to_rgb(raster.data, raster.height * raster.width);
    }
    return {raster.owner, raster.data, raster.height, raster.width, header.orientation};
  } catch (const std::bad_alloc&) {
    throw PictureError(reasons::kOutOfMemory, path);
  }
}

void preprocess(const Picture& picture, int64_t resize, int64_t crop, uint8_t* out) {
  const SerialExecutor here;
  if (picture.orientation == 1) {
    resize_crop(picture.pixels, picture.height, picture.width, 3 * picture.width, resize, crop, out, here);
    return;
  }
  const bool swaps = picture.orientation >= 5;
  const int64_t height = swaps ? picture.width : picture.height;
  const int64_t width = swaps ? picture.height : picture.width;
  const std::vector<uint8_t> upright = turned(picture.pixels, picture.height, picture.width, picture.orientation);
  resize_crop(upright.data(), height, width, 3 * width, resize, crop, out, here);
}

}  // namespace imgsim::app
