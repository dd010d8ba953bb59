#include <limits>

#include "divider.cuh"
#include "repeat_interleave.h"

namespace imgsim::cuda {
namespace {

constexpr const char* kOp = "repeat_interleave";
constexpr int kThreads = 256;

// A thread writes 16 adjacent bytes, so that neighbours write neighbours whatever the size of a unit. A block is
// `units` long in the input, and `repeats` times that in the output.
template <class Unit, class Index>
__global__ void repeat_units(const Unit* __restrict__ in, Unit* __restrict__ out, Index total, Divider<Index> units,
                             Divider<Index> repeated, Index repeats) {
  constexpr int kUnits = 16 / sizeof(Unit);
  struct alignas(16) Packed {
    Unit unit[kUnits];
  };
  const Index packs = (total + (kUnits - 1)) / kUnits;
  for (int64_t pack = global_thread(); pack < static_cast<int64_t>(packs); pack += global_threads()) {
    const Index first = static_cast<Index>(pack) * kUnits;
    Index block = repeated.divide(first);
    const Index within = first - block * repeated.divisor();
    Index turn = units.divide(within);
    Index unit = within - turn * units.divisor();
    Packed packed;
    const Index count = total - first < kUnits ? total - first : static_cast<Index>(kUnits);
#pragma unroll
    for (int i = 0; i < kUnits; ++i) {
      if (static_cast<Index>(i) < count) {
        packed.unit[i] = in[block * units.divisor() + unit];
      }
      if (++unit == units.divisor()) {
        unit = 0;
        if (++turn == repeats) {
          turn = 0;
          ++block;
        }
      }
    }
    if (count == kUnits) {
      *reinterpret_cast<Packed*>(out + first) = packed;
    } else {
      for (Index i = 0; i < count; ++i) {
        out[first + i] = packed.unit[i];
      }
    }
  }
}

template <class Unit>
void launch_units(const void* in, void* out, int64_t count, int64_t block_bytes, int64_t repeats, CUstream_st* stream) {
  const int64_t units = block_bytes / static_cast<int64_t>(sizeof(Unit));
  const int64_t total = count * units * repeats;
  const dim3 blocks = blocks_for(ceil_div(total * static_cast<int64_t>(sizeof(Unit)), 16), kThreads);
  const auto* from = static_cast<const Unit*>(in);
  auto* to = static_cast<Unit*>(out);
  if (total < std::numeric_limits<int32_t>::max() - 16) {
    launch(kOp, repeat_units<Unit, uint32_t>, blocks, kThreads, 0, stream, from, to, static_cast<uint32_t>(total),
           Divider<uint32_t>(units), Divider<uint32_t>(units * repeats), static_cast<uint32_t>(repeats));
  } else {
    launch(kOp, repeat_units<Unit, uint64_t>, blocks, kThreads, 0, stream, from, to, static_cast<uint64_t>(total),
           Divider<uint64_t>(units), Divider<uint64_t>(units * repeats), static_cast<uint64_t>(repeats));
  }
}

}  // namespace

void repeat_interleave(const void* in, void* out, int64_t count, int64_t block_bytes, int64_t repeats,
                       CUstream_st* stream) {
  if (count == 0 || block_bytes == 0 || repeats == 0) {
    return;
  }
  // The widest unit that divides a block and that the input is aligned to.
  const auto fits = [&](int64_t size) {
    return block_bytes % size == 0 && reinterpret_cast<uintptr_t>(in) % size == 0;
  };
  if (fits(16)) {
    launch_units<uint4>(in, out, count, block_bytes, repeats, stream);
  } else if (fits(8)) {
    launch_units<uint64_t>(in, out, count, block_bytes, repeats, stream);
  } else if (fits(4)) {
    launch_units<uint32_t>(in, out, count, block_bytes, repeats, stream);
  } else if (fits(2)) {
    launch_units<uint16_t>(in, out, count, block_bytes, repeats, stream);
  } else {
    launch_units<uint8_t>(in, out, count, block_bytes, repeats, stream);
  }
}

}  // namespace imgsim::cuda
