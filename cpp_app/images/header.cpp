#include "header.h"

#include <cstring>
#include <string_view>

#include "exif.h"

namespace imgsim::app {
namespace {

bool starts_with(Bytes bytes, std::string_view text, size_t at = 0) {
  return bytes.size() >= at + text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

// ITU T.81, annex B: segments of a marker and a length, up to the start of the scan.
Header read_jpeg(Bytes file) {
  Header header;
  bool have_exif = false;
  for (size_t at = 2; at + 4 <= file.size();) {
    if (file[at] != 0xFF) {
      break;
    }
    const uint8_t marker = file[at + 1];
    if (marker == 0xFF) {  // fill bytes may stand before a marker
      ++at;
      continue;
    }
    if (marker == 0xDA || marker == 0xD9) {
      break;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // no length
      at += 2;
      continue;
    }
    const size_t length = big_endian(file, at + 2, 2);
    const Bytes body = slice(file, at + 4, length < 2 ? 0 : length - 2);
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame && body.size() >= 5) {
      header.height = big_endian(body, 1, 2);
      header.width = big_endian(body, 3, 2);
    } else if (marker == 0xE1 && !have_exif && starts_with(body, {"Exif\0\0", 6})) {
      header.orientation = exif_orientation(body.subspan(6));
      have_exif = true;
    }
    at += 2 + std::max<size_t>(length, 2);
  }
  return header;
}

// PNG, third edition: chunks of length, type, body and check sum. EXIF may stand behind the pixels.
Header read_png(Bytes file) {
  Header header;
  for (size_t at = 8; at + 12 <= file.size();) {
    const size_t length = big_endian(file, at, 4);
    if (starts_with(file, "eXIf", at + 4)) {
      header.orientation = exif_orientation(slice(file, at + 8, length));
    }
    at += 12 + length;
  }
  return header;
}

// RFC 9649: RIFF chunks, padded to even sizes.
Header read_webp(Bytes file) {
  Header header;
  for (size_t at = 12; at + 8 <= file.size();) {
    const size_t length = little_endian(file, at + 4, 4);
    const Bytes body = slice(file, at + 8, length);
    if (starts_with(file, "VP8X", at) && body.size() >= 10) {
      header.animated = (body[0] & 0x02) != 0;
      header.alpha = (body[0] & 0x10) != 0;
      header.width = little_endian(body, 4, 3) + 1;
      header.height = little_endian(body, 7, 3) + 1;
    } else if (starts_with(file, "VP8L", at) && body.size() >= 5) {
      const uint32_t bits = little_endian(body, 1, 4);
      header.width = (bits & 0x3FFF) + 1;
      header.height = (bits >> 14 & 0x3FFF) + 1;
      header.alpha = true;  // its own flag is only a hint
    } else if (starts_with(file, "VP8 ", at) && body.size() >= 10) {
      header.width = little_endian(body, 6, 2) & 0x3FFF;
      header.height = little_endian(body, 8, 2) & 0x3FFF;
    } else if (starts_with(file, "EXIF", at)) {
      // Some writers keep the prefix that EXIF has in a JPEG.
      header.orientation = exif_orientation(starts_with(body, {"Exif\0\0", 6}) ? body.subspan(6) : body);
    }
    at += 8 + length + length % 2;
  }
  return header;
}

}  // namespace

Kind picture_kind(Bytes head) {
  using namespace std::string_view_literals;
  if (starts_with(head, "\xff\xd8\xff")) {
    return Kind::kJpeg;
  }
  if (starts_with(head, "\x89PNG\r\n\x1a\n")) {
    return Kind::kPng;
  }
  if (starts_with(head, "RIFF") && starts_with(head, "WEBP", 8)) {
    return Kind::kWebp;
  }
  if (starts_with(head, "GIF87a") || starts_with(head, "GIF89a")) {
    return Kind::kGif;
  }
  if (starts_with(head, "II*\0"sv) || starts_with(head, "MM\0*"sv) || starts_with(head, "II+\0"sv) ||
      starts_with(head, "MM\0+"sv)) {
    return Kind::kTiff;
  }
  // Two letters are a weak signature: ask also for one of the header lengths that BMP has had.
  if (starts_with(head, "BM") && head.size() >= 18 && little_endian(head, 14, 4) >= 12 &&
      little_endian(head, 14, 4) <= 124) {
    return Kind::kBmp;
  }
  return Kind::kNone;
}

Header read_header(Kind kind, Bytes file) {
  switch (kind) {
    case Kind::kJpeg:
      return read_jpeg(file);
    case Kind::kPng:
      return read_png(file);
    case Kind::kWebp:
      return read_webp(file);
    default:
      break;
  }
  Header header;
  if (kind == Kind::kGif && file.size() >= 10) {
    header.width = little_endian(file, 6, 2);
    header.height = little_endian(file, 8, 2);
  }
  return header;
}

}  // namespace imgsim::app
