// _kernels.resize_crop and resize_crop_strips

#include "kernels/resize_crop.h"

#include "bridge.h"

namespace imgsim::binding {
namespace {

/// pixels: (H, W, 3) uint8 whose rows are adjacent pixels.
py::array_t<uint8_t> py_resize_crop(const py::array_t<uint8_t>& pixels, int64_t resize, int64_t crop) {
  check(crop >= 1, "resize_crop: crop must be positive (got ", crop, ")");
  py::array_t<uint8_t> out({crop, crop, int64_t{3}});
  const uint8_t* in = pixels.data();
  uint8_t* to = out.mutable_data();
  const int64_t height = pixels.shape(0);
  const int64_t width = pixels.shape(1);
  const int64_t stride = pixels.strides(0);
  {
    const py::gil_scoped_release release;
    // One picture is small work; who has many brings a thread for each.
    resize_crop(in, height, width, stride, resize, crop, to, SerialExecutor());
  }
  return out;
}

/// strips: of (h, width / scale, 3) uint8, adjacent, from top to bottom.
py::array_t<uint8_t> py_resize_crop_strips(int64_t height, int64_t width, const py::iterable& strips, int64_t resize,
                                           int64_t crop, int64_t scale) {
  StripResizer resizer(height, width, resize, crop, scale);
  for (const py::handle handle : strips) {
    check(py::isinstance<py::array_t<uint8_t>>(handle), "resize_crop: strips must be uint8 arrays (got ",
          py::str(py::type::of(handle)).cast<std::string>(), ")");
    const auto strip = py::cast<py::array_t<uint8_t, py::array::c_style>>(handle);
    check(strip.ndim() == 3 && strip.shape(1) == resizer.width() && strip.shape(2) == 3,
          "resize_crop: strips must have the picture's width and 3 channels");
    const uint8_t* in = strip.data();
    const int64_t rows = strip.shape(0);
    const py::gil_scoped_release release;
    resizer.add(in, rows);
  }
  py::array_t<uint8_t> out({crop, crop, int64_t{3}});
  resizer.finish(out.mutable_data());
  return out;
}

}  // namespace

void add_resize_crop(py::module_& module) {
  module.def("resize_crop", &py_resize_crop);
  module.def("resize_crop_strips", &py_resize_crop_strips);
}

}  // namespace imgsim::binding
