// Mean and standard deviation over many pictures, and what threads do for it.
#pragma once

#include "arguments.h"

namespace imgsim::app {

/// Prints the statistics and the table; returns the exit code. Throws UserError.
int stats(const Arguments& arguments);

}  // namespace imgsim::app
