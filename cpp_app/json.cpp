#include "json.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <regex>

#include "text.h"

namespace imgsim::app {
namespace {

template <class Number>
std::string shortest(Number number) {
  if (!std::isfinite(number)) {
    return "null";
  }
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  return {digits, end};
}

}  // namespace

Json& Json::raw(std::string_view token) {
  if (!first_) {
    text_ += ", ";
  }
  text_ += token;
  first_ = false;
  return *this;
}

Json& Json::open(char bracket) {
  raw(std::string_view(&bracket, 1));
  open_ += bracket == '{' ? '}' : ']';
  first_ = true;
  return *this;
}

Json& Json::close() {
  text_ += open_.back();
  open_.pop_back();
  first_ = false;
  return *this;
}

Json& Json::key(std::string_view name) {
  value(name);
  text_ += ": ";
  first_ = true;
  return *this;
}

Json& Json::value(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const Character c = first_character(text);
    char escape[16];
    if (!c.valid) {
      std::snprintf(escape, sizeof(escape), "\\udc%02x", c.code);
      quoted += escape;
    } else if (c.code < 0x20 || c.code == 0x7F) {
      std::snprintf(escape, sizeof(escape), "\\u%04x", c.code);
      quoted += escape;
    } else {
      if (c.code == '"' || c.code == '\\') {
        quoted += '\\';
      }
      quoted += text.substr(0, c.size);
    }
    text.remove_prefix(c.size);
  }
  return raw(quoted + '"');
}

Json& Json::value(double number) { return raw(shortest(number)); }
Json& Json::value(float number) { return raw(shortest(number)); }

std::optional<std::string> json_field(const std::string& document, const std::string& key) {
  const std::regex field('"' + key + R"re("\s*:\s*(?:"([^"\\]*)"|(-?[0-9][0-9.eE+-]*)))re");
  std::smatch match;
  if (!std::regex_search(document, match, field)) {
    return std::nullopt;
  }
  return match[1].matched ? match[1].str() : match[2].str();
}

}  // namespace imgsim::app
