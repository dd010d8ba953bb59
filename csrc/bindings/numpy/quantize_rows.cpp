// _kernels.quantize_rows

#include "bridge.h"
#include "kernels/quantize.h"
#include "kernels/thread_pool.h"

namespace imgsim::binding {
namespace {

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

}  // namespace

void add_quantize_rows(py::module_& module) { module.def("quantize_rows", &py_quantize_rows); }

}  // namespace imgsim::binding
