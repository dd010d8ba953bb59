#include "channel_stats.h"
#include "sums.cuh"

namespace imgsim::cuda {
namespace {

constexpr const char* kOp = "channel_stats";
constexpr int kThreads = kSumThreads;

// ----------------------------------------------------------------------------------------------------------------
// uint8

// Adjacent bytes: planes of one channel each, or pixels of kChannels adjacent channels.
struct Strips {
  const uint8_t* data;
  int64_t images, stride_image;  // in bytes
  int64_t channels, stride_channel;
  int64_t length;
};

constexpr int kUnit = 48;  // bytes: three loads, and a whole number of pixels of 1, 2, 3 or 4 channels
constexpr int kUnits = 4;  // of a thread in one task
constexpr int64_t kTaskBytes = int64_t{kUnit} * kUnits * kThreads;

// `each` in those bytes of a unit's word that belong to a channel.
IMGSIM_HOST_DEVICE constexpr uint32_t bytes_of(int word, int channel, int channels, uint32_t each) {
  uint32_t mask = 0;
  for (int byte = 0; byte < 4; ++byte) {
    mask |= (4 * word + byte) % channels == channel ? each << 8 * byte : 0;
  }
  return mask;
}

template <int kChannels>
__device__ void add_word(uint32_t word, int place, uint32_t (&sum)[kChannels], uint32_t (&squares)[kChannels]) {
#pragma unroll
  for (int c = 0; c < kChannels; ++c) {
    sum[c] = __dp4a(word, bytes_of(place, c, kChannels, 1), sum[c]);
    squares[c] = __dp4a(word & bytes_of(place, c, kChannels, 255), word, squares[c]);
  }
}

// Sums of bytes are integers: the same in whatever order atomic additions come.
template <int kChannels>
__global__ void __launch_bounds__(kThreads) add_bytes(Strips strips, unsigned long long* __restrict__ sums) {
  __shared__ unsigned long long totals[2 * kChannels];
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t pieces = (strips.length + kTaskBytes - 1) / kTaskBytes;
  const int64_t planes = kChannels == 1 ? strips.channels : 1;
  const int64_t tasks = strips.images * planes * pieces;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t piece = task % pieces;
    const int64_t plane = task / pieces % planes;
    const uint8_t* strip = strips.data + task / pieces / planes * strips.stride_image + plane * strips.stride_channel;
    // Up to 15 bytes come before the first address that 16 bytes can be loaded from; units of bytes follow, then less
    // than a unit. Channel c of those units is channel (c + head) % kChannels of the image.
    const int64_t before = static_cast<int64_t>((16 - reinterpret_cast<uintptr_t>(strip) % 16) % 16);
    const int64_t head = before < strips.length ? before : strips.length;
    const int64_t units = (strips.length - head) / kUnit;
    uint32_t sum[kChannels] = {};
    uint32_t squares[kChannels] = {};
    const auto add_byte = [&](int64_t at) {
      const uint32_t value = strip[at];
      const int channel = static_cast<int>((at + kUnit - head) % kChannels);
#pragma unroll
      for (int c = 0; c < kChannels; ++c) {  // registers have no index
        sum[c] += c == channel ? value : 0;
        squares[c] += c == channel ? value * value : 0;
      }
    };
    if (piece == 0 && thread < head) {
      add_byte(thread);
    }
    if (piece == pieces - 1 && head + units * kUnit + thread < strips.length) {
      add_byte(head + units * kUnit + thread);
    }
    const int64_t first = piece * (kUnits * kThreads);
    const int64_t end = first + kUnits * kThreads < units ? first + kUnits * kThreads : units;
    for (int64_t unit = first + thread; unit < end; unit += kThreads) {
      const auto* from = reinterpret_cast<const uint4*>(strip + head + unit * kUnit);
#pragma unroll
      for (int load = 0; load < kUnit / 16; ++load) {
        const uint4 words = from[load];
        add_word<kChannels>(words.x, 4 * load, sum, squares);
        add_word<kChannels>(words.y, 4 * load + 1, sum, squares);
        add_word<kChannels>(words.z, 4 * load + 2, sum, squares);
        add_word<kChannels>(words.w, 4 * load + 3, sum, squares);
      }
    }
    if (thread < 2 * kChannels) {
      totals[thread] = 0;
    }
    __syncthreads();
    // Sums below 2^52 are exact in double, in any order.
    double values[2 * kChannels];
#pragma unroll
    for (int c = 0; c < kChannels; ++c) {
      values[2 * c] = sum[c];
      values[2 * c + 1] = squares[c];
    }
    team_sum(values, 32);
    if (thread % 32 == 0) {
#pragma unroll
      for (int i = 0; i < 2 * kChannels; ++i) {
        atomicAdd(&totals[i], static_cast<unsigned long long>(values[i]));
      }
    }
    __syncthreads();
    if (thread < 2 * kChannels) {
      const int64_t channel = kChannels == 1 ? plane : (thread / 2 + head) % kChannels;
      atomicAdd(&sums[2 * channel + thread % 2], totals[thread]);
    }
    __syncthreads();
  }
}

__global__ void finish_bytes(const unsigned long long* __restrict__ sums, float* __restrict__ mean,
                             float* __restrict__ std, int64_t channels, uint64_t count) {
  for (int64_t c = global_thread(); c < channels; c += global_threads()) {
    const Moments moments = Moments::from_sums(count, sums[2 * c], sums[2 * c + 1]);
    mean[c] = static_cast<float>(moments.mean);
    std[c] = static_cast<float>(moments.std());
  }
}

// ------------------------------------------------------------------------------------------------------- floating
// types

constexpr int kHeld = 16;  // values that a thread keeps while their mean is taken

/// The moments of `count` values of which each of a team's lanes holds some; `held` says of which of a lane's there are
/// any.
template <int kLanes, class Held>
__device__ Moments moments_of(const double (&values)[kHeld], const Held& held, int64_t count, double* scratch) {
  double sum = 0;
#pragma unroll
  for (int i = 0; i < kHeld; ++i) {
    sum += held(i) ? values[i] : 0.0;
  }
  const double mean = sum_of_team<kLanes>(sum, scratch) / static_cast<double>(count);
  double squares = 0;
#pragma unroll
  for (int i = 0; i < kHeld; ++i) {
    const double off = values[i] - mean;
    squares += held(i) ? off * off : 0.0;
  }
  return {static_cast<double>(count), mean, sum_of_team<kLanes>(squares, scratch)};
}

// Planes: a team takes kHeld * kLanes adjacent values. Part (channel * images + image) * pieces + piece.
template <int kLanes, class T>
__global__ void __launch_bounds__(kThreads) plane_moments(Images images, Moments* __restrict__ parts) {
  __shared__ double scratch[kThreads / 32];
  constexpr int kTeams = kThreads / kLanes;
  constexpr int64_t kPart = kHeld * kLanes;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int team = static_cast<int>(threadIdx.x) / kLanes;
  const int64_t pieces = (images.positions + kPart - 1) / kPart;
  const int64_t total = images.channels * images.batch * pieces;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kTeams; first < total;
       first += static_cast<int64_t>(gridDim.x) * kTeams) {
    const int64_t which = first + team;
    double values[kHeld] = {};
    int64_t count = 0;
    if (which < total) {
      const int64_t start = which % pieces * kPart;
      const T* from = static_cast<const T*>(images.data) + which / pieces % images.batch * images.stride_n +
                      which / pieces / images.batch * images.stride_c + start * images.stride_p;
      count = images.positions - start < kPart ? images.positions - start : kPart;
#pragma unroll
      for (int i = 0; i < kHeld; ++i) {
        if (i * kLanes + lane < count) {
          values[i] = to_double(from[(i * kLanes + lane) * images.stride_p]);
        }
      }
    }
    const Moments moments =
        moments_of<kLanes>(values, [&](int i) { return i * kLanes + lane < count; }, count, scratch);
    if (lane == 0 && which < total) {
      parts[which] = moments;
    }
  }
}

