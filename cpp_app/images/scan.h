// Which files are meant by the paths and folders that a user gives.
#pragma once

#include <string>
#include <vector>

namespace imgsim::app {

/// The files in an order that depends on names only, by the rules of the Python package (imgsim_ops/images/scan.py).
///
/// A file is taken as it is given, whatever it is. A folder is searched with all folders in it, names sorted by byte,
/// its files before the folders in it; hidden names are passed over. In a folder a file counts when its name claims a
/// picture or its content is one; links that lead nowhere and what cannot be read count too. Every folder is entered
/// once, however many links lead to it. Throws UserError for a path that does not exist or a folder, given by name,
/// that cannot be listed.
std::vector<std::string> scan(const std::vector<std::string>& paths);

}  // namespace imgsim::app
