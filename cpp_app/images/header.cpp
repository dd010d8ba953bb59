#include "header.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exif.h"
#include "image_library.h"
#include "png.h"

namespace imgsim::app {
namespace {

// Longer texts of a PNG are not looked at: a few bytes can stand for gigabytes.
constexpr size_t kLongestText = size_t{1} << 20;

/// How many samples a JPEG has for each pixel, by the sampling of its colours.
double samples_per_pixel(Bytes colours) {
  int across = 1, down = 1, each = 0;
  for (size_t at = 0; at + 3 <= colours.size(); at += 3) {
    const int a = colours[at + 1] >> 4, d = colours[at + 1] & 15;
    across = std::max(across, a);
    down = std::max(down, d);
    each += a * d;
  }
  return static_cast<double>(each) / (across * down);
}

// ITU T.81, annex B: segments of a marker and a length, up to the start of the scan. What stands between them belongs
// to nothing and is passed over, as libjpeg does.
Header read_jpeg(Bytes file) {
  Header header;
  std::vector<uint8_t> exif;
  bool has_exif = false, progressive = false;
  Bytes xmp;
  double samples = 0;
  for (size_t at = 2; at + 4 <= file.size();) {
    const uint8_t marker = file[at + 1];
    if (file[at] != 0xFF || marker == 0xFF) {  // fill bytes may stand before a marker
      ++at;
      continue;
    }
    if (marker == 0xD9) {
      break;
    }
    if (marker > 0x00 && marker < 0xC0) {  // none, or of no meaning
      header.sound = false;
      break;
    }
    if (marker == 0x00 || (marker >= 0xD0 && marker <= 0xD8)) {  // no length
      at += 2;
      continue;
    }
    const size_t length = big_endian(file, at + 2, 2);
    const Bytes body = slice(file, at + 4, length < 2 ? 0 : length - 2);
    if (at + 2 + length > file.size()) {
      break;
    }
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame && body.size() >= 6) {
      header.depth = body[0];
      header.height = big_endian(body, 1, 2);
      header.width = big_endian(body, 3, 2);
      header.colours = body[5];
      progressive = (marker & 0x03) == 2;
      samples = samples_per_pixel(body.subspan(6));
    } else if (marker == 0xE1 && starts_with(body, {"Exif\0\0", 6})) {
      exif.insert(exif.end(), body.begin() + (has_exif ? 6 : 0), body.end());  // a long one comes in several
      has_exif = true;
    } else if (marker == 0xE1 && starts_with(body, {"http://ns.adobe.com/xap/1.0/\0", 29})) {
      xmp = body.subspan(29);
    } else if (marker == 0xDA) {
      header.reaches_pixels = true;
      const bool many_scans = !body.empty() && body[0] < header.colours;
      // Where a block comes in several scans all coefficients, two bytes each, are kept until the end.
      header.held = (progressive || many_scans ? 2 * samples : 0) + (header.colours == 4 ? 4 : 3);
      break;
    }
    at += 2 + std::max<size_t>(length, 2);
  }
  header.orientation = orientation(has_exif ? std::optional<Bytes>(exif) : std::nullopt, xmp);
  return header;
}

/// The text of a chunk of PNG by its key, of which the caller knows that it has one; empty where it is broken.
std::string png_text(const PngChunk& chunk, size_t key) {
  Bytes rest = chunk.body.subspan(std::min(chunk.body.size(), key + 1));
  bool compressed = chunk.is("zTXt");
  if (chunk.is("iTXt")) {
    if (rest.size() < 2 || (rest[0] != 0 && rest[1] != 0)) {
      return "";
    }
    compressed = rest[0] != 0;
    rest = rest.subspan(2);
    for (int i = 0; i < 2; ++i) {  // language, key in that language
      const auto end = std::find(rest.begin(), rest.end(), 0);
      if (end == rest.end()) {
        return "";
      }
      rest = rest.subspan(end - rest.begin() + 1);
    }
  } else if (compressed) {
    if (!rest.empty() && rest[0] != 0) {
      return "";
    }
    rest = rest.subspan(std::min<size_t>(rest.size(), 1));
  }
  if (!compressed) {
    return {rest.begin(), rest.end()};
  }
  std::string text(kLongestText + 1, '\0');
  const Inflated result = zlib_inflate({&rest, 1}, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  text.resize(result.broken || result.size > kLongestText ? 0 : result.size);
  return text;
}

/// The bytes that ImageMagick writes as lines of figures, behind three others.
std::vector<uint8_t> from_hex(std::string_view text) {
  for (int i = 0; i < 3; ++i) {
    const size_t end = text.find('\n');
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](unsigned char c) { return !std::isspace(c); });
  if (digits.size() % 2 != 0 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) {
    return {0};  // broken
  }
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// PNG, third edition. EXIF may stand behind the pixels.
Header read_png(Bytes file) {
  Header header;
  std::optional<Bytes> exif;
  std::string xmp;
  std::optional<std::vector<uint8_t>> profile;
  for (const PngChunk& chunk : png_chunks(file)) {
    const std::string_view body(reinterpret_cast<const char*>(chunk.body.data()), chunk.body.size());
    const std::string_view key = body.substr(0, body.find('\0'));
    const bool text = chunk.is("tEXt") || chunk.is("zTXt") || chunk.is("iTXt");
    if (chunk.is("eXIf") && chunk.sound()) {
      exif = chunk.body;
    } else if (text && key == "XML:com.adobe.xmp" && chunk.sound()) {
      xmp = png_text(chunk, key.size());
    } else if (text && key == "Raw profile type exif" && chunk.sound()) {
      profile = from_hex(png_text(chunk, key.size()));
    }
  }
  if (!exif && profile) {
    exif = *profile;
  }
  header.orientation = orientation(exif, {reinterpret_cast<const uint8_t*>(xmp.data()), xmp.size()});
  header.reaches_pixels = true;
  return header;
}

/// Whether a frame of an animation has the chunk of a picture.
bool holds_picture(Bytes frame) {
  size_t at = 16;
  if (starts_with(frame, "ALPH", at) && frame.size() >= at + 8) {
    const size_t length = little_endian(frame, at + 4, 4);
    at += 8 + length + length % 2;
  }
  return starts_with(frame, "VP8 ", at) || starts_with(frame, "VP8L", at);
}

// RFC 9649: RIFF chunks, padded to even sizes.
Header read_webp(Bytes file) {
  Header header;
  std::optional<Bytes> exif;
  Bytes xmp;
  bool has_exif = false, has_xmp = false;  // libwebp looks only at those that the header announces
  bool extended = false, frames_sound = true;
  size_t begin = 0;  // of the chunks of the picture
  int count = 0;
  const size_t promised = size_t{8} + little_endian(file, 4, 4);
  const bool whole = promised <= file.size();
  file = slice(file, 0, promised);
  for (size_t at = 12; at + 8 <= file.size();) {
    const size_t length = little_endian(file, at + 4, 4);
    const Bytes body = slice(file, at + 8, length);
    if (starts_with(file, "VP8X", at) && body.size() >= 10) {
      header.animated = (body[0] & 0x02) != 0;
      header.alpha = (body[0] & 0x10) != 0;
      has_exif = (body[0] & 0x08) != 0;
      has_xmp = (body[0] & 0x04) != 0;
      extended = true;
      header.width = little_endian(body, 4, 3) + 1;
      header.height = little_endian(body, 7, 3) + 1;
    } else if (starts_with(file, "VP8L", at) && body.size() >= 5) {
      const uint32_t bits = little_endian(body, 1, 4);
      if (!extended) {
        header.width = (bits & 0x3FFF) + 1;
        header.height = (bits >> 14 & 0x3FFF) + 1;
      }
      header.alpha = true;  // its own flag is only a hint
    } else if (starts_with(file, "VP8 ", at) && body.size() >= 10 && !extended) {
      header.width = little_endian(body, 6, 2) & 0x3FFF;
      header.height = little_endian(body, 8, 2) & 0x3FFF;
    } else if (starts_with(file, "ANMF", at)) {
      frames_sound &= holds_picture(body);
      header.first_frame = header.first_frame.empty() ? body : header.first_frame;
    } else if (starts_with(file, "ALPH", at)) {
      begin = at;
    } else if (starts_with(file, "EXIF", at) && has_exif && !exif) {
      exif = body;
    } else if (starts_with(file, "XMP ", at) && has_xmp && xmp.empty()) {
      xmp = body;
    }
    const bool picture = starts_with(file, "VP8 ", at) || starts_with(file, "VP8L", at);
    if (picture && !header.animated && header.chunks.empty()) {
      begin = begin == 0 ? at : begin;
      header.chunks = slice(file, begin, at + 8 + length - begin);
    }
    at += 8 + length + length % 2;
    ++count;
    // Of a file of just a picture libwebp looks no further than at what follows it.
    header.sound = frames_sound && (at == file.size() || (!extended && at < file.size() && count > 1));
  }
  header.sound &= whole;
  header.orientation = orientation(exif, xmp);
  header.held = 16;
  return header;
}

}  // namespace

Header read_header(std::string_view format, Bytes file) {
  if (format == "JPEG") {
    return read_jpeg(file);
  }
  if (format == "PNG") {
    return read_png(file);
  }
  return read_webp(file);
}

}  // namespace imgsim::app
