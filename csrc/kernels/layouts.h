// From the shape and strides of an array to what a kernel takes, and whether it can be read where it lies. Strides are
// in elements. A binding makes the copies, each with its own library's means.
#pragma once

#include <algorithm>

#include "channel_stats.h"
#include "multiscale_pool.h"
#include "shapes.h"

namespace imgsim {

/// Of an array whose elements are adjacent in row-major order. (A size of 0 counts as 1, as in PyTorch.)
inline Shape row_major_strides(const Shape& shape) {
  Shape strides(shape.size());
  int64_t step = 1;
  for (size_t axis = shape.size(); axis-- > 0; step *= std::max<int64_t>(1, shape[axis])) {
    strides[axis] = step;
  }
  return strides;
}

/// One operand of cosine_similarity.
struct CosineOperand {
  int64_t axis;   // the vectors', from the front; negative where the operand lacks it: each element is a vector of one
  bool in_place;  // the vectors are adjacent; else they are to be copied to a row-major (outer..., plan.length) array,
                  // a vector of one element repeated
  Shape outer;    // sizes without the vectors' axis
  Shape strides;  // of the operand or of that copy, along the result's axes; 0 where it repeats

  CosineOperand(const Shape& shape, const Shape& own, const CosinePlan& plan)
      : axis(static_cast<int64_t>(shape.size()) - 1 - plan.axis), outer(shape) {
    Shape steps = own;
    int64_t step = 0;  // from one element of a vector to the next
    if (axis >= 0) {
      const auto at = static_cast<size_t>(axis);
      step = shape[at] == plan.length ? own[at] : 0;
      outer.erase(outer.begin() + axis);
      steps.erase(steps.begin() + axis);
    }
    in_place = plan.length <= 1 || step == 1;
    if (!in_place) {
      steps = row_major_strides(outer);
      std::for_each(steps.begin(), steps.end(), [&](int64_t& stride) { stride *= plan.length; });
    }
    strides.resize(plan.shape.size());
    const size_t missing = strides.size() - outer.size();
    for (size_t i = 0; i < outer.size(); ++i) {
      strides[missing + i] = outer[i] == 1 ? 0 : steps[i];
    }
  }
};

/// Whether height and width of an (N, C, H, W) array are one axis in memory, as in both usual layouts: `images_of` and
/// `feature_map_of` need that.
inline bool one_axis_of_positions(const Shape& shape, const Shape& strides) {
  return shape[2] == 1 || shape[3] == 1 || strides[2] == shape[3] * strides[3];
}

/// The step along that axis. Where width is 1 it is the step from row to row.
inline int64_t position_stride(const Shape& shape, const Shape& strides) {
  return shape[3] == 1 ? (shape[2] == 1 ? 1 : strides[2]) : strides[3];
}

inline Images images_of(DType dtype, const void* data, const Shape& shape, const Shape& strides) {
  return {
      dtype, data, shape[0], shape[1], shape[2] * shape[3], strides[0], strides[1], position_stride(shape, strides)};
}

inline FeatureMap feature_map_of(const void* data, const Shape& shape, const Shape& strides) {
  return {data, shape[1], shape[2] * shape[3], strides[0], strides[1], position_stride(shape, strides)};
}

}  // namespace imgsim
