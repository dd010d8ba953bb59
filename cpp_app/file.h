// Opening a file that may be anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace imgsim::app {

/// The content of a regular, non-empty file, or its first or its last `limit` bytes. Nothing else is opened: opening a
/// pipe blocks, and opening some devices acts on them.
///
/// Throws PictureError: missing, broken_link, unreadable, folder, special or empty.
std::vector<uint8_t> read_regular(const std::string& path, size_t limit = SIZE_MAX, bool last = false);

}  // namespace imgsim::app
