// imgsim::channel_stats

#include "kernels/channel_stats.h"

#include "kernels/thread_pool.h"
#include "views.h"

namespace imgsim::binding {
namespace {

std::tuple<Tensor, Tensor> channel_stats_cpu(const Tensor& images, int64_t num_threads) {
  const Shape shape = shape_of(images);
  check_channel_stats(shape, num_threads);
  const DType dtype = dtype_of("channel_stats", images, true);
  const Tensor in = one_axis_of_positions(shape, strides_of(images)) ? images : dense(images);
  const TorchExecutor all;
  const std::vector<Moments> moments =
      channel_moments(images_of(dtype, in), Limited(all, static_cast<int>(num_threads)));
  Tensor mean = make(images, {shape[1]}, wide_type(dtype));
  Tensor std = make(images, {shape[1]}, wide_type(dtype));
  write_values(dtype, means_of(moments), mean.mutable_data_ptr());
  write_values(dtype, stds_of(moments), std.mutable_data_ptr());
  return {mean, std};
}

}  // namespace
}  // namespace imgsim::binding

IMGSIM_KERNELS(CPU, library) { library.impl("channel_stats", TORCH_BOX(&imgsim::binding::channel_stats_cpu)); }
