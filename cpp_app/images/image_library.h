// torchvision's image library: its decoders, called through PyTorch's dispatcher, and the zlib that comes with it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>

#include "bytes.h"

namespace imgsim::app {

/// Decoded pixels: uint8 (height, width, channels), adjacent. Nobody else holds them.
struct Raster {
  std::shared_ptr<void> owner;
  uint8_t* data;
  int64_t height;
  int64_t width;
  int64_t channels;
};

/// What a decoder says about content that it refuses.
class DecoderError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Opens torchvision's image library: the one found when the program was built, or the file that the environment
/// variable IMGSIM_TORCHVISION_IMAGE names. Throws UserError. Call it once, before any thread decodes.
void load_image_library();

enum class Decoder { kJpeg, kWebp };
/// Channels to decode to; values of torchvision's ImageReadMode.
enum class Mode { kGrey = 1, kRgb = 3, kRgba = 4 };

/// Decodes a whole file in memory on the calling thread. Throws DecoderError, also where pixels were made up.
Raster run_decoder(Decoder decoder, Bytes file, Mode mode);

struct Inflated {
  size_t size;  ///< Bytes written.
  bool broken;  ///< The stream makes no sense from there on; else it ended, or there was no more room.
};

/// Fills `out` from a zlib stream in pieces. What goes beyond `out` is ignored.
Inflated zlib_inflate(std::span<const Bytes> pieces, std::span<uint8_t> out);

/// CRC-32 as PNG has it.
uint32_t zlib_crc32(Bytes bytes);

/// While one lives, what is written to stderr is kept from the user: libjpeg and libwebp write remarks there, without
/// the file's name. run_decoder() reads them. Only on the main thread, around the decoding; not nested.
class QuietDecoders {
 public:
  QuietDecoders();
  ~QuietDecoders();
  QuietDecoders(const QuietDecoders&) = delete;
  QuietDecoders& operator=(const QuietDecoders&) = delete;

 private:
  int saved_;
};

}  // namespace imgsim::app
