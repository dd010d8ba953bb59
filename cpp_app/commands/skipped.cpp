#include "skipped.h"

#include <cstdio>

#include "output.h"

namespace imgsim::app {

int report_skipped(const std::vector<Skipped>& skipped) {
  flush_output();  // so that the two come in order where both go to one file
  for (const Skipped& file : skipped) {
    std::fprintf(stderr, "skipped: %s: %s\n", file.code.c_str(), file.message.c_str());
  }
  return skipped.empty() ? 0 : 3;
}

void add_skipped(Json& json, const std::vector<Skipped>& skipped) {
  json.key("skipped").open('[');
  for (const Skipped& file : skipped) {
    json.open('{').field("path", file.path).field("code", file.code).field("message", file.message).close();
  }
  json.close();
}

}  // namespace imgsim::app
