// Plain system calls.
#include "base/private_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace strata {
namespace {

std::unexpected<Status> fail_errno(const std::string& path, int error) {
  return fail(Code::kIo, path + ": " + std::generic_category().message(error));
}

}  // namespace

Result<void> make_private_folder(const std::string& path) {
  constexpr mode_t kOthers = 077;
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return fail_errno(parent.string(), error.value());
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return fail_errno(path, errno);
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return fail_errno(path, errno);
  if (!S_ISDIR(info.st_mode)) return fail(Code::kInvalidData, path, "a file", "a folder");
  if (info.st_uid == ::geteuid() && (info.st_mode & kOthers) == 0) return {};
  return fail(Code::kInvalidData, path, "a folder that other users may enter",
              "one of this user alone", "chmod 700 it, or name another one");
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno(path, errno);
}

Result<void> make_link(const std::string& target, const std::string& path) {
  const std::string fresh = path + ".link-being-made";
  TRY(remove_file(fresh));
  if (::symlink(target.c_str(), fresh.c_str()) != 0) return fail_errno(fresh, errno);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno(path, errno);
  return {};
}

}  // namespace strata
