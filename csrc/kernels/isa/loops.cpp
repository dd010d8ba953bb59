// One table of loops; see loops.h. Built once for each instruction set.

#include "loops.h"

#include "byte_loops.h"
#include "resize_loops.h"
#include "row_loops.h"
#include "screen_loops.h"

namespace imgsim {
namespace IMGSIM_ISA {
namespace {

template <class T>
constexpr RowLoops<T> row_loops() {
  return {widen<T>, scale<T>, narrow<T>, sum<T>, sum_squares<T>, dot<T>, dot_and_squares<T>, add_rows<T>, sketch<T>};
}

}  // namespace

extern const Loops kTable;
const Loops kTable = {IMGSIM_ISA_NAME,
                      row_loops<float>(),
                      row_loops<double>(),
                      row_loops<imgsim::float16>(),
                      row_loops<imgsim::bfloat16>(),
                      {plane, interleaved},
                      {kLevels, kPanelStep, kGroup, screen},
                      {kSpreadWords, spread_weights, resize_row, resize_column}};

}  // namespace IMGSIM_ISA
}  // namespace imgsim
