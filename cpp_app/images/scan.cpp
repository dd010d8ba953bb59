#include "scan.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "errors.h"
#include "file.h"
#include "formats.h"
#include "text.h"

namespace imgsim::app {
namespace {

namespace fs = std::filesystem;

bool counts(const std::string& path) {
  const std::string_view claimed = is_surely_meant(path) ? claimed_format(path) : "";
  if (!claimed.empty() && !is_aside(claimed)) {
    return true;  // so that it is reported when it is none
  }
  try {
    const std::vector<uint8_t> head = read_regular(path, kHeadSize), tail = read_regular(path, kHeadSize, true);
    const std::string_view format = picture_format(head, tail, path);
    return !format.empty() && !is_aside(format);
  } catch (const PictureError& error) {
    return claimed.empty() && (error.code() == reasons::kBrokenLink.code || error.code() == reasons::kUnreadable.code);
  }
}

using Identity = std::pair<dev_t, ino_t>;

void search(const std::string& root, std::set<Identity>& entered, std::vector<std::string>& files) {
  std::vector<std::string> pending{root};
  while (!pending.empty()) {
    const std::string folder = std::move(pending.back());
    pending.pop_back();
    struct stat status{};
    std::error_code error;
    if (::stat(folder.c_str(), &status) == 0 && !entered.insert({status.st_dev, status.st_ino}).second) {
      continue;
    }
    std::vector<std::string> names;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      std::string name = entry->path().filename().string();
      if (!name.starts_with('.')) {
        names.push_back(std::move(name));
      }
    }
    if (error) {
      if (folder == root) {
        throw UserError("scan: a folder must be readable (got " + printable(folder) + ": " + error.message() + ")");
      }
      files.push_back(folder);  // decode() gives it its reason, so that nothing is left out without a word
      continue;
    }
    std::sort(names.begin(), names.end());
    std::vector<std::string> inner;
    for (const std::string& name : names) {
      std::string path = (fs::path(folder) / name).string();
      if (fs::is_directory(path, error)) {
        inner.push_back(std::move(path));
      } else if (counts(path)) {
        files.push_back(std::move(path));
      }
    }
    pending.insert(pending.end(), std::make_move_iterator(inner.rbegin()), std::make_move_iterator(inner.rend()));
  }
}

}  // namespace

std::vector<std::string> scan(const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  std::set<Identity> entered;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
      search(path, entered, found);
    } else if (fs::symlink_status(path, error).type() == fs::file_type::not_found || path.empty()) {
      throw UserError("scan: a path must exist (got " + (path.empty() ? "''" : printable(path)) + ")");
    } else {
      found.push_back(path);
    }
  }
  std::vector<std::string> files;
  std::set<std::string_view> seen;
  for (const std::string& path : found) {
    if (seen.insert(path).second) {
      files.push_back(path);
    }
  }
  return files;
}

}  // namespace imgsim::app
