#include "errors.h"

#include "text.h"

namespace imgsim::app {

PictureError::PictureError(const Reason& reason, const std::string& path, const std::string& detail)
    : UserError("decode: " + std::string(reason.sentence) + " (got " + printable(path) +
                (detail.empty() ? "" : ": " + printable(detail)) + ")"),
      code_(reason.code) {}

}  // namespace imgsim::app
