#include "image_library.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "errors.h"
#include "text.h"

namespace imgsim::app {
namespace {

const char* operator_name(Decoder decoder) {
  switch (decoder) {
    case Decoder::kJpeg:
      return "image::decode_jpeg";
    case Decoder::kWebp:
      return "image::decode_webp";
    case Decoder::kGif:
      return "image::decode_gif";
  }
  return "";
}

/// The last part of "function, file.cpp:line, message": the first two are about the machine that built torchvision.
std::string bare_message(const std::string& what) {
  const std::string line = what.substr(0, what.find('\n'));
  const size_t file = line.find(".cpp:");
  const size_t comma = file == std::string::npos ? file : line.find(", ", file);
  return comma == std::string::npos ? line : line.substr(comma + 2);
}

// zlib's stable interface; its header need not be installed.
using Uncompress = int (*)(uint8_t* out, unsigned long* out_size, const uint8_t* in, unsigned long in_size);
using Crc32 = unsigned long (*)(unsigned long crc, const uint8_t* bytes, unsigned int size);
constexpr int kZlibOk = 0;
constexpr int kZlibFull = -5;  // Z_BUF_ERROR: the stream goes on, but out is full

Uncompress uncompress_function = nullptr;
Crc32 crc32_function = nullptr;

}  // namespace

void load_image_library() {
  const char* chosen = std::getenv("IMGSIM_TORCHVISION_IMAGE");
  const char* path = chosen != nullptr && *chosen != '\0' ? chosen : IMGSIM_TORCHVISION_IMAGE;
  // Lazily: it names functions of CUDA that are not there and never called (see CMakeLists.txt).
  void* library = ::dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    throw UserError(
        "image library: torchvision's must load; name it in IMGSIM_TORCHVISION_IMAGE or build imgsim_app again (got " +
        printable(::dlerror()) + ")");
  }
  if (!c10::Dispatcher::singleton().findSchema({operator_name(Decoder::kJpeg), ""})) {
    throw UserError("image library: the file must be torchvision's image library (got " + printable(path) + ")");
  }
  // Its libpng brings zlib with it, and a search through a library goes through what it needs.
  uncompress_function = reinterpret_cast<Uncompress>(::dlsym(library, "uncompress"));
  crc32_function = reinterpret_cast<Crc32>(::dlsym(library, "crc32"));
  if (uncompress_function == nullptr || crc32_function == nullptr) {
    throw UserError("image library: torchvision's must bring zlib with it (got " + printable(path) + ")");
  }
}

Raster run_decoder(Decoder decoder, Bytes file, Mode mode) {
  try {
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(operator_name(decoder), "");
    // The decoders only read; from_blob has no const form.
    const at::Tensor data =
        at::from_blob(const_cast<uint8_t*>(file.data()), {static_cast<int64_t>(file.size())}, at::kByte);
    torch::jit::Stack stack{data};
    for (const c10::Argument& argument : op.schema().arguments()) {
      if (argument.name() == "mode") {
        stack.emplace_back(static_cast<int64_t>(mode));
      } else if (argument.default_value()) {  // apply_exif_orientation, in the versions that have it: exif.h does that
        stack.push_back(*argument.default_value());
      }
    }
    op.callBoxed(stack);
    at::Tensor pixels = stack.at(0).toTensor();
    if (pixels.dim() == 4) {  // frames of a GIF
      pixels = pixels[0];
    }
    // The decoders fill (H, W, C) and hand out a (C, H, W) view of it: this is no copy.
    auto owner = std::make_shared<at::Tensor>(pixels.permute({1, 2, 0}).contiguous());
    return {owner, owner->mutable_data_ptr<uint8_t>(), owner->size(0), owner->size(1), owner->size(2)};
  } catch (const c10::Error& error) {
    throw DecoderError(bare_message(error.what_without_backtrace()));
  } catch (const std::runtime_error& error) {
    throw DecoderError(bare_message(error.what()));
  }
}

bool zlib_inflate(Bytes stream, std::span<uint8_t> out) {
  unsigned long size = out.size();
  const int result = uncompress_function(out.data(), &size, stream.data(), stream.size());
  return size == out.size() && (result == kZlibOk || result == kZlibFull);
}

uint32_t zlib_crc32(Bytes bytes) {
  return static_cast<uint32_t>(crc32_function(0, bytes.data(), static_cast<unsigned int>(bytes.size())));
}

QuietDecoders::QuietDecoders() : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (saved_ >= 0 && nowhere >= 0) {
    ::dup2(nowhere, STDERR_FILENO);
  }
  if (nowhere >= 0) {
    ::close(nowhere);
  }
}

QuietDecoders::~QuietDecoders() {
  if (saved_ >= 0) {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }
}

}  // namespace imgsim::app
