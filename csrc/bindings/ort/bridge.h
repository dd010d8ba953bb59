// What every adapter needs to get from ONNX Runtime's values to the kernels and back.
#pragma once

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/check.h"
#include "kernels/parallel.h"
#include "kernels/thread_pool.h"
#include "kernels/types.h"
#include "ort_abi.h"

namespace imgsim::ort {

/// Throws what a status says, unless it is null.
inline void ensure(const OrtApi& api, OrtStatus* status) {
  if (status != nullptr) {
    const std::string message = api[GetErrorMessage](status);
    api[ReleaseStatus](status);
    throw std::runtime_error(message);
  }
}

/// Whether a call succeeded, for those that may fail.
inline bool succeeds(const OrtApi& api, OrtStatus* status) {
  if (status != nullptr) {
    api[ReleaseStatus](status);
  }
  return status == nullptr;
}

/// Runs fn; an exception becomes a status, because none may pass through C. Bad input is INVALID_ARGUMENT.
template <class Fn>
OrtStatus* guarded(const OrtApi& api, Fn&& fn) noexcept {
  try {
    fn();
    return nullptr;
  } catch (const std::invalid_argument& error) {
    return api[CreateStatus](kInvalidArgument, error.what());
  } catch (const std::exception& error) {
    return api[CreateStatus](kRuntimeException, error.what());
  } catch (...) {
    return api[CreateStatus](kRuntimeException, "imgsim: an unknown error");
  }
}

/// The kernels' name of a type that they compute with.
constexpr DType dtype_of(ElementType type) {
  switch (type) {
    case kDouble:
      return DType::kFloat64;
    case kFloat16:
      return DType::kFloat16;
    case kBFloat16:
      return DType::kBFloat16;
    case kUInt8:
      return DType::kUInt8;
    default:
      return DType::kFloat32;
  }
}

/// The type of scores and statistics over elements of this type.
constexpr ElementType wide_type(ElementType type) { return type == kDouble ? kDouble : kFloat; }

/// The threads of the session that runs the operator.
class OrtExecutor final : public Executor {
 public:
  OrtExecutor(const OrtApi& api, const OrtKernelContext* context) : api_(api), context_(context) {}

  /// ONNX Runtime does not tell how many it has. Kernels want to know how many parts are worth having at once, and that
  /// is no more than there are processors; with fewer threads parts wait for their turn.
  int threads() const override {
    static const int processors = available_threads();
    return processors;
  }

  void parallel_for(int64_t n, int64_t grain, RangeBody body) const override {
    // A few ranges for each thread even out what else the machine is doing.
    const int64_t range = std::max<int64_t>({int64_t{1}, grain, n / (4 * static_cast<int64_t>(threads()))});
    if (n <= range) {  // small work: not even the way into the pool
      if (n > 0) {
        body(0, n);
      }
      return;
    }
    Loop loop{body, n, range, {}, {}};
    ensure(api_, api_[KernelContext_ParallelFor](context_, &Loop::run, static_cast<size_t>((n + range - 1) / range), 0,
                                                 &loop));
    if (loop.error) {
      std::rethrow_exception(loop.error);
    }
  }

 private:
  struct Loop {
    RangeBody body;
    int64_t n;
    int64_t range;
    std::mutex mutex;
    std::exception_ptr error;

    static void run(void* user, size_t index) noexcept {
      Loop& loop = *static_cast<Loop*>(user);
      const int64_t begin = static_cast<int64_t>(index) * loop.range;
      try {
        loop.body(begin, std::min(loop.n, begin + loop.range));
      } catch (...) {
        const std::lock_guard<std::mutex> lock(loop.mutex);
        if (!loop.error) {
          loop.error = std::current_exception();
        }
      }
    }
  };

  const OrtApi& api_;
  const OrtKernelContext* context_;
};

/// A node's attributes. One of another type than the operator's is refused, not taken for a missing one.
class Attributes {
 public:
  /// op: the name that stands before errors.
  Attributes(const OrtApi& api, const OrtKernelInfo* info, const char* op) : api_(api), info_(info), op_(op) {}

  int64_t integer(const char* name) const { return required(KernelInfoGetAttribute_int64, name, "an integer"); }

  int64_t integer(const char* name, int64_t otherwise) const {
    find(KernelInfoGetAttribute_int64, name, "an integer", &otherwise);
    return otherwise;
  }

  float number(const char* name) const { return required(KernelInfoGetAttribute_float, name, "a float"); }

