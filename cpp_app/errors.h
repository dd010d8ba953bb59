// What ends a run with exit code 2, and what is wrong with a picture.
#pragma once

#include <stdexcept>
#include <string>

namespace imgsim::app {

/// The user can do something about it: one line on stderr and exit code 2.
class UserError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Why a file cannot be read as a picture. The codes are those of the Python package (imgsim_ops/files/reasons.py).
struct Reason {
  const char* code;
  const char* sentence;
};

namespace reasons {
inline constexpr Reason kMissing{"missing", "there must be a file of this name"};
inline constexpr Reason kBrokenLink{"broken_link", "a link must lead to a file, not nowhere or round in a circle"};
inline constexpr Reason kUnreadable{"unreadable", "the file must be readable: its permissions or its disk refuse"};
inline constexpr Reason kFolder{"folder", "a picture is a file, and this is a folder"};
inline constexpr Reason kSpecial{"special", "a picture is a regular file, not a pipe, a socket or a device"};
inline constexpr Reason kEmpty{"empty", "the file must not have zero bytes"};
inline constexpr Reason kNotAPicture{
    "not_a_picture", "the content must be of a format that pictures have (docs/formats.md), whatever the name says"};
inline constexpr Reason kTruncated{"truncated", "the file must be whole, and this one ends early"};
inline constexpr Reason kDamaged{"damaged", "the content must be sound, and the decoder refuses it"};
inline constexpr Reason kUnsupported{
    "unsupported", "imgsim_app reads JPEG, PNG, WebP and GIF, and not all kinds of pixels (docs/formats.md)"};
inline constexpr Reason kTooLarge{"too_large", "the picture must not have more pixels than the limit"};
inline constexpr Reason kOutOfMemory{"out_of_memory", "there must be enough memory to decode the picture"};
}  // namespace reasons

/// A file that is no whole, sound picture. In a comparison it ends the run; in a folder it is skipped.
class PictureError : public UserError {
 public:
  PictureError(const Reason& reason, const std::string& path, const std::string& detail = "");
  const char* code() const { return code_; }

 private:
  const char* code_;
};

}  // namespace imgsim::app
