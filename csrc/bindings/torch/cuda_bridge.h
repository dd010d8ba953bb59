// What the registrations for CUDA need besides bridge.h.
#pragma once

#include "bridge.h"

// In tests/emulated_cuda the same registrations and kernels run on the processor, on its tensors.
#ifdef IMGSIM_EMULATED_CUDA
#define IMGSIM_CUDA_KEY CPU
#else
#include <torch/csrc/stable/accelerator.h>
#define IMGSIM_CUDA_KEY CUDA
#endif

struct CUstream_st;

namespace imgsim::binding {

/// Makes a tensor's device the current one as long as it lives, and knows that device's current stream.
class OnDevice {
 public:
#ifdef IMGSIM_EMULATED_CUDA
  explicit OnDevice(const Tensor& tensor) : like_(tensor) {}
  CUstream_st* stream() const { return nullptr; }
  static bool has(const Tensor& tensor) { return tensor.is_cpu(); }
#else
  explicit OnDevice(const Tensor& tensor) : like_(tensor), guard_(tensor.get_device_index()) {
    void* stream = nullptr;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
    stream_ = static_cast<CUstream_st*>(stream);
  }
  CUstream_st* stream() const { return stream_; }
  static bool has(const Tensor& tensor) { return tensor.is_cuda(); }
#endif

  /// Memory for a launcher, from PyTorch's allocator: free to be used again, on this stream, once the tensor is gone.
  Tensor scratch(int64_t bytes) const { return make(like_, {bytes}, ScalarType::Byte); }

 private:
  const Tensor& like_;
#ifndef IMGSIM_EMULATED_CUDA
  torch::stable::accelerator::DeviceGuard guard_;
  CUstream_st* stream_ = nullptr;
#endif
};

/// Refuses tensors on different devices; `what` they are.
inline void check_one_device(const char* op, const char* what, const Tensor& a, const Tensor& b) {
  const auto name = [](const Tensor& tensor) -> std::string {
    return tensor.is_cpu()    ? "cpu"
           : tensor.is_cuda() ? "cuda:" + std::to_string(tensor.get_device_index())
                              : "another device";
  };
  check(OnDevice::has(a) && OnDevice::has(b) && a.get_device_index() == b.get_device_index(), op, ": ", what,
        " must be on one device (got ", name(a), " and ", name(b), ")");
}

}  // namespace imgsim::binding
