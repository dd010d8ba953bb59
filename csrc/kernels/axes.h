// Neighbouring axes of an array, of which some are reduced, as few as possible.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

namespace imgsim {

struct Run {
  int64_t size;
  bool reduced;
};

/// Neighbouring axes of one kind as one. An array without axes is one kept element.
inline std::vector<Run> runs_of(const std::vector<int64_t>& sizes, const std::vector<bool>& reduced) {
  std::vector<Run> runs;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (runs.empty() || runs.back().reduced != reduced[axis]) {
      runs.push_back({1, reduced[axis]});
    }
    runs.back().size *= sizes[axis];
  }
  return runs;
}

/// What is outside of the innermost reduced run, its size, and what is inside.
struct Cut {
  int64_t outer = 1;
  int64_t reduced = 1;
  int64_t inner = 1;
};

/// Takes the innermost reduced run out of `runs`; false, and nothing done, where there is none.
inline bool cut_innermost(std::vector<Run>& runs, Cut& cut) {
  const auto found = std::find_if(runs.rbegin(), runs.rend(), [](const Run& run) { return run.reduced; });
  if (found == runs.rend()) {
    return false;
  }
  cut = {1, found->size, 1};
  for (auto run = runs.rbegin(); run != found; ++run) {
    cut.inner *= run->size;
  }
  for (auto run = found + 1; run != runs.rend(); ++run) {
    cut.outer *= run->size;
  }
  runs.erase(std::next(found).base());
  return true;
}

}  // namespace imgsim
