// What was measured on this machine, in a file of its user's cache folder, so that a plan need not
// measure again: named numbers under a key that says of what. A file that is damaged, or of another
// version, holds nothing: what is missing is measured again. Measures nothing itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/status.h"

namespace strata::placement {

struct Probe {
  int64_t unix_time_s = 0;  // when it was measured
  std::string what = {};    // for people: what was measured, on what
  std::vector<std::pair<std::string, double>> values = {};  // each finite and > 0

  /// 0 where there is none of that name.
  double value(std::string_view name) const;
};

class ProbeCache {
 public:
  /// $XDG_CACHE_HOME/strata/probes.json, or under $HOME/.cache; empty where neither is set.
  static std::string default_path(Env& env);
  /// Reads what the file holds; an empty path holds nothing and saves nothing.
  ProbeCache(Env& env, std::string path);

  const std::string& path() const { return path_; }
  std::optional<Probe> find(const std::string& key) const;
  /// Puts the probe in place of one of the same key and writes the file anew, without values that
  /// are no numbers greater than 0. kBusy where another
  /// process writes it at this moment.
  Result<void> save(const std::string& key, Probe probe);

  static constexpr size_t kMostProbes = 64;  // beyond, the oldest goes

 private:
  struct Entry {
    std::string key;
    Probe probe;
  };
  Result<std::vector<Entry>> read() const;
  static Result<Entry> read_entry(const Json& json);

  Env& env_;
  std::string path_;
  std::vector<Entry> entries_;
};

/// "2026-11-22 20:31 UTC".
std::string format_time(int64_t unix_time_s);

}  // namespace strata::placement
