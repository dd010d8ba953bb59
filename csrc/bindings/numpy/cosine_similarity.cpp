// _kernels.cosine_similarity

#include "bridge.h"
#include "kernels/cosine.h"
#include "kernels/layouts.h"
#include "kernels/thread_pool.h"

namespace imgsim::binding {
namespace {

/// x1, x2: vectors along the last axis, adjacent there; the others broadcast.
py::array py_cosine_similarity(const py::array& x1, const py::array& x2, double eps) {
  constexpr const char* kOp = "cosine_similarity";
  const DType dtype = dtype_of(kOp, x1, DType::kInt8);
  check(dtype == dtype_of(kOp, x2, DType::kInt8), kOp, ": arrays must have one dtype");
  const CosinePlan plan(shape_of(x1), shape_of(x2), -1, eps);
  const CosineOperand a(shape_of(x1), element_strides(x1), plan);
  const CosineOperand b(shape_of(x2), element_strides(x2), plan);
  py::array out(dtype == DType::kInt8 ? wide_type(dtype) : x1.dtype(),
                std::vector<py::ssize_t>(plan.shape.begin(), plan.shape.end()));
  const Vectors left{x1.data(), a.strides.data()};
  const Vectors right{x2.data(), b.strides.data()};
  void* to = out.mutable_data();
  {
    const py::gil_scoped_release release;
    cosine_similarity(dtype, left, right, to, static_cast<int64_t>(plan.shape.size()), plan.shape.data(), plan.length,
                      eps, ThreadPool::shared());
  }
  return out;
}

}  // namespace

void add_cosine_similarity(py::module_& module) { module.def("cosine_similarity", &py_cosine_similarity); }

}  // namespace imgsim::binding
