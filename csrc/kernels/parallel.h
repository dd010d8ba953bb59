// How a kernel spreads its work: the caller brings the threads, the kernel brings the ranges.
//
// Contract for every kernel in this folder: the way work is cut decides only who computes a value, never
// the order in which numbers are added, so the answer has the same bits for any number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace imgsim {

template <class Signature>
class FunctionRef;

/// A non-owning reference to a callable; valid only while the callable is.
template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
 public:
  template <class Fn, class = std::enable_if_t<!std::is_same_v<std::decay_t<Fn>, FunctionRef>>>
  FunctionRef(Fn&& fn)  // implicit on purpose: lambdas are passed straight in
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(fn)))),
        call_([](void* object, Args... args) -> Result {
          return (*static_cast<std::remove_reference_t<Fn>*>(object))(args...);
        }) {}
  Result operator()(Args... args) const { return call_(object_, args...); }

 private:
  void* object_;
  Result (*call_)(void*, Args...);
};

using RangeBody = FunctionRef<void(int64_t begin, int64_t end)>;

/// The threads a caller lends to a kernel.
class Executor {
 public:
  virtual ~Executor() = default;
  /// The most ranges that run at once.
  virtual int threads() const = 0;
  /// Runs body over disjoint ranges that cover [0, n), each of at least `grain` items (but the last).
  /// Ranges run in any order, on any thread; the call returns when all are done and rethrows the first
  /// exception of a range.
  virtual void parallel_for(int64_t n, int64_t grain, RangeBody body) const = 0;
};

/// Runs everything on the calling thread.
class SerialExecutor final : public Executor {
 public:
  int threads() const override { return 1; }
  void parallel_for(int64_t n, int64_t /*grain*/, RangeBody body) const override {
    if (n > 0) {
      body(0, n);
    }
  }
};

/// Runs body(slot, task) for every task in [0, tasks). Each slot is one thread's turn and takes its tasks in ascending
/// order, so a body may keep state per slot; which slot gets which task is left to chance.
template <class Body>
void run_tasks(const Executor& executor, int64_t slots, int64_t tasks, const Body& body) {
  std::atomic<int64_t> next{0};
  executor.parallel_for(slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      for (int64_t task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
        body(slot, task);
      }
    }
  });
}

}  // namespace imgsim
