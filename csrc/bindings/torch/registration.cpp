#include "registration.h"

#include <cstdio>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace imgsim::binding {
namespace {

/// The file that this code was loaded from, where the system tells.
const char* own_path() {
#if defined(__unix__) || defined(__APPLE__)
  Dl_info found;
  static const char here = 0;
  if (dladdr(&here, &found) != 0 && found.dli_fname != nullptr) {
    return found.dli_fname;
  }
#endif
  return "a second file";
}

}  // namespace

Namespace::Namespace(const char* name) {
  if (aoti_torch_library_init_def(name, __FILE__, __LINE__, &library_) != AOTI_TORCH_SUCCESS) {
    library_ = nullptr;
    // An exception could not pass through the loader.
    std::fprintf(stderr, "imgsim: the operators must be loaded from one file (got %s too, which registers nothing)\n",
                 own_path());
  }
}

Namespace::~Namespace() {
  if (library_ != nullptr) {
    aoti_torch_delete_library_object(library_);
  }
}

void Namespace::define(const char* schema) { STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_library_def(library_, schema)); }

}  // namespace imgsim::binding
