// What a file is: told by its content, and where that has no signature by what its name claims.
#pragma once

#include <string>
#include <string_view>

#include "bytes.h"

namespace imgsim::app {

/// How many bytes of a file's beginning, and of TGA of its end, tell its format.
inline constexpr size_t kHeadSize = 128;

/// The format that a name claims, by the words of imgsim_ops/images/formats.py: a picture's, read here or not, or
/// `video`, `svg` or `pdf`; empty where it claims none.
std::string_view claimed_format(const std::string& path);

/// Whether the format that a name claims is the only thing that files of such names are.
bool is_surely_meant(const std::string& path);

/// The format of a file by the `kHeadSize` bytes, or more, of its beginning and its end, in the same words; empty where
/// it is none of them. A raw file may be called TIFF, which it is too.
std::string_view picture_format(Bytes head, Bytes tail, const std::string& path);

/// Whether imgsim_app reads a format.
bool is_read(std::string_view format);

/// Whether it is no picture itself, but draws or holds some.
bool is_aside(std::string_view format);

}  // namespace imgsim::app
