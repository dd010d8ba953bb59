// Means over axes.
#pragma once

#include <vector>

#include "parallel.h"
#include "types.h"

namespace imgsim {

/// Mean over the axes of a row-major array for which `reduced` is true; the others keep their order in out.
///
/// No axes at all (a scalar) is fine; a mean over no elements is NaN, as everywhere else.
/// Sums are kept in double and added in fixed pieces, so the error does not grow with the number of elements and the
/// bits do not depend on the threads.
///
/// Memory: a double for each element that is left after the innermost run of reduced axes, and for each piece of
/// 16,384.
void reduce_mean(DType dtype, const void* in, void* out, const std::vector<int64_t>& sizes,
                 const std::vector<bool>& reduced, const Executor& executor);

}  // namespace imgsim
