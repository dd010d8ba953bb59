// Launchers of the CUDA cosines; no torch types, no CUDA header needed to include it.
//
// Every score in an answer is that of imgsim/kernels/cosine.h: sums in double, rounded once. So a pair has one score
// wherever it is asked for, the same on every GPU; before the rounding it may differ from the CPU's in the last bits of
// a double. cosine_topk and cosine_pairs first bound scores by products on tensor cores, as they lie in float16 or
// bfloat16 elements, as TF32 in all others, and score exactly only what may be in the answer; see screen.cuh.
#pragma once

#include <cstdint>

#include "../cosine.h"

struct CUstream_st;

namespace imgsim::cuda {

/// As imgsim::cosine_similarity, on device memory, queued on `stream`; no int8.
/// Throws std::runtime_error when the launch fails.
void cosine_similarity(DType dtype, const Vectors& x1, const Vectors& x2, void* out, int64_t axes, const int64_t* sizes,
                       int64_t length, double eps, CUstream_st* stream);

/// imgsim::cosine_topk on device memory, for matrices of one floating dtype. Says how much scratch memory it takes
/// before it starts: 4 bytes for each query; for more than four queries also for each row of the gallery; and up to 512
/// MiB of lists of the best so far, at least two of k for one query. Never queries x gallery.
///
/// How: up to four queries are multiplied with every row in single precision, which is bound by memory. More are
/// screened (screen.cuh), a panel of queries at a time: blocks have 128 of them each, and several parts of the gallery
/// are gone over at once, whose lists are merged in the end. For k beyond 4,096 every row is scored exactly and sorted,
/// in chunks.
class TopkPlan {
 public:
  /// On the current device, whose number of multiprocessors decides about panels and parts, not about the answer.
  TopkPlan(const Matrix& queries, const Matrix& gallery, int64_t k);
  int64_t scratch_bytes() const;
  /// Queues all of it on `stream`. scratch: scratch_bytes() of device memory, aligned to 256. Throws std::runtime_error
  /// when a launch fails.
  void run(void* scores, int64_t* indices, void* scratch, CUstream_st* stream) const;

 private:
  enum class Way { kScanned, kScreened, kSorted };

  template <class T, class Out>
  void run_typed(Out* scores, int64_t* indices, void* scratch, CUstream_st* stream) const;
  int64_t items() const;  // of the lists

  Matrix queries_;
  Matrix gallery_;
  int64_t k_;
  Way way_ = Way::kScanned;
  int64_t kept_ = 0;    // room of a list, or of a buffer that is sorted
  int64_t panel_ = 0;   // queries at a time
  int64_t splits_ = 0;  // parts of the gallery
};

/// imgsim::cosine_pairs on device memory, for vectors of one floating dtype, a panel of rows at a time. Where a pair is
/// in the answer, a bit of the panel is set; bits are then counted, and written out in order with their exact scores.
///
/// Scratch memory: 4 bytes for each vector and the bits of a panel: 64 MiB, or less for few vectors; more, 16 bytes for
/// each vector, from four million vectors on.
class PairsPlan {
 public:
  PairsPlan(const Matrix& vectors, double threshold);
  int64_t scratch_bytes() const;
  int64_t panels() const { return panels_; }
  /// Finds the pairs of a panel; returns how many there are, for which it waits until the stream has come so far. Panel
  /// 0 must be the first. scratch: scratch_bytes() of device memory, aligned to 256, the same in all calls.
  int64_t find(int64_t panel, void* scratch, CUstream_st* stream) const;
  /// Queues the writing of the `found` pairs of the panel that was found last.
  void write(int64_t panel, int64_t found, int64_t* rows, int64_t* columns, void* scores, void* scratch,
             CUstream_st* stream) const;

 private:
  Matrix vectors_;
  double threshold_;
  int64_t panel_ = 0;
  int64_t panels_ = 0;
};

}  // namespace imgsim::cuda
