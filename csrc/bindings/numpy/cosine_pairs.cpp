// _kernels.cosine_pairs

#include "bridge.h"
#include "kernels/cosine.h"
#include "kernels/shapes.h"
#include "kernels/thread_pool.h"

namespace imgsim::binding {
namespace {

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
                        py::array_t<double>(count, pairs.scores.data()).attr("astype")(wide_type(matrix.dtype)));
}

}  // namespace

void add_cosine_pairs(py::module_& module) { module.def("cosine_pairs", &py_cosine_pairs); }

}  // namespace imgsim::binding
