#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "errors.h"

namespace imgsim::app {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail(const std::string& path, int error) {
  if (error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ELOOP) {
    struct stat link{};
    const bool is_link = ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode);
    throw PictureError(is_link || error == ELOOP ? reasons::kBrokenLink : reasons::kMissing, path);
  }
  if (error == ENXIO) {  // a socket, or a pipe that took the file's place
    throw PictureError(reasons::kSpecial, path);
  }
  throw PictureError(reasons::kUnreadable, path, std::strerror(error));
}

void require_regular(const struct stat& status, const std::string& path) {
  if (S_ISDIR(status.st_mode)) {
    throw PictureError(::access(path.c_str(), R_OK | X_OK) == 0 ? reasons::kFolder : reasons::kUnreadable, path);
  }
  if (!S_ISREG(status.st_mode)) {
    throw PictureError(reasons::kSpecial, path);
  }
  if (status.st_size == 0) {
    throw PictureError(reasons::kEmpty, path);
  }
}

}  // namespace

std::vector<uint8_t> read_regular(const std::string& path, size_t limit, bool last) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    fail(path, errno);
  }
  require_regular(status, path);
  // O_NONBLOCK covers the moment between the look and the opening.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    fail(path, errno);
  }
  require_regular(status, path);
  std::vector<uint8_t> content(std::min(limit, static_cast<size_t>(status.st_size)));
  const size_t begin = last ? static_cast<size_t>(status.st_size) - content.size() : 0;
  size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count =
        ::pread(file.number(), content.data() + filled, content.size() - filled, static_cast<off_t>(begin + filled));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      fail(path, errno);
    }
    if (count == 0) {  // it became shorter meanwhile
      break;
    }
    filled += static_cast<size_t>(count);
  }
  content.resize(filled);
  return content;
}

}  // namespace imgsim::app
