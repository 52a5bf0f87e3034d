// Folders that only this user may enter, links, and the end of files: what a program that keeps
// files of its own needs beside Env, which knows no owners and removes nothing.
#pragma once

#include <string>

#include "base/status.h"

namespace strata {

/// Creates the folder with the mode 0700, and its missing parents. kInvalidData where it exists and
/// is another user's, or other users may enter it.
Result<void> make_private_folder(const std::string& path);

/// What is not there is fine.
Result<void> remove_file(const std::string& path);

/// A symbolic link at `path`, in place of a link or file that is there; whole at any moment.
Result<void> make_link(const std::string& target, const std::string& path);

}  // namespace strata
