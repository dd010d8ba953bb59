// Element types that the kernels accept, and how to get from a run-time tag to a compile-time type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace imgsim {

// Storage only: arithmetic happens in float or double after a widening load (isa/simd.h).
struct float16 {
  uint16_t bits;
};
struct bfloat16 {
  uint16_t bits;
};

enum class DType { kFloat32, kFloat64, kFloat16, kBFloat16, kUInt8, kInt8 };

constexpr size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 4;
    case DType::kFloat64:
      return 8;
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
    case DType::kUInt8:
    case DType::kInt8:
      return 1;
  }
  return 0;
}

template <class T>
struct TypeTag {
  using type = T;
};

/// Calls fn(TypeTag<T>{}) with the element type that `dtype` names; uint8 and int8 are not floating types and
/// must be handled by the caller before.
template <class Fn>
auto visit_floating(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kFloat64:
      return fn(TypeTag<double>{});
    case DType::kFloat16:
      return fn(TypeTag<float16>{});
    case DType::kBFloat16:
      return fn(TypeTag<bfloat16>{});
    default:
      return fn(TypeTag<float>{});
  }
}

/// The same for the element types of vectors: the floating ones and int8.
template <class Fn>
auto visit_vectors(DType dtype, Fn&& fn) {
  return dtype == DType::kInt8 ? fn(TypeTag<int8_t>{}) : visit_floating(dtype, fn);
}

/// Writes what was computed from elements of type `dtype`: as double for float64 elements, rounded to float for all
/// others.
inline void write_values(DType dtype, const std::vector<double>& values, void* out) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kFloat64) {
      static_cast<double*>(out)[i] = values[i];
    } else {
      static_cast<float*>(out)[i] = static_cast<float>(values[i]);
    }
  }
}

}  // namespace imgsim
