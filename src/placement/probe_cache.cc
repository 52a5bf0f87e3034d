// Written beside and renamed, so that a reader sees a whole file or none.
#include "placement/probe_cache.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

namespace strata::placement {
namespace {

constexpr int kVersion = 1;
constexpr uint64_t kMaxFileBytes = 1 << 20;

// What is no number greater than zero would make the whole file count as damaged.
bool is_speed(double value) { return std::isfinite(value) && value > 0; }

}  // namespace

std::string format_time(int64_t unix_time_s) {
  const auto time = static_cast<std::time_t>(unix_time_s);
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) return "at an unknown time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min);
}

double Probe::value(std::string_view name) const {
  for (const auto& [key, value] : values) {
    if (key == name) return value;
  }
  return 0;
}

std::string ProbeCache::default_path(Env& env) {
  const auto cache = env.get_env("XDG_CACHE_HOME");
  if (cache && cache->starts_with('/')) return join_path(*cache, "strata/probes.json");
  const auto home = env.get_env("HOME");
  if (home && home->starts_with('/')) return join_path(*home, ".cache/strata/probes.json");
  return {};
}

ProbeCache::ProbeCache(Env& env, std::string path) : env_(env), path_(std::move(path)) {
  if (path_.empty()) return;
  if (auto entries = read()) entries_ = std::move(*entries);
}

Result<std::vector<ProbeCache::Entry>> ProbeCache::read() const {
  const std::string text = TRY(env_.read_small_file(path_, kMaxFileBytes));
  const Json json = TRY(parse_json_object(text, path_));
  TRY(get_int(json, "version", kVersion, kVersion));
  std::vector<Entry> entries;
  for (const Json& entry : *TRY(get_array(json, "probes"))) {
    entries.push_back(TRY(read_entry(entry)));
  }
  return entries;
}

Result<ProbeCache::Entry> ProbeCache::read_entry(const Json& json) {
  Entry entry;
  entry.key = TRY(get_string(json, "key"));
  entry.probe.unix_time_s = TRY(get_int(json, "unix_time_s", 0, int64_t{1} << 40));
  entry.probe.what = TRY(get_string(json, "what"));
  const Json* const values = TRY(get_object(json, "values"));
  for (const auto& item : values->items()) {
    constexpr double kLeast = std::numeric_limits<double>::min();
    entry.probe.values.emplace_back(item.key(), TRY(get_double(*values, item.key(), kLeast)));
  }
  return entry;
}

std::optional<Probe> ProbeCache::find(const std::string& key) const {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  if (found == entries_.end()) return std::nullopt;
  return found->probe;
}

Result<void> ProbeCache::save(const std::string& key, Probe probe) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
  std::erase_if(probe.values, [](const auto& value) { return !is_speed(value.second); });
  entries_.push_back({key, std::move(probe)});
  if (entries_.size() > kMostProbes) entries_.erase(entries_.begin());
  if (path_.empty()) return {};
  Json probes = Json::array();
  for (const Entry& entry : entries_) {
    Json values = Json::object();
    for (const auto& [name, value] : entry.probe.values) values[name] = value;
    probes.push_back({{"key", entry.key},
                      {"measured", format_time(entry.probe.unix_time_s)},
                      {"unix_time_s", entry.probe.unix_time_s},
                      {"what", entry.probe.what},
                      {"values", std::move(values)}});
  }
  const Json json = {{"version", kVersion}, {"probes", std::move(probes)}};
  TRY(env_.make_directories(parent_path(path_)));
  const std::string beside = path_ + ".new";
  const auto file = TRY(env_.open_writable(beside, WriteMode::kTruncate));
  TRY(file->lock());
  TRY(file->write(json.dump(2) + "\n"));
  TRY(file->close());
  return env_.rename_file(beside, path_);
}

}  // namespace strata::placement
