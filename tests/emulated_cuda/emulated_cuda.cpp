#include "emulated_cuda.h"

#include <ucontext.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace emulated {

Place* place = nullptr;

namespace {

constexpr size_t kStackBytes = 256 << 10;

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  size_t zeros;
};

struct Coroutine {
  Place place;
  ucontext_t start;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  jmp_buf jump;
  bool started = false;
  std::vector<Copy> copies;
  std::vector<size_t> groups;  // copies of each committed group
  size_t uncommitted = 0;
};

struct Meeting {
  int arrived = 0;
  const char* name = nullptr;
  void* brought[32];
};

std::vector<std::unique_ptr<Coroutine>> coroutines;
std::vector<Meeting> warps;
std::vector<int> ready;
std::vector<int> at_barrier;
std::vector<unsigned char> shared;
unsigned char* shared_start = nullptr;
const std::function<void()>* kernel = nullptr;
bool barrier_any = false;
bool barrier_answer = false;
int running = 0;
int unfinished = 0;
jmp_buf scheduler;
ucontext_t scheduler_start;
std::mt19937 random_numbers(std::getenv("IMGSIM_EMULATED_SEED") ? std::atoi(std::getenv("IMGSIM_EMULATED_SEED")) : 0);

Coroutine& current() { return *coroutines[static_cast<size_t>(running)]; }

// Back to the scheduler, until someone puts this coroutine among the ready ones again.
void rest() {
  if (_setjmp(current().jump) == 0) {
    _longjmp(scheduler, 1);
  }
}

void begin() {
  (*kernel)();
  --unfinished;
  _longjmp(scheduler, 1);
}

void resume(int which) {
  running = which;
  Coroutine& next = current();
  place = &next.place;
  if (_setjmp(scheduler) == 0) {
    if (next.started) {
      _longjmp(next.jump, 1);
    }
    next.started = true;
    swapcontext(&scheduler_start, &next.start);
  }
}

void run_block(dim3 grid, dim3 block, unsigned threads) {
  for (size_t i = 0; i < shared.size(); ++i) {
    shared[i] = static_cast<unsigned char>(random_numbers());
  }
  unfinished = static_cast<int>(threads);
  for (unsigned i = 0; i < threads; ++i) {
    Coroutine& one = *coroutines[i];
    one.place = {dim3(i, 0, 0), block, grid, dim3(threads)};
    one.started = false;
    one.copies.clear();
    one.groups.clear();
    one.uncommitted = 0;
    getcontext(&one.start);
    one.start.uc_stack.ss_sp = one.stack.get();
    one.start.uc_stack.ss_size = kStackBytes;
    one.start.uc_link = nullptr;
    makecontext(&one.start, begin, 0);
    ready.push_back(static_cast<int>(i));
  }
  while (!ready.empty()) {
    std::swap(ready[random_numbers() % ready.size()], ready.back());
    const int next = ready.back();
    ready.pop_back();
    resume(next);
  }
  require(unfinished == 0, "every thread must come to the barrier that others wait at");
}

}  // namespace

void fail(const char* rule) {
  std::fprintf(stderr, "emulated CUDA: %s (block %u %u, thread %u)\n", rule, place->block.x, place->block.y,
               place->thread.x);
  std::abort();
}

void run(dim3 grid, unsigned threads, size_t shared_bytes, const std::function<void()>& body) {
  while (coroutines.size() < threads) {
    coroutines.push_back(std::make_unique<Coroutine>());
  }
  if (threads % 32 != 0 || grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535) {
    std::fprintf(stderr, "emulated CUDA: a grid must be one that CUDA takes\n");
    std::abort();
  }
  warps.assign(threads / 32, {});
  // Exactly so many bytes from an aligned address on, for tools that watch over memory.
  shared.assign(shared_bytes + 128, 0);
  shared_start = shared.data() + (128 - reinterpret_cast<uintptr_t>(shared.data()) % 128) % 128;
  kernel = &body;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        run_block(grid, dim3(x, y, z), threads);
      }
    }
  }
}

unsigned char* shared_memory() { return shared_start; }

void with_warp(const char* name, void* brought, void (*apply)(void** lanes)) {
  const int warp = running / 32;
  Meeting& meeting = warps[static_cast<size_t>(warp)];
  require(meeting.arrived == 0 || std::strcmp(meeting.name, name) == 0, "a warp's lanes must meet at one place");
  meeting.name = name;
  meeting.brought[running % 32] = brought;
  if (++meeting.arrived < 32) {
    rest();
    return;
  }
  meeting.arrived = 0;
  apply(meeting.brought);
  for (int lane = 0; lane < 32; ++lane) {
    if (warp * 32 + lane != running) {
      ready.push_back(warp * 32 + lane);
    }
  }
}

bool with_block(bool predicate) {
  barrier_any |= predicate;
  at_barrier.push_back(running);
  if (at_barrier.size() < place->threads.x) {
    rest();
    return barrier_answer;
  }
  barrier_answer = std::exchange(barrier_any, false);
  for (const int other : at_barrier) {
    if (other != running) {
      ready.push_back(other);
    }
  }
  at_barrier.clear();
  return barrier_answer;
}

void copy_later(void* to, const void* from, size_t bytes, size_t zeros) {
  current().copies.push_back({to, from, bytes, zeros});
  ++current().uncommitted;
}

void commit_copies() { current().groups.push_back(std::exchange(current().uncommitted, 0)); }

void finish_copies(int but) {
  Coroutine& self = current();
  size_t done = 0;
  while (self.groups.size() > static_cast<size_t>(but)) {
    for (size_t end = done + self.groups.front(); done < end; ++done) {
      const Copy& copy = self.copies[done];
      if (copy.bytes > 0) {  // else the address may be anything
        std::memcpy(copy.to, copy.from, copy.bytes);
      }
      std::memset(static_cast<char*>(copy.to) + copy.bytes, 0, copy.zeros);
    }
    self.groups.erase(self.groups.begin());
  }
  self.copies.erase(self.copies.begin(), self.copies.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace emulated
