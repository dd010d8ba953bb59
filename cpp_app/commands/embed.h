// Pictures to vectors.
#pragma once

#include "arguments.h"

namespace imgsim::app {

/// Prints the vectors; returns the exit code. Throws UserError.
int embed(const Arguments& arguments);

}  // namespace imgsim::app
