#include "repeat_interleave.h"

#include <algorithm>
#include <cstring>

namespace imgsim {
namespace {

constexpr int64_t kRangeBytes = 1 << 17;  // what one range of a parallel loop writes at least

// Blocks of the size of a register or less: a load, then `repeats` stores.
template <class Block>
void repeat_small(const char* in, char* out, int64_t begin, int64_t end, int64_t repeats) {
  char* to = out + begin * repeats * static_cast<int64_t>(sizeof(Block));
  for (int64_t i = begin; i < end; ++i) {
    Block value;
    std::memcpy(&value, in + i * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
    for (int64_t r = 0; r < repeats; ++r, to += sizeof(Block)) {
      std::memcpy(to, &value, sizeof(Block));
    }
  }
}

void repeat_range(const char* in, char* out, int64_t begin, int64_t end, int64_t block_bytes, int64_t repeats) {
  struct Pair {
    uint64_t low, high;
  };
  switch (block_bytes) {
    case 1:
      return repeat_small<uint8_t>(in, out, begin, end, repeats);
    case 2:
      return repeat_small<uint16_t>(in, out, begin, end, repeats);
    case 4:
      return repeat_small<uint32_t>(in, out, begin, end, repeats);
    case 8:
      return repeat_small<uint64_t>(in, out, begin, end, repeats);
    case 16:
      return repeat_small<Pair>(in, out, begin, end, repeats);
    default:
      break;
  }
  char* to = out + begin * repeats * block_bytes;
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t r = 0; r < repeats; ++r, to += block_bytes) {
      std::memcpy(to, in + i * block_bytes, static_cast<size_t>(block_bytes));
    }
  }
}

}  // namespace

void repeat_interleave(const void* in, void* out, int64_t count, int64_t block_bytes, int64_t repeats,
                       const Executor& executor) {
  if (block_bytes == 0 || repeats == 0) {
    return;
  }
  executor.parallel_for(count, 1 + kRangeBytes / (block_bytes * repeats), [&](int64_t begin, int64_t end) {
    repeat_range(static_cast<const char*>(in), static_cast<char*>(out), begin, end, block_bytes, repeats);
  });
}

}  // namespace imgsim
