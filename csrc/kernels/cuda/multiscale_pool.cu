#include "multiscale_pool.h"
#include "sums.cuh"

namespace imgsim::cuda {
namespace {

constexpr const char* kOp = "multiscale_pool";
constexpr int kThreads = 256;
constexpr size_t kTogether = 16;  // maps that one launch puts together; their places travel with the launch

// Sums of one map, by image, channel and piece.
struct Pooled {
  const double* sums;
  int64_t stride_image, stride_channel, stride_piece;
  int64_t pieces;
  int64_t repeats;  // of each channel in the embedding
  double positions;
};

struct PooledMaps {
  Pooled map[kTogether];
  int count;
};

// out[i] = (before[i] + the sum over these maps) / divisor
template <class Out>
__global__ void put_together(PooledMaps maps, const double* before, Out* out, int64_t batch, int64_t width,
                             double divisor) {
  for (int64_t i = global_thread(); i < batch * width; i += global_threads()) {
    const int64_t image = i / width;
    const int64_t at = i % width;
    double total = before == nullptr ? 0 : before[i];
    for (int m = 0; m < maps.count; ++m) {
      const Pooled& map = maps.map[m];
      const double* from = map.sums + image * map.stride_image + at / map.repeats * map.stride_channel;
      double sum = 0;
      for (int64_t piece = 0; piece < map.pieces; ++piece) {
        sum += from[piece * map.stride_piece];
      }
      total += sum / map.positions;
    }
    from_double(total / divisor, out + i);
  }
}

Summation summation(const FeatureMap& map, int64_t batch) {
  if (map.stride_p == 1 && map.stride_n == map.channels * map.stride_c) {  // one axis of images and channels
    return {batch * map.channels, map.positions, 1, map.stride_c, 1, 1};
  }
  return {batch, map.positions, map.channels, map.stride_n, map.stride_p, map.stride_c};
}

struct Places {
  std::vector<double*> sums;
  double* totals;  // of the maps so far, where one launch does not take all
  int64_t bytes;

  Places(const std::vector<FeatureMap>& maps, int64_t batch, int64_t width, void* scratch) {
    Parts parts(scratch);
    for (const FeatureMap& map : maps) {
      sums.push_back(parts.take<double>(summation(map, batch).sums()));
    }
    totals = parts.take<double>(maps.size() > kTogether ? batch * width : 0);
    bytes = parts.bytes();
  }
};

}  // namespace

int64_t multiscale_pool_scratch(const std::vector<FeatureMap>& maps, int64_t batch, int64_t width) {
  return Places(maps, batch, width, nullptr).bytes;
}

void multiscale_pool(DType dtype, const std::vector<FeatureMap>& maps, void* out, int64_t batch, int64_t width,
                     void* scratch, CUstream_st* stream) {
  if (batch == 0 || width == 0 || maps.empty()) {
    return;
  }
  const Places places(maps, batch, width, scratch);
  const dim3 blocks = blocks_for(batch * width, kThreads);
  visit_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const double* before = nullptr;
    PooledMaps together{};
    for (size_t m = 0; m < maps.size(); ++m) {
      const FeatureMap& map = maps[m];
      const Summation s = summation(map, batch);
      sum_pieces(kOp, static_cast<const T*>(map.data), places.sums[m], s, 1.0, stream);
      // Where images and channels are one axis, the pieces lie inside of it.
      const bool inside = s.inner == 1;
      together.map[together.count++] = {places.sums[m],
                                        map.channels * s.pieces,
                                        inside ? s.pieces : 1,
                                        inside ? 1 : map.channels,
                                        s.pieces,
                                        width / map.channels,
                                        static_cast<double>(map.positions)};
      if (m + 1 == maps.size()) {
        launch(kOp, put_together<T>, blocks, kThreads, 0, stream, together, before, static_cast<T*>(out), batch, width,
               static_cast<double>(maps.size()));
      } else if (together.count == kTogether) {
        launch(kOp, put_together<double>, blocks, kThreads, 0, stream, together, before, places.totals, batch, width,
               1.0);
        before = places.totals;
        together.count = 0;
      }
    }
  });
}

}  // namespace imgsim::cuda
