// Writing JSON, and reading the one flat document that a model carries.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imgsim::app {

/// Builds one JSON document from front to back. Commas and quotes are its business, matching braces the caller's.
class Json {
 public:
  Json& open(char bracket);  ///< '{' or '['
  Json& close();
  Json& key(std::string_view name);

  /// Bytes that are not UTF-8 become Python's surrogate escapes, \udc80 to \udcff, so the text is valid whatever the
  /// name.
  Json& value(std::string_view text);
  Json& value(const char* text) { return value(std::string_view(text)); }
  /// Shortest digits that read back as the same number; NaN and infinities are null.
  Json& value(double number);
  Json& value(float number);
  Json& value(std::integral auto number) { return raw(std::to_string(number)); }
  Json& null() { return raw("null"); }

  template <class T>
  Json& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  template <class T>
  Json& value(const std::vector<T>& list) {
    open('[');
    for (const T& item : list) {
      value(item);
    }
    return close();
  }

  const std::string& text() const { return text_; }

 private:
  Json& raw(std::string_view token);
  std::string text_;
  std::string open_;   // the brackets that are still to be closed
  bool first_ = true;  // no comma before what comes next
};

/// The string or number of a key in a flat JSON object, without quotes; nothing where there is no such key.
std::optional<std::string> json_field(const std::string& document, const std::string& key);

}  // namespace imgsim::app
