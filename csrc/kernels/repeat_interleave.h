// Repeating elements in place.
#pragma once

#include "parallel.h"

namespace imgsim {

/// Copies a row-major (count, block) array of bytes to (count, repeats, block): each block `repeats` times in a row.
/// Any element type: only block_bytes is looked at. in and out must not overlap; zero sizes are fine.
void repeat_interleave(const void* in, void* out, int64_t count, int64_t block_bytes, int64_t repeats,
                       const Executor& executor);

}  // namespace imgsim
