// The picture's way into the model: one resize-and-crop for Python and C++.
#pragma once

#include <cstdint>
#include <memory>

#include "parallel.h"

namespace imgsim {

/// Resizes an RGB picture so that its shorter side is `resize` (the longer one is int(resize * longer / shorter)),
/// and writes the centre `crop` x `crop` window to out.
///
/// pixels: uint8 (height, width, 3), rows `row_stride` bytes apart; height, width >= 1.
/// out: uint8 (crop, crop, 3), adjacent; crop <= resize.
/// Antialiased bilinear in Pillow's arithmetic: a triangle filter widened by the scale, weights rounded to 22 bits,
/// along each row first and then along the columns, one rounding to 8 bits after each. The bits are those of Pillow's
/// resize(..., BILINEAR) one axis after the other and a centre crop, but only what the crop needs is computed. (In one
/// call, Pillow 13 starts a tall picture with its columns, which can differ by one level.)
///
/// Memory: for each thread (input rows that 32 output rows reach) x crop x 3 bytes, and the weights of both axes.
void resize_crop(const uint8_t* pixels, int64_t height, int64_t width, int64_t row_stride, int64_t resize, int64_t crop,
                 uint8_t* out, const Executor& executor);

/// resize_crop, the same bits, of a picture that comes in strips from top to bottom, perhaps already shrunk: one pixel
/// of a strip then stands for scale x scale of the picture, the last ones in a row or column for those that are left.
///
/// Memory: (input rows that the crop reaches) x crop x 3 bytes: about 7 MB for 100 megapixels.
class StripResizer {
 public:
  StripResizer(int64_t height, int64_t width, int64_t resize, int64_t crop, int64_t scale = 1);
  ~StripResizer();
  /// Pixels in a row of a strip: the picture's width divided by scale, rounded up.
  int64_t width() const;
  /// The next rows of the picture: uint8 (rows, width(), 3), adjacent.
  void add(const uint8_t* pixels, int64_t rows);
  /// Writes the crop, as resize_crop does; all rows must have been added.
  void finish(uint8_t* out) const;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace imgsim
