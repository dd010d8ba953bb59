// The inner loops, compiled once for each instruction set, and the choice between them at run time.
//
// loops.cpp is built several times, with other compiler flags and another value of IMGSIM_ISA; each build fills one
// table. Everything above this header (shapes, threads, heaps) is compiled once and calls through the table.
//
// Accuracy: sums of floating elements are kept in double, in a fixed number of lanes, each by fused multiply-add where
// the instruction set has it. Two tables may therefore differ in the last bits of a double; one table never differs
// from itself.
#pragma once

#include <cstdint>
#include <type_traits>

#include "../types.h"

namespace imgsim {

/// What screening knows of a vector besides its codes; see screen.h for the meaning.
struct Sketch {
  float step;    // the residual is about step * codes
  float error;   // upper bound on |residual - step * codes|
  float length;  // upper bound on |step * codes|
  float bias;    // centre . unit vector; +inf when the vector must never be screened out
};

/// Loops over one vector of adjacent elements of type T, int8 among them.
template <class T>
struct VectorLoops {
  /// What the left side of a product is kept in: products and sums are then exact integers for int8 (any n < 2^38), and
  /// in double for all others.
  using Wide = std::conditional_t<std::is_same_v<T, int8_t>, int16_t, double>;

  /// out[i] = x[i]
  void (*widen)(const T* x, int64_t n, Wide* out);
  /// out[i] = float(x[i] * factor)
  void (*scale)(const T* x, int64_t n, double factor, float* out);
  /// x.y and y.y, in one pass over y
  void (*dot_and_squares)(const Wide* x, const T* y, int64_t n, double* dot, double* squares);
  /// Codes of x / |x| - centre into codes[0, n4), n4 = n rounded up to 4, padded with code zero. centre_squares is
  /// |centre|^2, scratch has room for n floats. A null centre stands for zero. False, and nothing written, where x must
  /// be scored exactly: its norm is not finite, or so small or large that single precision or eps would matter.
  /// Elements that are codes already (int8, where ScreenLoops::levels is kCodeLevels) are taken as they are, without a
  /// centre.
  bool (*sketch)(const T* x, int64_t n, const float* centre, float centre_squares, float* scratch, uint8_t* codes,
                 Sketch* out);
};

/// More loops over one row, of floating elements.
template <class T>
struct RowLoops : VectorLoops<T> {
  /// out[i] = x[i] rounded to T
  void (*narrow)(const double* x, int64_t n, T* out);
  double (*sum)(const T* x, int64_t n);
  /// sum of (x[i] - shift)^2
  double (*sum_squares)(const T* x, int64_t n, double shift);
  /// x.y and y.y in single precision, summed in at least four lanes
  void (*quick)(const float* x, const T* y, int64_t n, float* dot, float* squares);
  /// The largest |x[i]|, 0 of none; NaN where an element is not finite.
  double (*largest)(const T* x, int64_t n);
  /// sums[j] += x[i * stride + j] for i < rows, j < n; i ascending
  void (*add_rows)(const T* x, int64_t rows, int64_t stride, int64_t n, double* sums);
};

/// Bytes: exact sums, and rounding to them.
struct ByteLoops {
  /// *sum += x[i], *squares += x[i]^2
  void (*plane)(const uint8_t* x, int64_t n, uint64_t* sum, uint64_t* squares);
  /// The same for `channels` interleaved channels; n counts positions.
  void (*interleaved)(const uint8_t* x, int64_t n, int64_t channels, uint64_t* sums, uint64_t* squares);
  /// out[i] = x[i], of at most 127 in magnitude, rounded to the nearest integer, halves to even
  void (*round_to_bytes)(const float* x, int64_t n, int8_t* out);
};

/// A panel of vectors laid out as the right-hand side of the screening loop, lanes adjacent. `count` real ones, padded.
struct ScreenPanel {
  const int8_t* codes;     // [lanes / L][dim4 / 4][L][4], L the lanes of one register
  const float* step;       // [lanes]
  const float* offset;     // [lanes] code zero of the left side times the sum of the codes
  const float* error;      // [lanes]
  const float* reach;      // [lanes] upper bound on |residual|
  const float* bias;       // [lanes] centre . unit - |centre|^2 + slack; +inf: never screened out
  const float* threshold;  // [lanes] survivors have an upper bound >= this
  int64_t count;
  int64_t lanes;
};

struct Survivor {
  int32_t row;
  int32_t lane;
};

/// The largest code that 8 bits hold on both sides of zero; int8 vectors go through unchanged where it is usable.
constexpr int kCodeLevels = 127;

struct ScreenLoops {
  int levels;     // codes are in [-levels, levels]; the left side is stored as code + levels + 1 in uint8
  int64_t lanes;  // panels are padded to a multiple of this
  int64_t group;  // L of ScreenPanel
  /// Writes the (row, lane) pairs whose upper bound reaches the lane's threshold, or is NaN, to out, which has
  /// room for all; returns how many. dim4: bytes in a row of codes.
  int64_t (*screen)(const uint8_t* codes, const Sketch* rows, int64_t row_count, int64_t dim4, const ScreenPanel& panel,
                    Survivor* out);
};

constexpr int kWeightBits = 22;      // of resize_crop's fixed-point weights
constexpr int64_t kTapChunk = 4;     // weights are kept in chunks of so many
constexpr int64_t kResizeSlack = 4;  // bytes beyond its row that resize_row may write

/// How output positions are made of input positions.
struct ResizeAxis {
  int64_t count;           // output positions
  int64_t taps;            // weights kept for each, a multiple of kTapChunk
  const int64_t* start;    // [count] first input position, ascending
  const int64_t* used;     // [count] how many count
  const int32_t* weights;  // [count][taps], 0 from `used` on
  const int16_t* spread;   // [count][taps / kTapChunk][spread_words], from spread_weights
};

struct ResizeLoops {
  int64_t spread_words;  // what a chunk of weights takes in the form that resize_row likes best; may be 0
  void (*spread_weights)(const int32_t* weights, int64_t taps, int16_t* out);
  /// A row of `width` RGB pixels, of which none beyond the last is read, to axis.count pixels.
  void (*resize_row)(const uint8_t* in, int64_t width, const ResizeAxis& axis, uint8_t* out);
  /// n bytes, each from `used` bytes that are `stride` apart.
  void (*resize_column)(const uint8_t* in, int64_t stride, int64_t n, const int32_t* weights, int64_t used,
                        uint8_t* out);
};

struct Loops {
  const char* name;
  RowLoops<float> float32;
  RowLoops<double> float64;
  RowLoops<imgsim::float16> float16;
  RowLoops<imgsim::bfloat16> bfloat16;
  VectorLoops<int8_t> int8;
  ByteLoops bytes;
  ScreenLoops screening;
  ResizeLoops resizing;

  template <class T>
  const auto& rows() const {
    if constexpr (std::is_same_v<T, int8_t>) {
      return int8;
    } else if constexpr (std::is_same_v<T, float>) {
      return float32;
    } else if constexpr (std::is_same_v<T, double>) {
      return float64;
    } else if constexpr (std::is_same_v<T, imgsim::float16>) {
      return float16;
    } else {
      return bfloat16;
    }
  }
};

/// The best table this processor can run; IMGSIM_ISA=plain|avx2|avx512 in the environment asks for a lesser one.
const Loops& loops();

/// Names of the tables in this build, best first, and whether this processor can run each.
struct IsaInfo {
  const char* name;
  bool usable;
};
const IsaInfo* isa_list(int* count);

/// Whether this processor multiplies and adds 8-bit integers in one instruction (VNNI on x86, DotProd on ARM), without
/// which quantised networks are slower, and on x86 saturate.
bool has_int8_dot_products();

}  // namespace imgsim
