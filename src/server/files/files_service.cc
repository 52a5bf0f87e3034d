// The folder is opened once, by whoever comes first.
#include "server/files/files_service.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace strata::server {
namespace {

asio::awaitable<void> call(std::function<void()> work) {
  work();
  co_return;
}

}  // namespace

FilesService::FilesService(Env& env, FilesConfig config)
    : config_(std::move(config)),
      folder_(env, config_.folder),
      files_(folder_, config_.limits),
      batches_(folder_),
      runner_(folder_, files_, batches_, config_.owners, config_.key_limits) {}

Result<void> FilesService::open_existing() {
  if (!folder_.exists()) return {};
  return open();
}

Result<void> FilesService::open() {
  const std::lock_guard lock(opening_);
  if (open_) return {};
  TRY(folder_.open());
  TRY(batches_.load());
  TRY(files_.load(batches_.coming_files()));
  open_ = true;
  return {};
}

Result<void> FilesService::usable() const {
  if (fault_) return std::unexpected(*fault_);
  return {};
}

Result<void> FilesService::ready() {
  TRY(usable());
  if (open_) return {};
  const auto opened = open();
  if (!opened) return std::unexpected(StateFolder::shown(opened.error()));
  return {};
}

std::string FilesService::owner(std::optional<size_t> key) const {
  return key && *key < config_.owners.size() ? config_.owners[*key] : "";
}

asio::awaitable<void> FilesService::on_disk(std::function<void()> work) {
  co_await asio::co_spawn(disk_, call(std::move(work)), asio::use_awaitable);
}

}  // namespace strata::server
