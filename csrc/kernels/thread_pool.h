// Threads for the bindings that have none of their own (NumPy and C++); PyTorch and ONNX Runtime bring theirs.
#pragma once

#include <algorithm>
#include <memory>

#include "parallel.h"

namespace imgsim {

/// As many threads as the process may use processors (affinity respected), at least 1.
int available_threads();

/// Starts its threads with the first parallel loop and keeps them. One pool may be used from many threads at once; a
/// loop inside a loop, or beside one that is running, stays on the calling thread.
class ThreadPool final : public Executor {
 public:
  /// threads: 0 means available_threads().
  explicit ThreadPool(int threads = 0);
  ~ThreadPool() override;
  int threads() const override { return threads_; }
  void parallel_for(int64_t n, int64_t grain, RangeBody body) const override;

  /// The pool the process shares, one that survives fork.
  static const ThreadPool& shared();

 private:
  struct Crew;
  int threads_;
  std::unique_ptr<Crew> crew_;
};

/// Another executor with fewer threads.
class Limited final : public Executor {
 public:
  /// threads: 0 means all that `executor` has.
  Limited(const Executor& executor, int threads)
      : executor_(executor), threads_(threads > 0 ? std::min(threads, executor.threads()) : executor.threads()) {}
  int threads() const override { return threads_; }
  void parallel_for(int64_t n, int64_t grain, RangeBody body) const override {
    const int64_t share = (n + threads_ - 1) / std::max(1, threads_);
    executor_.parallel_for(n, std::max(grain, share), body);
  }

 private:
  const Executor& executor_;
  int threads_;
};

}  // namespace imgsim
