#include "arguments.h"

#include <charconv>
#include <optional>

#include "errors.h"
#include "kernels/thread_pool.h"
#include "text.h"

namespace imgsim::app {
namespace {

// More than any machine has; keeps a slip of the finger from starting a million threads.
constexpr int kMostThreads = 1024;
constexpr int kMostRepeats = 1000000;

std::string shown(const std::string& text) { return text.empty() ? "''" : printable(text); }

int number(const std::string& option, const std::string& text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw UserError("imgsim_app: " + option + " must be an integer from " + std::to_string(least) + " to " +
                    std::to_string(most) + " (got " + shown(text) + ")");
  }
  return value;
}

void require(bool ok, const std::string& rule, const std::string& got) {
  if (!ok) {
    throw UserError("imgsim_app: " + rule + " (got " + shown(got) + "); see imgsim_app --help");
  }
}

void set_task(Arguments& out, std::optional<Task>& task, Task wanted, const std::string& option) {
  require(!task || *task == wanted, "--stats and --embed exclude each other", option);
  task = wanted;
  out.task = wanted;
}

}  // namespace

const char* help() {
  return R"(imgsim_app: how alike two pictures are, and the mean colour of many, without Python.

Usage:
  imgsim_app --model MODEL.pt A B        the similarity, and where the time went
  imgsim_app --model MODEL.pt --embed PICTURE...
                                         each picture's vector, one value a line
  imgsim_app --stats PATH...             mean and standard deviation of each channel over all pixels of all
                                         pictures, and 1 thread against 2, 4 ... all

Options:
  --model FILE    a model written by export/resnet18_multiscale.py
  --threads N     at most N threads (default: all processors that this process may use)
  --repeat N      compare: run N times and also show the medians (default 1)
                  stats: time each row N times and show the medians (default 3); 0 leaves the table out
  --json          one JSON document on stdout
  --help          this text
  --version       versions of imgsim and PyTorch
  --              what follows is a path, even if it begins with -

Pictures are JPEG, PNG, WebP and GIF (of an animation the first frame), told by content. The orientation that EXIF or XMP
says is honoured, transparency is put on white, 16-bit pictures are scaled.

Folders are searched with all folders in them, in the order of names; hidden files are passed over. A file in a folder
counts when its name ends like a picture's of any format or its content is one. A file that cannot be read is skipped and
named on stderr with the reason.

Environment:
  IMGSIM_TORCHVISION_IMAGE    torchvision's image library, image_stable.so or image.so, in place of the one found when this
                              program was built
  IMGSIM_ISA                  plain, avx2 or avx512: a lesser instruction set than the best one

Exit codes: 0 done, 2 an error of the user, 3 some files were skipped, 1 a fault of the program.

Examples:
  imgsim_app --model resnet18_multiscale.pt cat.jpg dog.png
  imgsim_app --model resnet18_multiscale.pt cat.jpg dog.png --repeat 20 --threads 1 --json
  imgsim_app --model resnet18_multiscale.pt --embed cat.jpg --json > cat.json
  imgsim_app --stats photos/
  imgsim_app --stats photos/ more/picture.png --threads 2 --repeat 5
)";
}

Arguments parse(const std::vector<std::string>& arguments) {
  Arguments out;
  std::optional<Task> task;
  bool options = true;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!options || !argument.starts_with('-') || argument == "-") {
      out.paths.push_back(argument);
      continue;
    }
    const size_t equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
    const std::string name = argument.substr(0, equals);
    const bool takes_value = name == "--model" || name == "--threads" || name == "--repeat";
    require(takes_value || equals == std::string::npos, "unknown option", argument);
    std::string value;
    if (takes_value) {
      require(equals != std::string::npos || i + 1 < arguments.size(), "an option must have a value", name);
      value = equals != std::string::npos ? argument.substr(equals + 1) : arguments[++i];
    }
    if (name == "--") {
      options = false;
    } else if (name == "--help" || name == "-h") {
      out.task = Task::kHelp;
      return out;
    } else if (name == "--version") {
      out.task = Task::kVersion;
      return out;
    } else if (name == "--json") {
      out.json = true;
    } else if (name == "--stats") {
      set_task(out, task, Task::kStats, name);
    } else if (name == "--embed") {
      set_task(out, task, Task::kEmbed, name);
    } else if (name == "--model") {
      out.model = value;
    } else if (name == "--threads") {
      out.threads = number(name, value, 1, kMostThreads);
    } else if (name == "--repeat") {
      out.repeat = number(name, value, 0, kMostRepeats);
    } else {
      require(false, "unknown option", argument);
    }
  }
  const std::string got = std::to_string(out.paths.size());
  if (out.task == Task::kStats) {
    require(!out.paths.empty(), "--stats needs a folder or picture", got);
    require(out.model.empty(), "--stats takes no --model", out.model);
  } else {
    const bool embed = out.task == Task::kEmbed;
    require(embed ? !out.paths.empty() : out.paths.size() == 2,
            embed ? "--embed needs at least one picture" : "a comparison needs two pictures", got);
    require(!out.model.empty(), "--model must name a file", "none");
    require(out.repeat != 0 && !(embed && out.repeat > 0),
            embed ? "--embed takes no --repeat" : "--repeat must be at least 1", std::to_string(out.repeat));
  }
  if (out.threads == 0) {
    out.threads = available_threads();
  }
  return out;
}

}  // namespace imgsim::app
