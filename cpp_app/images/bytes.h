// Numbers and pieces of a file in memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace imgsim::app {

using Bytes = std::span<const uint8_t>;

/// The unsigned number in `size` bytes, most significant first; the caller has checked that they are there.
inline uint32_t big_endian(Bytes bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    value = value << 8 | bytes[at + i];
  }
  return value;
}

inline uint32_t little_endian(Bytes bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) {
    value = value << 8 | bytes[at + i];
  }
  return value;
}

inline bool starts_with(Bytes bytes, std::string_view text, size_t at = 0) {
  return bytes.size() >= at + text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

/// What there is of `size` bytes from `at` on.
inline Bytes slice(Bytes bytes, size_t at, size_t size) {
  return at >= bytes.size() ? Bytes{} : bytes.subspan(at, std::min(size, bytes.size() - at));
}

}  // namespace imgsim::app
