// imgsim::channel_stats on CUDA.

#include "cuda_bridge.h"
#include "kernels/cuda/channel_stats.h"
#include "views.h"

namespace imgsim::binding {
namespace {

// num_threads is checked as on the CPU; a GPU has its own.
std::tuple<Tensor, Tensor> channel_stats_cuda(const Tensor& images, int64_t num_threads) {
  check_channel_stats(shape_of(images), num_threads);
  const DType dtype = dtype_of("channel_stats", images, true);
  const OnDevice device(images);
  Tensor in = images;
  if (!one_axis_of_positions(shape_of(in), strides_of(in)) || !cuda::reads_as_they_are(images_of(dtype, in))) {
    in = dense(in);
  }
  Tensor mean = make(images, {images.size(1)}, wide_type(dtype));
  Tensor std = make(images, {images.size(1)}, wide_type(dtype));
  const Images view = images_of(dtype, in);
  const Tensor scratch = device.scratch(cuda::channel_stats_scratch(view));
  cuda::channel_stats(view, mean.mutable_data_ptr(), std.mutable_data_ptr(), scratch.mutable_data_ptr(),
                      device.stream());
  return {mean, std};
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(IMGSIM_CUDA_KEY, library) {
  library.impl("channel_stats", TORCH_BOX(&imgsim::binding::channel_stats_cuda));
}