// A sum over the rows of threads that share a column, for each of them.
__device__ inline double sum_of_column(double value, double* shared, int columns) {
  const int thread = static_cast<int>(threadIdx.x);
  __syncthreads();
  shared[thread] = value;
  __syncthreads();
  for (int half = kThreads / columns / 2; half > 0; half /= 2) {
    if (thread / columns < half) {
      shared[thread] += shared[thread + half * columns];
    }
    __syncthreads();
  }
  return shared[thread % columns];
}

// Pixels: threads side by side read channels side by side, and several of them share a channel. Parts as above.
template <class T>
__global__ void __launch_bounds__(kThreads) pixel_moments(Images images, int columns, Moments* __restrict__ parts) {
  __shared__ double shared[kThreads];
  const int rows = kThreads / columns;
  const int column = static_cast<int>(threadIdx.x) % columns;
  const int row = static_cast<int>(threadIdx.x) / columns;
  const int64_t part = static_cast<int64_t>(kHeld) * rows;
  const int64_t pieces = (images.positions + part - 1) / part;
  const int64_t strips = (images.channels + columns - 1) / columns;
  const int64_t tasks = images.batch * pieces * strips;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t channel = task % strips * columns + column;
    const int64_t piece = task / strips % pieces;
    const int64_t image = task / strips / pieces;
    const int64_t start = piece * part;
    const int64_t count = images.positions - start < part ? images.positions - start : part;
    const auto held = [&](int i) { return channel < images.channels && i * rows + row < count; };
    double values[kHeld] = {};
    const T* from = static_cast<const T*>(images.data) + image * images.stride_n + channel * images.stride_c +
                    (start + row) * images.stride_p;
    double sum = 0;
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      if (held(i)) {
        values[i] = to_double(from[i * rows * images.stride_p]);
      }
      sum += values[i];
    }
    const double mean = sum_of_column(sum, shared, columns) / static_cast<double>(count);
    double squares = 0;
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      const double off = values[i] - mean;
      squares += held(i) ? off * off : 0.0;
    }
    squares = sum_of_column(squares, shared, columns);
    if (row == 0 && channel < images.channels) {
      parts[(channel * images.batch + image) * pieces + piece] = {static_cast<double>(count), mean, squares};
    }
  }
}

