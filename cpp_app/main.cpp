// imgsim_app: see commands/arguments.cpp for what it does.
#include <cstdio>
#include <exception>

#include "commands/arguments.h"
#include "commands/compare.h"
#include "commands/embed.h"
#include "commands/stats.h"
#include "errors.h"
#include "model.h"
#include "text.h"

namespace {

int run(const imgsim::app::Arguments& arguments) {
  using imgsim::app::Task;
  switch (arguments.task) {
    case Task::kHelp:
      std::fputs(imgsim::app::help(), stdout);
      return 0;
    case Task::kVersion:
      std::printf("imgsim_app %s, built against PyTorch %s\n", IMGSIM_VERSION, imgsim::app::torch_version().c_str());
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
    return run(imgsim::app::parse({argv + 1, argv + argc}));
  } catch (const imgsim::app::UserError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imgsim_app: this should not have happened: %s\n",
                 imgsim::app::printable(error.what()).c_str());
    return 1;
  }
}
