// What every operator needs to get from NumPy's arrays to the kernels and back. Arrays come in as the Python side has
// prepared them (imgsim_ops/kernels.py): adjacent elements, one dtype; the interpreter lock is released while a kernel
// runs.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "kernels/check.h"
#include "kernels/cosine.h"
#include "kernels/types.h"

namespace imgsim::binding {

namespace py = pybind11;

/// The kernels' name of a dtype: a floating one, or the one that the operator takes besides.
inline DType dtype_of(const char* op, const py::array& array, DType besides = DType::kFloat32) {
  const char kind = array.dtype().kind();
  const auto size = array.itemsize();
  if (kind == 'f' && size == 4) {
    return DType::kFloat32;
  }
  if (kind == 'f' && size == 8) {
    return DType::kFloat64;
  }
  if (kind == 'f' && size == 2) {
    return DType::kFloat16;
  }
  const char* known = "float32, float64 or float16";
  bool fits = false;
  if (besides == DType::kUInt8) {
    known = "uint8, float32, float64 or float16";
    fits = kind == 'u' && size == 1;
  } else if (besides == DType::kInt8) {
    known = "float32, float64, float16 or int8";
    fits = kind == 'i' && size == 1;
  }
  check(fits, op, ": dtype must be ", known, " (got ", py::str(array.dtype()).cast<std::string>(), ")");
  return besides;
}

inline Shape shape_of(const py::array& array) { return Shape(array.shape(), array.shape() + array.ndim()); }

inline Shape element_strides(const py::array& array) {
  Shape strides;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    strides.push_back(array.strides(i) / array.itemsize());
  }
  return strides;
}

/// The dtype of scores over vectors of this one.
inline py::dtype wide_type(DType dtype) {
  return dtype == DType::kFloat64 ? py::dtype::of<double>() : py::dtype::of<float>();
}

inline Matrix matrix_of(const char* op, const py::array& array) {
  return {dtype_of(op, array, DType::kInt8), array.data(), array.shape(0), array.shape(1)};
}

// One for each operator, in the file of its name.
void add_channel_stats(py::module_& module);
void add_cosine_pairs(py::module_& module);
void add_cosine_similarity(py::module_& module);
void add_cosine_topk(py::module_& module);
void add_quantize_rows(py::module_& module);
void add_resize_crop(py::module_& module);

}  // namespace imgsim::binding
