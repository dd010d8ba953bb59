#include "../axes.h"
#include "reduce.h"
#include "sums.cuh"

namespace imgsim::cuda {
namespace {

constexpr const char* kOp = "reduce_mean";

/// The sums one after the other, each over what the one before has left: of one run of axes after the other, innermost
/// first, and of the pieces of each.
std::vector<Summation> plan(const std::vector<int64_t>& sizes, const std::vector<bool>& reduced) {
  std::vector<Run> runs = runs_of(sizes, reduced);
  std::vector<Summation> steps;
  Cut cut;
  while (cut_innermost(runs, cut)) {
    int64_t count = cut.reduced;
    do {
      steps.push_back({cut.outer, count, cut.inner, count * cut.inner, cut.inner, 1});
      count = steps.back().pieces;
    } while (count > 1);
  }
  if (steps.empty()) {  // nothing is reduced: each element is a sum
    int64_t kept = 1;
    for (const Run& run : runs) {
      kept *= run.size;
    }
    steps.push_back({kept, 1, 1, 1, 1, 1});
  }
  return steps;
}

/// The sums of a step that is not the last go to one of two places in turn.
struct Places {
  double* place[2];
  int64_t bytes;

  Places(const std::vector<Summation>& steps, void* scratch) {
    int64_t most[2] = {0, 0};
    for (size_t i = 0; i + 1 < steps.size(); ++i) {
      most[i % 2] = std::max(most[i % 2], steps[i].sums());
    }
    Parts parts(scratch);
    place[0] = parts.take<double>(most[0]);
    place[1] = parts.take<double>(most[1]);
    bytes = parts.bytes();
  }
};

}  // namespace

int64_t reduce_mean_scratch(const std::vector<int64_t>& sizes, const std::vector<bool>& reduced) {
  return Places(plan(sizes, reduced), nullptr).bytes;
}

void reduce_mean(DType dtype, const void* in, void* out, const std::vector<int64_t>& sizes,
                 const std::vector<bool>& reduced, void* scratch, CUstream_st* stream) {
  double count = 1;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (reduced[axis]) {
      count *= static_cast<double>(sizes[axis]);
    }
  }
  const std::vector<Summation> steps = plan(sizes, reduced);
  const Places places(steps, scratch);
  visit_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto step = [&](size_t i, const auto* from) {
      if (i + 1 == steps.size()) {
        sum_pieces(kOp, from, static_cast<T*>(out), steps[i], count, stream);
      } else {
        sum_pieces(kOp, from, places.place[i % 2], steps[i], 1.0, stream);
      }
    };
    step(0, static_cast<const T*>(in));
    for (size_t i = 1; i < steps.size(); ++i) {
      step(i, static_cast<const double*>(places.place[(i - 1) % 2]));
    }
  });
}

}  // namespace imgsim::cuda
