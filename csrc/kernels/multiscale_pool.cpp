#include "multiscale_pool.h"

#include <algorithm>

#include "isa/loops.h"

namespace imgsim {
namespace {

constexpr int64_t kRangeItems = 65536;  // elements a range of a parallel loop reads at least

// Means over positions of `channels` channels from `first` on, for one image of one map.
template <class T>
void pool(const FeatureMap& map, int64_t image, int64_t first, int64_t channels, double* means) {
  const RowLoops<T>& loop = loops().rows<T>();
  const T* at = static_cast<const T*>(map.data) + image * map.stride_n + first * map.stride_c;
  if (map.stride_p == 1) {
    for (int64_t c = 0; c < channels; ++c) {
      means[c] = loop.sum(at + c * map.stride_c, map.positions);
    }
  } else {
    std::fill(means, means + channels, 0.0);
    loop.add_rows(at, map.positions, map.stride_p, channels, means);
  }
  for (int64_t c = 0; c < channels; ++c) {
    means[c] /= static_cast<double>(map.positions);
  }
}

}  // namespace

void multiscale_pool(DType dtype, const std::vector<FeatureMap>& maps, void* out, int64_t batch, int64_t width,
                     const Executor& executor) {
  // One item is a run of channels of one map of one image: the maps of ResNet-18 halve in size while their channels
  // double, so runs of 64 channels spread the first map over threads too.
  constexpr int64_t kRun = 64;
  std::vector<int64_t> first_item;
  std::vector<int64_t> first_mean;
  int64_t items = 0;
  int64_t channels = 0;
  int64_t elements = 0;
  for (const FeatureMap& map : maps) {
    first_item.push_back(items);
    first_mean.push_back(channels);
    items += (map.channels + kRun - 1) / kRun;
    channels += map.channels;
    elements += map.channels * map.positions;
  }
  if (batch == 0 || width == 0 || maps.empty()) {
    return;
  }
  visit_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<double> means(static_cast<size_t>(batch * channels));
    const int64_t per_item = std::max<int64_t>(1, elements / items);
    executor.parallel_for(batch * items, 1 + kRangeItems / per_item, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t image = i / items;
        const auto m = static_cast<size_t>(std::upper_bound(first_item.begin(), first_item.end(), i % items) -
                                           first_item.begin() - 1);
        const int64_t first = (i % items - first_item[m]) * kRun;
        pool<T>(maps[m], image, first, std::min(kRun, maps[m].channels - first),
                means.data() + image * channels + first_mean[m] + first);
      }
    });
    std::vector<double> row(static_cast<size_t>(width));
    for (int64_t image = 0; image < batch; ++image) {
      std::fill(row.begin(), row.end(), 0.0);
      for (size_t m = 0; m < maps.size(); ++m) {
        const int64_t repeats = width / maps[m].channels;
        const double* mean = means.data() + image * channels + first_mean[m];
        double* to = row.data();
        for (int64_t c = 0; c < maps[m].channels; ++c) {
          for (int64_t r = 0; r < repeats; ++r) {
            *to++ += mean[c];
          }
        }
      }
      for (double& value : row) {
        value /= static_cast<double>(maps.size());
      }
      loops().rows<T>().narrow(row.data(), width, static_cast<T*>(out) + image * width);
    }
  });
}

}  // namespace imgsim