  float number(const char* name, float otherwise) const {
    find(KernelInfoGetAttribute_float, name, "a float", &otherwise);
    return otherwise;
  }

  /// Empty where there are none.
  Shape integers(const char* name) const {
    Shape values(array_size(KernelInfoGetAttributeArray_int64, name));
    if (values.empty()) {  // also what an array of another type looks like
      check(!is_single(name) && array_size(KernelInfoGetAttributeArray_float, name) == 0, op_, ": ", name,
            " must be integers (got an attribute of another type)");
    } else {
      size_t size = values.size();
      ensure(api_, api_[KernelInfoGetAttributeArray_int64](info_, name, values.data(), &size));
    }
    return values;
  }

 private:
  template <class T>
  T required(Function<OrtStatus*(const OrtKernelInfo*, const char*, T*)> get, const char* name,
             const char* expected) const {
    T value{};
    check(find(get, name, expected, &value), op_, ": ", name, " must be given (got no such attribute)");
    return value;
  }

  template <class T>
  bool find(Function<OrtStatus*(const OrtKernelInfo*, const char*, T*)> get, const char* name, const char* expected,
            T* out) const {
    if (succeeds(api_, api_[get](info_, name, out))) {
      return true;
    }
    check(!is_single(name) && array_size(KernelInfoGetAttributeArray_int64, name) == 0 &&
              array_size(KernelInfoGetAttributeArray_float, name) == 0,
          op_, ": ", name, " must be ", expected, " (got an attribute of another type)");
    return false;
  }

  bool is_single(const char* name) const {
    float number = 0;
    int64_t integer = 0;
    size_t size = 0;
    return succeeds(api_, api_[KernelInfoGetAttribute_float](info_, name, &number)) ||
           succeeds(api_, api_[KernelInfoGetAttribute_int64](info_, name, &integer)) ||
           succeeds(api_, api_[KernelInfoGetAttribute_string](info_, name, nullptr, &size));
  }

  template <class T>
  size_t array_size(Function<OrtStatus*(const OrtKernelInfo*, const char*, T*, size_t*)> get, const char* name) const {
    size_t size = 0;
    return succeeds(api_, api_[get](info_, name, nullptr, &size)) ? size : 0;
  }

  const OrtApi& api_;
  const OrtKernelInfo* info_;
  const char* op_;
};

/// A tensor's elements, adjacent in row-major order, as ONNX Runtime always has them.
struct TensorView {
  const void* data;
  Shape shape;
};

/// One call of an operator.
class Context {
 public:
  /// type: of the inputs, which have one type.
  Context(const OrtApi& api, OrtKernelContext* context, ElementType type)
      : api_(api), context_(context), type_(type), executor_(api, context) {}

  DType dtype() const { return dtype_of(type_); }
  ElementType type() const { return type_; }
  const Executor& executor() const { return executor_; }

  TensorView input(size_t index) const {
    const OrtValue* value = nullptr;
    ensure(api_, api_[KernelContext_GetInput](context_, index, &value));
    OrtTensorTypeAndShapeInfo* made = nullptr;
    ensure(api_, api_[GetTensorTypeAndShape](value, &made));
    const auto release = api_[ReleaseTensorTypeAndShapeInfo];
    const std::unique_ptr<OrtTensorTypeAndShapeInfo, decltype(release)> info(made, release);
    size_t axes = 0;
    ensure(api_, api_[GetDimensionsCount](info.get(), &axes));
    TensorView view{nullptr, Shape(axes)};
    ensure(api_, api_[GetDimensions](info.get(), view.shape.data(), axes));
    void* data = nullptr;  // the function that gives a const pointer is the same one
    ensure(api_, api_[GetTensorMutableData](const_cast<OrtValue*>(value), &data));
    view.data = data;
    return view;
  }

  /// Room for an output of this shape; ONNX Runtime knows its type from the operator's declaration.
  template <class T = void>
  T* output(size_t index, const Shape& shape) const {
    OrtValue* value = nullptr;
    ensure(api_, api_[KernelContext_GetOutput](context_, index, shape.data(), shape.size(), &value));
    void* data = nullptr;
    ensure(api_, api_[GetTensorMutableData](value, &data));
    return static_cast<T*>(data);
  }

 private:
  const OrtApi& api_;
  OrtKernelContext* context_;
  ElementType type_;
  OrtExecutor executor_;
};

}  // namespace imgsim::ort
