// The operators over NumPy arrays, and facts about this build. Arrays come in as the Python side has prepared them
// (imgsim_ops/kernels.py): adjacent elements, one dtype; the interpreter lock is released while a kernel runs.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "kernels/channel_stats.h"
#include "kernels/cosine.h"
#include "kernels/isa/loops.h"
#include "kernels/quantize.h"
#include "kernels/resize_crop.h"
#include "kernels/shapes.h"
#include "kernels/thread_pool.h"

namespace py = pybind11;

namespace imgsim::door {
namespace {

/// The kernels' name of a dtype: a floating one, or the one that the operator takes besides.
DType dtype_of(const char* op, const py::array& array, DType besides = DType::kFloat32) {
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

Shape shape_of(const py::array& array) { return Shape(array.shape(), array.shape() + array.ndim()); }

Shape element_strides(const py::array& array) {
  Shape strides;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    strides.push_back(array.strides(i) / array.itemsize());
  }
  return strides;
}

/// The dtype of scores over vectors of this dtype.
py::dtype score_dtype(DType dtype) {
  return dtype == DType::kFloat64 ? py::dtype::of<double>() : py::dtype::of<float>();
}

Matrix matrix_of(const char* op, const py::array& array) {
  return {dtype_of(op, array, DType::kInt8), array.data(), array.shape(0), array.shape(1)};
}

/// x1, x2: vectors along the last axis, adjacent there; the others broadcast.
py::array py_cosine_similarity(const py::array& x1, const py::array& x2, double eps) {
  constexpr const char* kOp = "cosine_similarity";
  const DType dtype = dtype_of(kOp, x1, DType::kInt8);
  check(dtype == dtype_of(kOp, x2, DType::kInt8), kOp, ": arrays must have one dtype");
  check(eps >= 0, kOp, ": eps must not be negative (got ", eps, ")");
  const auto outer = [](Shape shape) {
    shape.pop_back();
    return shape;
  };
  const Shape shape = broadcast_shapes(kOp, outer(shape_of(x1)), outer(shape_of(x2)));
  const Shape a = broadcast_strides(outer(shape_of(x1)), outer(element_strides(x1)), shape.size());
  const Shape b = broadcast_strides(outer(shape_of(x2)), outer(element_strides(x2)), shape.size());
  const int64_t length = x1.shape(x1.ndim() - 1);
  py::array out(dtype == DType::kInt8 ? score_dtype(dtype) : x1.dtype(),
                std::vector<py::ssize_t>(shape.begin(), shape.end()));
  const Vectors left{x1.data(), a.data()};
  const Vectors right{x2.data(), b.data()};
  void* to = out.mutable_data();
  {
    const py::gil_scoped_release release;
    cosine_similarity(dtype, left, right, to, static_cast<int64_t>(shape.size()), shape.data(), length, eps,
                      ThreadPool::shared());
  }
  return out;
}

py::tuple py_cosine_topk(const py::array& queries, const py::array& gallery, int64_t k) {
  constexpr const char* kOp = "cosine_topk";
  check_topk(shape_of(queries), shape_of(gallery), k);
  const Matrix q = matrix_of(kOp, queries);
  const Matrix g = matrix_of(kOp, gallery);
  check(q.dtype == g.dtype, kOp, ": arrays must have one dtype");
  py::array scores(score_dtype(q.dtype), {q.rows, k});
  py::array_t<int64_t> indices({q.rows, k});
  void* score_data = scores.mutable_data();
  int64_t* index_data = indices.mutable_data();
  {
    const py::gil_scoped_release release;
    cosine_topk(q, g, k, score_data, index_data, ThreadPool::shared());
  }
  return py::make_tuple(scores, indices);
}

py::tuple py_cosine_pairs(const py::array& vectors, double threshold) {
  check_pairs(shape_of(vectors), threshold);
  const Matrix matrix = matrix_of("cosine_pairs", vectors);
  Pairs pairs;
  {
    const py::gil_scoped_release release;
    pairs = cosine_pairs(matrix, threshold, ThreadPool::shared());
  }
  const auto count = static_cast<py::ssize_t>(pairs.rows.size());
  return py::make_tuple(py::array_t<int64_t>(count, pairs.rows.data()), py::array_t<int64_t>(count, pairs.cols.data()),
                        py::array_t<double>(count, pairs.scores.data()).attr("astype")(score_dtype(matrix.dtype)));
}

/// (N, D) of a floating dtype to codes of the same shape.
py::array_t<int8_t> py_quantize_rows(const py::array& vectors) {
  constexpr const char* kOp = "quantize_rows";
  check(vectors.ndim() == 2, kOp, ": vectors must be a matrix (got shape ", shape_of(vectors), ")");
  const Matrix matrix{dtype_of(kOp, vectors), vectors.data(), vectors.shape(0), vectors.shape(1)};
  py::array_t<int8_t> codes({matrix.rows, matrix.dim});
  int8_t* to = codes.mutable_data();
  int64_t bad = 0;
  {
    const py::gil_scoped_release release;
    bad = quantize_rows(matrix, to, ThreadPool::shared());
  }
  check(bad < 0, kOp, ": vectors must be finite (got NaN or infinity in row ", bad, ")");
  return codes;
}

/// images: (N, C, H, W) or any other strides of that shape whose H and W are one axis. Returns (count, mean, m2).
py::tuple py_channel_moments(const py::array& images, int threads) {
  const Shape shape = shape_of(images);
  check_channel_stats(shape, threads);
  const DType dtype = dtype_of("channel_stats", images, DType::kUInt8);
  const Shape strides = element_strides(images);
  std::vector<Moments> moments;
  {
    const Images in{dtype,
                    images.data(),
                    shape[0],
                    shape[1],
                    shape[2] * shape[3],
                    strides[0],
                    strides[1],
                    shape[3] == 1 ? strides[2] : strides[3]};
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

py::dict build_info() {
  py::dict info;
  py::list built;
  py::list usable;
  int count = 0;
  const IsaInfo* list = isa_list(&count);
  for (int i = 0; i < count; ++i) {
    built.append(list[i].name);
    if (list[i].usable) {
      usable.append(list[i].name);
    }
  }
  info["compiler"] = IMGSIM_COMPILER;
  info["isa"] = loops().name;
  info["isas_built"] = built;
  info["isas_usable"] = usable;
  info["int8_instructions"] = has_int8_dot_products();
  info["cuda"] = static_cast<bool>(IMGSIM_CUDA_BUILT);
  info["cuda_archs"] = IMGSIM_CUDA_ARCHS;
  info["native"] = static_cast<bool>(IMGSIM_NATIVE_BUILT);
  info["threads"] = ThreadPool::shared().threads();
  return info;
}

}  // namespace
}  // namespace imgsim::door

PYBIND11_MODULE(_kernels, module) {
  using namespace imgsim::door;
  module.doc() = "The native operators over NumPy arrays; use imgsim_ops.kernels.";
  module.def("cosine_similarity", &py_cosine_similarity);
  module.def("cosine_topk", &py_cosine_topk);
  module.def("cosine_pairs", &py_cosine_pairs);
  module.def("quantize_rows", &py_quantize_rows);
  module.def("channel_moments", &py_channel_moments);
  module.def("merge_moments", &py_merge_moments);
  module.def("resize_crop", &py_resize_crop);
  module.def("resize_crop_strips", &py_resize_crop_strips);
  module.def("build_info", &build_info);
}
