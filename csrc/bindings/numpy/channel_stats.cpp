// _kernels.channel_moments and merge_moments, of which imgsim_ops/kernels.py makes channel_stats.

#include "kernels/channel_stats.h"

#include "bridge.h"
#include "kernels/layouts.h"
#include "kernels/thread_pool.h"

namespace imgsim::binding {
namespace {

/// images: (N, C, H, W) or any other strides of that shape whose H and W are one axis. Returns (count, mean, m2).
py::tuple py_channel_moments(const py::array& images, int threads) {
  const Shape shape = shape_of(images);
  check_channel_stats(shape, threads);
  const DType dtype = dtype_of("channel_stats", images, DType::kUInt8);
  const Images in = images_of(dtype, images.data(), shape, element_strides(images));
  std::vector<Moments> moments;
  {
    const py::gil_scoped_release release;
    moments = channel_moments(in, Limited(ThreadPool::shared(), threads));
  }
  const auto channels = static_cast<py::ssize_t>(moments.size());
  py::array_t<double> mean(channels);
  py::array_t<double> m2(channels);
  for (py::ssize_t c = 0; c < channels; ++c) {
    mean.mutable_at(c) = moments[static_cast<size_t>(c)].mean;
    m2.mutable_at(c) = moments[static_cast<size_t>(c)].m2;
  }
  return py::make_tuple(shape[0] * shape[2] * shape[3], mean, m2);
}

/// The means and squared deviations of two sets of values together, per channel. All arrays have one length.
py::tuple py_merge_moments(double count1, const py::array_t<double>& mean1, const py::array_t<double>& squares1,
                           double count2, const py::array_t<double>& mean2, const py::array_t<double>& squares2) {
  py::array_t<double> mean(mean1.size());
  py::array_t<double> squares(mean1.size());
  for (py::ssize_t c = 0; c < mean1.size(); ++c) {
    Moments moments{count1, mean1.at(c), squares1.at(c)};
    moments.merge({count2, mean2.at(c), squares2.at(c)});
    mean.mutable_at(c) = moments.mean;
    squares.mutable_at(c) = moments.m2;
  }
  return py::make_tuple(mean, squares);
}

}  // namespace

void add_channel_stats(py::module_& module) {
  module.def("channel_moments", &py_channel_moments);
  module.def("merge_moments", &py_merge_moments);
}

}  // namespace imgsim::binding
