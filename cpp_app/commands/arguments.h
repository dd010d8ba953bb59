// The command line.
#pragma once

#include <string>
#include <vector>

namespace imgsim::app {

enum class Task { kHelp, kVersion, kCompare, kEmbed, kStats };

struct Arguments {
  Task task = Task::kCompare;
  std::string model;
  std::vector<std::string> paths;
  int threads = 0;  ///< Always at least 1 once parsed.
  int repeat = -1;  ///< -1: not given.
  bool json = false;
};

/// Throws UserError for what it does not know, and for too few or too many paths.
Arguments parse(const std::vector<std::string>& arguments);

/// The text of --help.
const char* help();

}  // namespace imgsim::app
