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

/// The first frame of an animated WebP on a canvas of nothing (RFC 9649, 2.7.1.1).
Raster run_first_frame(const Header& header) {
  constexpr size_t kFrameHeader = 16;
  const Bytes frame = header.first_frame;
  if (frame.size() < kFrameHeader) {
    throw DecoderError("an animation without a frame");
  }
  const int64_t x = 2 * little_endian(frame, 0, 3), y = 2 * little_endian(frame, 3, 3);
  const int64_t width = little_endian(frame, 6, 3) + 1, height = little_endian(frame, 9, 3) + 1;
  // The same chunks make a picture that stands still, with alpha.
  constexpr size_t kBefore = 30;
  std::vector<uint8_t> still(kBefore + frame.size() - kFrameHeader);
  constexpr uint8_t kHead[] = {'R', 'I', 'F', 'F', 0,  0, 0, 0, 'W',  'E', 'B', 'P',
                               'V', 'P', '8', 'X', 10, 0, 0, 0, 0x10, 0,   0,   0};
  std::copy(std::begin(kHead), std::end(kHead), still.begin());
  for (int i = 0; i < 4; ++i) {
    still[4 + i] = static_cast<uint8_t>((still.size() - 8) >> (8 * i));
  }
  std::copy_n(frame.begin() + 6, 6, still.begin() + 24);
  std::copy(frame.begin() + kFrameHeader, frame.end(), still.begin() + kBefore);
  const Raster raster = run_decoder(Decoder::kWebp, still, Mode::kRgba);
  if (raster.width != width || raster.height != height || x + width > header.width || y + height > header.height) {
    throw DecoderError("a frame beyond its canvas");
  }
  const int64_t channels = header.alpha ? 4 : 3;
  auto canvas = std::make_shared<std::vector<uint8_t>>(channels * header.width * header.height);
  for (int64_t r = 0; r < height; ++r) {
    for (int64_t c = 0; c < width; ++c) {
      std::copy_n(raster.data + 4 * (r * width + c), channels,
                  canvas->data() + channels * ((y + r) * header.width + x + c));
    }
  }
  return {canvas, canvas->data(), header.height, header.width, channels};
}

Raster run(std::string_view format, Bytes file, const Header& header, const std::string& path) {
  try {
    if (format == "JPEG") {
      // A lossless one cannot change its colours while it is read.
      return run_decoder(Decoder::kJpeg, file, header.colours == 1 ? Mode::kGrey : Mode::kRgb);
    }
    if (!header.sound) {
      throw DecoderError("the chunks do not fill the file");
    }
    if (header.animated) {
      return run_first_frame(header);
    }
    return run_decoder(Decoder::kWebp, file, header.alpha ? Mode::kRgba : Mode::kRgb);
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
  if (!header.reaches_pixels) {
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
