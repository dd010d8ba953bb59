#include "text.h"

#include <cstdio>

namespace imgsim::app {

Character first_character(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) {
    return {lead, 1, true};
  }
  const size_t size = lead >= 0xF0 && lead <= 0xF4  ? 4
                      : lead >= 0xE0 && lead < 0xF0 ? 3
                      : lead >= 0xC2 && lead < 0xE0 ? 2
                                                    : 0;
  if (size == 0 || text.size() < size) {
    return {lead, 1, false};
  }
  uint32_t code = lead & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte & 0xC0) != 0x80) {
      return {lead, 1, false};
    }
    code = code << 6 | (byte & 0x3F);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return overlong || surrogate || code > 0x10FFFF ? Character{lead, 1, false} : Character{code, size, true};
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character c = first_character(text);
    // The C1 controls, line and paragraph separators and the marks that turn the direction of writing are no better
    // than a terminal escape.
    const bool control = c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0) || (c.code >= 0x200B && c.code <= 0x200F) ||
                         (c.code >= 0x2028 && c.code <= 0x202E) || (c.code >= 0x2066 && c.code <= 0x2069) ||
                         c.code == 0xFEFF;
    char escape[16];
    if (c.valid && !control) {
      out += text.substr(0, c.size);
    } else if (c.valid && c.code == '\n') {
      out += "\\n";
    } else if (c.valid && c.code == '\t') {
      out += "\\t";
    } else if (c.valid && c.code == '\r') {
      out += "\\r";
    } else {
      std::snprintf(escape, sizeof(escape), c.code < 0x100 ? "\\x%02x" : "\\u%04x", c.code);
      out += escape;
    }
    text.remove_prefix(c.size);
  }
  return out;
}

std::string grouped(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && digits[i - 1] != '-' && (digits.size() - i) % 3 == 0) {
      out += ',';
    }
    out += digits[i];
  }
  return out;
}

}  // namespace imgsim::app
