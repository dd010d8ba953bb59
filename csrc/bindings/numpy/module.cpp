// The operators over NumPy arrays, and facts about this build.

#include "bridge.h"
#include "kernels/isa/loops.h"
#include "kernels/thread_pool.h"

namespace imgsim::binding {
namespace {

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
}  // namespace imgsim::binding

PYBIND11_MODULE(_kernels, module) {
  using namespace imgsim::binding;
  module.doc() = "The native operators over NumPy arrays; use imgsim_ops.kernels.";
  add_channel_stats(module);
  add_cosine_pairs(module);
  add_cosine_similarity(module);
  add_cosine_topk(module);
  add_quantize_rows(module);
  add_resize_crop(module);
  module.def("build_info", &build_info);
}
