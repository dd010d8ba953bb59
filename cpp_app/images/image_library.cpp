#include "image_library.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <shared_mutex>
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
struct ZStream {
  const uint8_t* next_in;
  unsigned int avail_in;
  unsigned long total_in;
  uint8_t* next_out;
  unsigned int avail_out;
  unsigned long total_out;
  const char* message;
  void* state;
  void* allocate;
  void* release;
  void* opaque;
  int data_type;
  unsigned long adler;
  unsigned long reserved;
};
constexpr const char* kZlibVersion = "1";  // the library compares the first figure only
constexpr int kZlibOk = 0;
constexpr int kZlibEnd = 1;
constexpr int kZlibStuck = -5;                 // Z_BUF_ERROR: no more input, or no more room
constexpr size_t kZlibMost = size_t{1} << 30;  // its counts of bytes have 32 bits

struct Zlib {
  int (*begin)(ZStream* stream, const char* version, int size) = nullptr;
  int (*inflate)(ZStream* stream, int flush) = nullptr;
  int (*end)(ZStream* stream) = nullptr;
  unsigned long (*crc32)(unsigned long crc, const uint8_t* bytes, unsigned int size) = nullptr;
};
Zlib zlib;

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

Raster call_decoder(Decoder decoder, Bytes file, Mode mode) {
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
    const at::Tensor pixels = stack.at(0).toTensor();
    // The decoders fill (H, W, C) and hand out a (C, H, W) view of it: this is no copy.
    auto owner = std::make_shared<at::Tensor>(pixels.permute({1, 2, 0}).contiguous());
    return {owner, owner->mutable_data_ptr<uint8_t>(), owner->size(0), owner->size(1), owner->size(2)};
  } catch (const c10::Error& error) {
    throw DecoderError(bare_message(error.what_without_backtrace()));
  } catch (const std::runtime_error& error) {
    throw DecoderError(bare_message(error.what()));
  }
}

// What libjpeg says of pixels that are missing or wrong, and then makes up: Python refuses them too
// (imgsim_ops/images/jpeg.py).
constexpr const char* kBroken[] = {"bad Huffman code", "premature end of data segment", "Inconsistent progression"};

// Where the decoders' remarks go while a QuietDecoders lives, and who decodes meanwhile.
std::atomic<int> remarks{-1};
std::shared_mutex deciding;

off_t said() {
  struct stat status{};
  return ::fstat(remarks, &status) == 0 ? status.st_size : 0;
}

/// The first line that was said behind this place: libjpeg says no more of a picture.
std::string said_from(off_t begin) {
  char line[200];
  const ssize_t size = ::pread(remarks, line, sizeof(line), begin);
  return bare_message({line, static_cast<size_t>(std::max<ssize_t>(size, 0))});
}

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
  if (!find(library, "inflateInit_", zlib.begin) || !find(library, "inflate", zlib.inflate) ||
      !find(library, "inflateEnd", zlib.end) || !find(library, "crc32", zlib.crc32)) {
    throw UserError("image library: torchvision's must bring zlib with it (got " + printable(path) + ")");
  }
}

Raster run_decoder(Decoder decoder, Bytes file, Mode mode) {
  {
    const std::shared_lock together(deciding);
    const off_t before = said();
    std::optional<Raster> raster;
    std::exception_ptr error;
    try {
      raster = call_decoder(decoder, file, mode);
    } catch (const DecoderError&) {
      error = std::current_exception();
    }
    if (said() == before) {
      return error ? std::rethrow_exception(error), Raster{} : *raster;
    }
  }
  // Somebody's decoder has said something: once more alone, to know whose.
  const std::unique_lock alone(deciding);
  const off_t before = said();
  const auto require_no_break = [&] {
    const std::string remark = said_from(before);
    for (const char* words : kBroken) {
      if (remark.find(words) != std::string::npos) {
        throw DecoderError(remark);
      }
    }
  };
  try {
    const Raster raster = call_decoder(decoder, file, mode);
    require_no_break();
    return raster;
  } catch (const DecoderError&) {
    require_no_break();
    throw;
  }
}

Inflated zlib_inflate(std::span<const Bytes> pieces, std::span<uint8_t> out) {
  ZStream z{};
  if (zlib.begin(&z, kZlibVersion, sizeof(z)) != kZlibOk) {
    throw std::bad_alloc();
  }
  z.next_out = out.data();
  const auto room = [&] { return static_cast<size_t>(out.data() + out.size() - z.next_out); };
  int result = kZlibOk;
  for (size_t i = 0; i < pieces.size() && room() > 0 && (result == kZlibOk || result == kZlibStuck); ++i) {
    for (Bytes piece = pieces[i]; !piece.empty() && room() > 0; piece = {z.next_in, piece.data() + piece.size()}) {
      z.next_in = piece.data();
      z.avail_in = static_cast<unsigned int>(std::min(piece.size(), kZlibMost));
      z.avail_out = static_cast<unsigned int>(std::min(room(), kZlibMost));
      result = zlib.inflate(&z, 0);
      if (result != kZlibOk) {
        break;
      }
    }
  }
  zlib.end(&z);
  return {out.size() - room(), result != kZlibOk && result != kZlibEnd && result != kZlibStuck};
}

uint32_t zlib_crc32(Bytes bytes) {
  unsigned long crc = 0;
  for (size_t at = 0; at < bytes.size(); at += kZlibMost) {
    const Bytes piece = slice(bytes, at, kZlibMost);
    crc = zlib.crc32(crc, piece.data(), static_cast<unsigned int>(piece.size()));
  }
  return static_cast<uint32_t>(crc);
}

QuietDecoders::QuietDecoders() : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) {
  remarks = ::memfd_create("remarks", MFD_CLOEXEC);
  if (remarks >= 0) {
    ::dup2(remarks, STDERR_FILENO);
  }
}

QuietDecoders::~QuietDecoders() {
  if (saved_ >= 0) {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  } else {
    ::close(STDERR_FILENO);  // as it was
  }
  if (remarks >= 0) {
    ::close(remarks.exchange(-1));
  }
}

}  // namespace imgsim::app
