#include "thread_pool.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace imgsim {

int available_threads() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max(1, CPU_COUNT(&set));
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// One loop at a time: the ranges are handed out by a counter, the caller works too.
struct ThreadPool::Crew {
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable done;
  std::vector<std::thread> workers;
  bool busy = false;
  bool stop = false;
  uint64_t round = 0;
  int working = 0;
  const RangeBody* body = nullptr;
  int64_t n = 0;
  int64_t chunk = 1;
  std::atomic<int64_t> next{0};
  std::exception_ptr error;

  void run_ranges() {
    for (int64_t begin = next.fetch_add(chunk); begin < n; begin = next.fetch_add(chunk)) {
      try {
        (*body)(begin, std::min(n, begin + chunk));
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!error) {
          error = std::current_exception();
        }
        next.store(n);
      }
    }
  }

  void work() {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stop || round != seen; });
      if (stop) {
        return;
      }
      seen = round;
      lock.unlock();
      run_ranges();
      lock.lock();
      if (--working == 0) {
        done.notify_all();
      }
    }
  }
};

ThreadPool::ThreadPool(int threads)
    : threads_(threads > 0 ? threads : available_threads()), crew_(std::make_unique<Crew>()) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(crew_->mutex);
    crew_->stop = true;
  }
  crew_->wake.notify_all();
  for (std::thread& worker : crew_->workers) {
    worker.join();
  }
}

void ThreadPool::parallel_for(int64_t n, int64_t grain, RangeBody body) const {
  if (n <= 0) {
    return;
  }
  Crew& crew = *crew_;
  // A few chunks for each thread even out what else the machine is doing.
  const int64_t share = n / (4 * static_cast<int64_t>(threads_));
  const int64_t chunk = std::max<int64_t>({int64_t{1}, grain, share});
  std::unique_lock<std::mutex> lock(crew.mutex, std::try_to_lock);
  if (chunk >= n || !lock.owns_lock() || crew.busy) {
    if (lock.owns_lock()) {
      lock.unlock();
    }
    body(0, n);
    return;
  }
  try {
    while (static_cast<int>(crew.workers.size()) < threads_ - 1) {
      crew.workers.emplace_back([&crew] { crew.work(); });
    }
  } catch (const std::system_error&) {
    // No more threads are to be had: those that are, and the caller, do the work. The next loop asks again.
  }
  crew.busy = true;
  crew.body = &body;
  crew.n = n;
  crew.chunk = chunk;
  crew.next.store(0);
  crew.error = nullptr;
  crew.working = static_cast<int>(crew.workers.size());
  ++crew.round;
  lock.unlock();
  crew.wake.notify_all();
  crew.run_ranges();
  lock.lock();
  crew.done.wait(lock, [&] { return crew.working == 0; });
  crew.busy = false;
  const std::exception_ptr error = crew.error;
  lock.unlock();
  if (error) {
    std::rethrow_exception(error);
  }
}

const ThreadPool& ThreadPool::shared() {
  // Never destroyed: joining threads while the process is being torn down can hang. A child made by fork has
  // none of its parent's threads and starts with a pool of its own.
  static ThreadPool* pool = [] {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { pool = new ThreadPool(pool->threads()); });
#endif
    return new ThreadPool();
  }();
  return *pool;
}

}  // namespace imgsim