// A block for each channel: a thread merges every kThreads-th part, then the threads' are merged pair by pair.
template <class Out>
__global__ void __launch_bounds__(kThreads)
    merge_moments(const Moments* __restrict__ parts, int64_t count, int64_t channels, Out* __restrict__ mean,
                  Out* __restrict__ std) {
  IMGSIM_SHARED_MEMORY(memory);
  auto* shared = reinterpret_cast<Moments*>(memory);
  const int thread = static_cast<int>(threadIdx.x);
  for (int64_t c = blockIdx.x; c < channels; c += gridDim.x) {
    Moments mine{};
    for (int64_t i = thread; i < count; i += kThreads) {
      mine.merge(parts[c * count + i]);
    }
    shared[thread] = mine;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      if (thread < half) {
        shared[thread].merge(shared[thread + half]);
      }
      __syncthreads();
    }
    if (thread == 0) {
      mean[c] = static_cast<Out>(shared[0].mean);
      std[c] = static_cast<Out>(shared[0].std());
    }
    __syncthreads();
  }
}

bool are_planes(const Images& images) { return images.stride_p == 1 || images.positions == 1; }

// Images whose pixels all lie side by side are one image.
Images joined(Images images) {
  if (!are_planes(images) && images.stride_n == images.positions * images.stride_p) {
    images.positions *= images.batch;
    images.batch = 1;
  }
  return images;
}

