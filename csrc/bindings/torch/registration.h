// Registration with PyTorch, which a second copy of a library survives.
//
// PyTorch lets one library define a namespace. Its STABLE_TORCH_LIBRARY goes on with a handle that it never got where
// another one has: a copy of our library, from another folder or of another name, would end the process, after its
// STABLE_TORCH_LIBRARY_IMPL had replaced the kernels of the first. So each library first takes a namespace of its own,
// and registers nothing where it is taken.
#pragma once

#include <torch/csrc/stable/library.h>

#include <optional>

namespace imgsim::binding {

/// A namespace of operators that one library of the process has. Where another has it, a line on stderr says so.
class Namespace {
 public:
  explicit Namespace(const char* name);
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;
  bool ours() const { return library_ != nullptr; }
  void define(const char* schema);

 private:
  TorchLibraryHandle library_ = nullptr;
};

/// Whether this library registers its kernels. It is asked while static objects are made, in any order; each library
/// defines it in a file of its own.
bool registers();

/// The kernels of an operator for one dispatch key, for as long as the library is loaded.
class Kernels {
 public:
  using Library = torch::stable::detail::StableLibrary;
  Kernels(const char* key, void (*fill)(Library&), const char* file, uint32_t line) {
    if (registers()) {
      fill(library_.emplace(Library::Kind::IMPL, "imgsim", key, file, line));
    }
  }

 private:
  std::optional<Library> library_;
};

}  // namespace imgsim::binding

/// IMGSIM_KERNELS(CPU, library) { library.impl("name", TORCH_BOX(&function)); }, once in a file.
#define IMGSIM_KERNELS(key, library)                                                                                  \
  static void imgsim_kernels_of_this_file(imgsim::binding::Kernels::Library&);                                        \
  static const imgsim::binding::Kernels imgsim_registered(C10_STRINGIZE(key), &imgsim_kernels_of_this_file, __FILE__, \
                                                          __LINE__);                                                  \
  void imgsim_kernels_of_this_file(imgsim::binding::Kernels::Library& library)
