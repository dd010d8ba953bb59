// Whether this library's kernels for CUDA are the ones of the process. They replace nothing: the name is only a mark.

#include "cuda_bridge.h"
#include "registration.h"

bool imgsim::binding::registers() {
  static const Namespace mark("imgsim_kernels_" C10_STRINGIZE(IMGSIM_CUDA_KEY));
  return mark.ours();
}
