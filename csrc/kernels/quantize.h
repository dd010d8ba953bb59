// Vectors as small integers.
#pragma once

#include "cosine.h"

namespace imgsim {

/// Writes codes[i][j] = 127 x[i][j] / max_j |x[i][j]|, rounded to the nearest integer, to rows.rows x rows.dim adjacent
/// codes, for floating rows. A row of zeros stays so; a float64 row of nothing above 1e-306 counts as one.
///
/// Returns the first row with an element that is not finite, whose codes mean nothing; -1 where there is none.
/// The quotient 127 / max and its product with x are taken in double, and the product rounded to float before it is
/// rounded to an integer. Cost: two passes over each row, the second from the nearest cache.
int64_t quantize_rows(const Matrix& rows, int8_t* codes, const Executor& executor);

}  // namespace imgsim
