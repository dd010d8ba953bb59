#include "decode.h"

#include <algorithm>
#include <new>

#include "errors.h"
#include "exif.h"
#include "file.h"
#include "formats.h"
#include "gif.h"
#include "header.h"
#include "image_library.h"
#include "kernels/resize_crop.h"
#include "limits.h"
#include "pixels.h"
#include "png.h"

namespace imgsim::app {
namespace {

/// Whether a decoder's words, or the file's own length field, say that it ends early.
bool ends_early(std::string_view format, Bytes file, const std::string& message) {
  if (format == "WEBP" && file.size() >= 8) {
    const size_t promised = size_t{8} + little_endian(file, 4, 4);
    return promised > file.size();
  }
  return message.find("truncated") != std::string::npos;
}

/// A WebP, of an animation the first frame on a canvas of nothing (RFC 9649, 2.7.1.1). The decoder sees the picture's
/// own chunks only: it would take the bytes behind a broken one for more of it.
Raster run_webp(const Header& header) {
  constexpr size_t kFrameHeader = 16, kBefore = 30;
  int64_t x = 0, y = 0, width = header.width, height = header.height;
  Bytes chunks = header.chunks;
  if (header.animated && header.first_frame.size() >= kFrameHeader) {
    const auto at = [&](size_t place) { return static_cast<int64_t>(little_endian(header.first_frame, place, 3)); };
    x = 2 * at(0);
    y = 2 * at(3);
    width = at(6) + 1;
    height = at(9) + 1;
    chunks = header.first_frame.subspan(kFrameHeader);
  }
  std::vector<uint8_t> file{'R', 'I', 'F', 'F', 0,  0, 0, 0, 'W',  'E', 'B', 'P',
                            'V', 'P', '8', 'X', 10, 0, 0, 0, 0x10, 0,   0,   0};
  file.resize(kBefore + chunks.size() + chunks.size() % 2);
  const auto write = [&](size_t place, size_t size, int64_t value) {
    for (size_t i = 0; i < size; ++i) {
      file[place + i] = static_cast<uint8_t>(value >> (8 * i));
    }
  };
  write(4, 4, static_cast<int64_t>(file.size()) - 8);
  write(24, 3, width - 1);
  write(27, 3, height - 1);
  std::copy(chunks.begin(), chunks.end(), file.begin() + kBefore);
  const Raster raster = run_decoder(Decoder::kWebp, file, header.alpha ? Mode::kRgba : Mode::kRgb);
  if (raster.width != width || raster.height != height || x + width > header.width || y + height > header.height) {
    throw DecoderError("a frame beyond its canvas");
  }
  if (width == header.width && height == header.height) {
    return raster;
  }
  const int64_t channels = raster.channels;
  auto canvas = std::make_shared<std::vector<uint8_t>>(channels * header.width * header.height);
  for (int64_t r = 0; r < height; ++r) {
    std::copy_n(raster.data + channels * r * width, channels * width,
                canvas->data() + channels * ((y + r) * header.width + x));
  }
  return {canvas, canvas->data(), header.height, header.width, channels};
}

Raster run(std::string_view format, Bytes file, const Header& header, const std::string& path) {
  try {
    if (!header.sound) {
      throw DecoderError("the parts of the file do not fit together");
    }
    if (format == "JPEG") {
      // A lossless one cannot change its colours while it is read.
      return run_decoder(Decoder::kJpeg, file, header.colours == 1 ? Mode::kGrey : Mode::kRgb);
    }
    return run_webp(header);
  } catch (const DecoderError& error) {
    const std::string message = error.what();
    if (message.find("allocate memory") != std::string::npos) {
      throw PictureError(reasons::kOutOfMemory, path);
    }
    throw PictureError(ends_early(format, file, message) ? reasons::kTruncated : reasons::kDamaged, path, message);
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

void check_jpeg(const Header& header, const std::string& path) {
  if (header.depth != 8) {
    throw PictureError(reasons::kUnsupported, path, "JPEG of " + std::to_string(header.depth) + " bits");
  }
  if (header.colours != 1 && header.colours != 3 && header.colours != 4) {
    throw PictureError(reasons::kUnsupported, path, "JPEG of " + std::to_string(header.colours) + " colours");
  }
  if (!header.reaches_pixels && header.sound) {
    throw PictureError(reasons::kTruncated, path);
  }
}

Picture from(RgbPixels&& decoded, int orientation) {
  auto owner = std::make_shared<RgbPixels>(std::move(decoded));
  uint8_t* pixels = owner->values.data();
  const int64_t height = owner->height, width = owner->width;
  return {std::move(owner), pixels, height, width, orientation};
}

/// Values (count, 1) as (count, 3).
RgbPixels spread(const Raster& grey) {
  RgbPixels out{std::vector<uint8_t>(3 * grey.height * grey.width), grey.height, grey.width};
  for (int64_t i = 0; i < grey.height * grey.width; ++i) {
    std::fill_n(out.values.data() + 3 * i, 3, grey.data[i]);
  }
  return out;
}

}  // namespace

Picture decode(const std::string& path) {
  try {
    const std::vector<uint8_t> file = read_regular(path);
    const std::string_view format = picture_format(file, file, path);
    if (format.empty() || is_aside(format)) {
      throw PictureError(reasons::kNotAPicture, path, std::string(format));
    }
    if (!is_read(format)) {
      throw PictureError(reasons::kUnsupported, path, std::string(format));
    }
    if (format == "GIF") {
      return from(decode_gif(file, path), 1);
    }
    const Header header = read_header(format, file);
    if (format == "PNG") {
      return from(decode_png(file, path), header.orientation);
    }
    if (format == "JPEG") {
      check_jpeg(header, path);
    }
    check_size(header.width, header.height, header.held, path);
    const Raster raster = run(format, file, header, path);
    if (raster.channels == 1) {
      return from(spread(raster), header.orientation);
    }
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
