// `strata pull` without its flags: a model of the hub into the local cache, from where every
// command takes it as org/name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "hub/hub_client.h"
#include "hub/repo.h"

namespace strata::hub {

struct PullOptions {
  std::string id;                 // org/name
  std::string revision = "main";  // branch, tag or commit
  Patterns patterns = {};
  int jobs = 8;
  bool offline = false;  // only look whether all is there
  HubConfig hub = {};
  std::function<void(int64_t done, int64_t kept, int64_t total)> progress = {};  // download.h
  std::function<void(const std::string&)> note = {};
};

struct PullReport {
  std::string snapshot;  // the folder
  std::string commit;
  int64_t files = 0;
  int64_t bytes = 0;
  std::vector<std::string> left_out = {};
};

/// The revision means the new commit only once all of its files are there. kUnsupported for a
/// repository without weights that Strata reads; kNotFound offline where something is missing.
Result<PullReport> pull_model(Env& env, const PullOptions& options);

/// HF_TOKEN, or what HF_TOKEN_PATH or the hub's own login left in token; `file` goes before all.
/// Empty where there is none.
Result<std::string> find_token(Env& env, const std::string& file);

}  // namespace strata::hub
