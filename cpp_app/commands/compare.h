// Two pictures to a similarity, with the time of each step.
#pragma once

#include "arguments.h"

namespace imgsim::app {

/// Prints the similarity; returns the exit code. Throws UserError.
int compare(const Arguments& arguments);

}  // namespace imgsim::app
