// _kernels.cosine_topk

#include "bridge.h"
#include "kernels/cosine.h"
#include "kernels/shapes.h"
#include "kernels/thread_pool.h"

namespace imgsim::binding {
namespace {

py::tuple py_cosine_topk(const py::array& queries, const py::array& gallery, int64_t k) {
  constexpr const char* kOp = "cosine_topk";
  check_topk(shape_of(queries), shape_of(gallery), k);
  const Matrix q = matrix_of(kOp, queries);
  const Matrix g = matrix_of(kOp, gallery);
  check(q.dtype == g.dtype, kOp, ": arrays must have one dtype");
  py::array scores(wide_type(q.dtype), {q.rows, k});
  py::array_t<int64_t> indices({q.rows, k});
  void* score_data = scores.mutable_data();
  int64_t* index_data = indices.mutable_data();
  {
    const py::gil_scoped_release release;
    cosine_topk(q, g, k, score_data, index_data, ThreadPool::shared());
  }
  return py::make_tuple(scores, indices);
}

}  // namespace

void add_cosine_topk(py::module_& module) { module.def("cosine_topk", &py_cosine_topk); }

}  // namespace imgsim::binding
