// imgsim_app: see commands/arguments.cpp for what it does.
#include <cstdio>
#include <exception>
#include <stdexcept>

#include "commands/arguments.h"
#include "commands/compare.h"
#include "commands/embed.h"
#include "commands/stats.h"
#include "errors.h"
#include "kernels/isa/loops.h"
#include "model.h"
#include "output.h"
#include "text.h"

namespace {

/// The kernels read IMGSIM_ISA when the first of them runs, where a wrong word would seem to be a fault of theirs.
void check_environment() {
  try {
    imgsim::loops();
  } catch (const std::invalid_argument& error) {
    throw imgsim::app::UserError(imgsim::app::printable(error.what()));
  }
}

int run(const imgsim::app::Arguments& arguments) {
  using imgsim::app::Task;
  if (arguments.task != Task::kHelp && arguments.task != Task::kVersion) {
    check_environment();
  }
  switch (arguments.task) {
    case Task::kHelp:
      imgsim::app::print("%s", imgsim::app::help());
      return 0;
    case Task::kVersion:
      imgsim::app::print("imgsim_app %s, built against PyTorch %s\n", IMGSIM_VERSION,
                         imgsim::app::torch_version().c_str());
      return 0;
    case Task::kStats:
      return imgsim::app::stats(arguments);
    case Task::kEmbed:
      return imgsim::app::embed(arguments);
    case Task::kCompare:
      return imgsim::app::compare(arguments);
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    imgsim::app::open_streams();
    const int code = run(imgsim::app::parse({argv + 1, argv + argc}));
    imgsim::app::require_printed();
    return code;
  } catch (const imgsim::app::UserError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imgsim_app: this should not have happened: %s\n",
                 imgsim::app::printable(error.what()).c_str());
    return 1;
  }
}
