// One way to refuse bad input, for every binding: std::invalid_argument with a message of the form
// "operator: rule (got value)". pybind11 and PyTorch both turn it into a Python ValueError.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace imgsim {

using Shape = std::vector<int64_t>;

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (size_t i = 0; i < shape.size(); ++i) {
    out << (i ? ", " : "") << shape[i];
  }
  return out << ']';
}

/// Throws std::invalid_argument with the parts of the message put together, unless `ok`.
template <class... Parts>
void check(bool ok, const Parts&... parts) {
  if (!ok) {
    std::ostringstream message;
    (message << ... << parts);
    throw std::invalid_argument(message.str());
  }
}

/// The index of `dim` counted from the front; refuses one outside [-ndim, ndim).
inline int64_t wrap_dim(const char* op, int64_t dim, int64_t ndim) {
  check(dim >= -ndim && dim < ndim, op, ": dim must be in [", -ndim, ", ", ndim - 1, "] (got ", dim, ")");
  return dim < 0 ? dim + ndim : dim;
}

}  // namespace imgsim
