// Names and numbers as text. A POSIX name is any bytes but '/' and NUL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imgsim::app {

/// One character of a text that claims to be UTF-8.
struct Character {
  uint32_t code;  ///< The code point, or the byte where the text is not UTF-8.
  size_t size;    ///< In bytes.
  bool valid;     ///< Whether it is UTF-8.
};

/// The first character of a text that is not empty.
Character first_character(std::string_view text);

/// One line that any terminal can take: control characters and bytes that are not UTF-8 are escaped as Python does.
std::string printable(std::string_view text);

/// 1234567 as "1,234,567".
std::string grouped(int64_t number);

}  // namespace imgsim::app
