// Launchers of the CUDA cosines; no torch types, no CUDA header needed to include it.
//
// Every score in an answer is that of imgsim/kernels/cosine.h: sums in double, rounded once. So a pair has one score
// wherever it is asked for, the same on every GPU; before the rounding it may differ from the CPU's in the last bits of a
// double. cosine_topk and cosine_pairs first bound scores by products on tensor cores, as they lie in float16 or bfloat16
// elements, as TF32 in all others, and score exactly only what may be in the answer; see screen.cuh.
#pragma once

#include <cstdint>

#include "../cosine.h"

struct CUstream_st;

namespace imgsim::cuda {

/// As imgsim::cosine_similarity, on device memory, queued on `stream`; no int8.
/// Throws std::runtime_error when the launch fails.
void cosine_similarity(DType dtype, const Vectors& x1, const Vectors& x2, void* out, int64_t axes, const int64_t* sizes,
                       int64_t length, double eps, CUstream_st* stream);

}  // namespace imgsim::cuda
