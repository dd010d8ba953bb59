// Means over axes.
#pragma once

#include "parallel.h"
#include "types.h"

namespace imgsim {

/// Mean over the middle axis of a row-major (outer, reduced, inner) array into (outer, inner).
///
/// Sums are kept in double and added in fixed chunks, so the error does not grow with `reduced` and the bits do
/// not depend on the threads. reduced == 0 gives NaN, as a mean of nothing does everywhere else.
void reduce_mean(DType dtype, const void* in, void* out, int64_t outer, int64_t reduced, int64_t inner,
                 const Executor& executor);

}  // namespace imgsim
