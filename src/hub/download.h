// Files of a repository into the cache: several connections, each taking the next piece of the
// first file that has one, until every file is there with the digest that the listing promised.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/env.h"
#include "base/status.h"
#include "hub/cache.h"
#include "hub/hub_client.h"
#include "hub/repo.h"

namespace strata::hub {

struct DownloadPlan {
  const HubConfig& hub;
  std::string id;
  std::string commit;
  int jobs = 8;  // connections
  /// Bytes that are there, those of them from earlier runs, and all. From several threads, one at a
  /// time.
  std::function<void(int64_t done, int64_t kept, int64_t total)> progress;
  std::function<void(const std::string&)> note;  // for the user
};

/// Whatever is missing of `files`, and its links. Memory: two pieces of 8 MiB for each connection.
/// kResourceLimit where the disk is too small, before anything is fetched. What has arrived stays
/// for the next run, whatever fails. Where another process fetches the same file, waits for it.
Result<void> download_files(Env& env, Cache& cache, const DownloadPlan& plan,
                            std::span<const RemoteFile> files);

}  // namespace strata::hub
