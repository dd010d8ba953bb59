#include "channel_stats.h"

#include <algorithm>

#include "isa/loops.h"

namespace imgsim {
namespace {

constexpr int64_t kByteBlock = 1 << 16;   // positions of a uint8 image per item
constexpr int64_t kFloatBlock = 1 << 11;  // elements per item of one channel: stays in the first-level cache

struct ByteSums {
  std::vector<uint64_t> sum;
  std::vector<uint64_t> squares;
};

void add_bytes(const Images& images, int64_t image, int64_t start, int64_t n, ByteSums& to) {
  const ByteLoops& loop = loops().bytes;
  const uint8_t* at = static_cast<const uint8_t*>(images.data) + image * images.stride_n + start * images.stride_p;
  const int64_t channels = images.channels;
  if (images.stride_c == 1 && images.stride_p == channels) {
    loop.interleaved(at, n, channels, to.sum.data(), to.squares.data());
    return;
  }
  for (int64_t c = 0; c < channels; ++c) {
    const uint8_t* plane = at + c * images.stride_c;
    const auto i = static_cast<size_t>(c);
    if (images.stride_p == 1) {
      loop.plane(plane, n, &to.sum[i], &to.squares[i]);
    } else {
      for (int64_t p = 0; p < n; ++p) {
        const uint64_t value = plane[p * images.stride_p];
        to.sum[i] += value;
        to.squares[i] += value * value;
      }
    }
  }
}

std::vector<Moments> byte_moments(const Images& images, const Executor& executor) {
  const auto channels = static_cast<size_t>(images.channels);
  const int64_t blocks = (images.positions + kByteBlock - 1) / kByteBlock;
  const int64_t slots = std::max(1, executor.threads());
  std::vector<ByteSums> sums(static_cast<size_t>(slots),
                             {std::vector<uint64_t>(channels), std::vector<uint64_t>(channels)});
  // A slot's sums live on its own stack while it works: neighbours in memory would slow each other down.
  executor.parallel_for(slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      ByteSums mine{std::vector<uint64_t>(channels), std::vector<uint64_t>(channels)};
      const int64_t items = images.batch * blocks;
      for (int64_t i = items * slot / slots; i < items * (slot + 1) / slots; ++i) {
        const int64_t start = i % blocks * kByteBlock;
        add_bytes(images, i / blocks, start, std::min(kByteBlock, images.positions - start), mine);
      }
      sums[static_cast<size_t>(slot)] = std::move(mine);
    }
  });
  std::vector<Moments> moments;
  for (size_t c = 0; c < channels; ++c) {
    uint64_t sum = 0;
    uint64_t squares = 0;
    for (const ByteSums& slot : sums) {
      sum += slot.sum[c];
      squares += slot.squares[c];
    }
    moments.push_back(Moments::from_sums(static_cast<uint64_t>(images.batch * images.positions), sum, squares));
  }
  return moments;
}

template <class T>
Moments block_moments(const T* x, int64_t n, int64_t stride) {
  const RowLoops<T>& loop = loops().rows<T>();
  std::vector<T> gathered;
  if (stride != 1) {
    gathered.resize(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      gathered[static_cast<size_t>(i)] = x[i * stride];
    }
    x = gathered.data();
  }
  const double mean = loop.sum(x, n) / static_cast<double>(n);
  return {static_cast<double>(n), mean, loop.sum_squares(x, n, mean)};
}

std::vector<Moments> float_moments(const Images& images, const Executor& executor) {
  const int64_t blocks = (images.positions + kFloatBlock - 1) / kFloatBlock;
  const int64_t items = images.channels * images.batch * blocks;
  std::vector<Moments> parts(static_cast<size_t>(items));
  visit_floating(images.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    executor.parallel_for(items, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t start = i % blocks * kFloatBlock;
        const int64_t image = i / blocks % images.batch;
        const int64_t channel = i / blocks / images.batch;
        const T* at = static_cast<const T*>(images.data) + image * images.stride_n + channel * images.stride_c +
                      start * images.stride_p;
        parts[static_cast<size_t>(i)] =
            block_moments(at, std::min(kFloatBlock, images.positions - start), images.stride_p);
      }
    });
  });
  std::vector<Moments> moments(static_cast<size_t>(images.channels));
  for (int64_t i = 0; i < items; ++i) {
    moments[static_cast<size_t>(i / (images.batch * blocks))].merge(parts[static_cast<size_t>(i)]);
  }
  return moments;
}

}  // namespace

std::vector<double> means_of(const std::vector<Moments>& moments) {
  std::vector<double> means;
  for (const Moments& channel : moments) {
    means.push_back(channel.mean);
  }
  return means;
}

std::vector<double> stds_of(const std::vector<Moments>& moments) {
  std::vector<double> stds;
  for (const Moments& channel : moments) {
    stds.push_back(channel.std());
  }
  return stds;
}

std::vector<Moments> channel_moments(const Images& images, const Executor& executor) {
  if (images.batch * images.positions == 0) {
    return std::vector<Moments>(static_cast<size_t>(images.channels));
  }
  return images.dtype == DType::kUInt8 ? byte_moments(images, executor) : float_moments(images, executor);
}

}  // namespace imgsim