// How the floating types go about it.
struct FloatPlan {
  bool planes;
  int lanes;      // of a team, for planes
  int columns;    // of a block, for pixels
  int64_t parts;  // of each channel

  explicit FloatPlan(const Images& images) : planes(are_planes(images)) {
    lanes = images.positions <= 32 * kHeld ? 32 : kThreads;
    columns = 1;
    while (columns < images.channels && columns < 64) {
      columns *= 2;
    }
    parts = images.batch * ceil_div(images.positions, kHeld * (planes ? lanes : kThreads / columns));
  }
};

void byte_stats(const Images& images, float* mean, float* std, unsigned long long* sums, CUstream_st* stream) {
  fill_zero(kOp, sums, static_cast<size_t>(images.channels) * 16, stream);
  const bool planes = are_planes(images);
  const Strips strips{
      static_cast<const uint8_t*>(images.data),         images.batch, images.stride_n, images.channels, images.stride_c,
      images.positions * (planes ? 1 : images.channels)};
  const int64_t tasks = images.batch * (planes ? images.channels : 1) * ceil_div(strips.length, kTaskBytes);
  const auto add = [&](auto kernel) { launch(kOp, kernel, blocks_for(tasks, 1), kThreads, 0, stream, strips, sums); };
  if (planes) {
    add(add_bytes<1>);
  } else if (images.channels == 2) {
    add(add_bytes<2>);
  } else if (images.channels == 3) {
    add(add_bytes<3>);
  } else {
    add(add_bytes<4>);
  }
  launch(kOp, finish_bytes, blocks_for(images.channels, kThreads), kThreads, 0, stream, sums, mean, std,
         images.channels, static_cast<uint64_t>(images.batch * images.positions));
}

template <class T, class Out>
void float_stats(const Images& images, Out* mean, Out* std, Moments* parts, CUstream_st* stream) {
  const FloatPlan plan(images);
  const int64_t total = plan.parts * images.channels;
  if (!plan.planes) {
    const int64_t strips = ceil_div(images.channels, plan.columns);
    launch(kOp, pixel_moments<T>, blocks_for(plan.parts * strips, 1), kThreads, 0, stream, images, plan.columns, parts);
  } else if (plan.lanes == 32) {
    launch(kOp, plane_moments<32, T>, blocks_for(total, kThreads / 32), kThreads, 0, stream, images, parts);
  } else {
    launch(kOp, plane_moments<kThreads, T>, blocks_for(total, 1), kThreads, 0, stream, images, parts);
  }
  launch(kOp, merge_moments<Out>, blocks_for(images.channels, 1), kThreads, kThreads * sizeof(Moments), stream, parts,
         plan.parts, images.channels, mean, std);
}

}  // namespace

bool reads_as_they_are(const Images& images) {
  const bool pixels = images.stride_c == 1 && images.stride_p == images.channels;
  return are_planes(images) || (images.dtype == DType::kUInt8 ? pixels && images.channels <= 4 : images.stride_c == 1);
}

int64_t channel_stats_scratch(const Images& images) {
  Parts parts;
  if (images.dtype == DType::kUInt8) {
    parts.take<unsigned long long>(2 * images.channels);
  } else {
    parts.take<Moments>(FloatPlan(joined(images)).parts * images.channels);
  }
  return parts.bytes();
}

void channel_stats(const Images& given, void* mean, void* std, void* scratch, CUstream_st* stream) {
  if (given.channels == 0) {
    return;
  }
  const Images images = joined(given);
  if (images.dtype == DType::kUInt8) {
    byte_stats(images, static_cast<float*>(mean), static_cast<float*>(std), static_cast<unsigned long long*>(scratch),
               stream);
    return;
  }
  visit_floating(images.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Out = std::conditional_t<std::is_same_v<T, double>, double, float>;
    float_stats<T>(images, static_cast<Out*>(mean), static_cast<Out*>(std), static_cast<Moments*>(scratch), stream);
  });
}

}  // namespace imgsim::cuda
