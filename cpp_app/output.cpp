#include "output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

#include "errors.h"

namespace imgsim::app {
namespace {

int lost = 0;  // the error of the first thing that could not be written

void note(bool written) {
  if (!written && lost == 0) {
    lost = errno;
  }
}

}  // namespace

void open_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (::fcntl(stream, F_GETFD) < 0) {  // the lowest number that is free is taken; for reading, so that writing fails
      ::open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_RDWR);
    }
  }
}

void print(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  note(std::vprintf(format, arguments) >= 0);
  va_end(arguments);
}

void flush_output() { note(std::fflush(stdout) == 0); }

void require_printed() {
  flush_output();
  if (lost != 0 && lost != EPIPE) {
    throw UserError("stdout: what is printed must have a place (got " + std::string(std::strerror(lost)) + ")");
  }
}

}  // namespace imgsim::app
