// Files that could not be read, and how they are reported.
#pragma once

#include <string>
#include <vector>

#include "json.h"

namespace imgsim::app {

struct Skipped {
  std::string path;
  std::string code;
  std::string message;
};

/// Names each file on stderr; returns the exit code: 3, or 0 where there is none.
int report_skipped(const std::vector<Skipped>& skipped);

/// Adds the field "skipped" to an open object.
void add_skipped(Json& json, const std::vector<Skipped>& skipped);

}  // namespace imgsim::app
