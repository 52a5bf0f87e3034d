// What the API's routes share: which model is served, whether it is there yet, and the door to its
// engine. Written by the command that serves, read by handlers on any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/openai_request.h"
#include "server/engine_door.h"
#include "server/keys/key_limits.h"
#include "server/metrics/http_counts.h"
#include "server/metrics/latest_stats.h"
#include "server/route.h"

namespace strata::server {

class FilesService;

/// A loaded model. Lives until the server has ended.
struct Served {
  EngineDoor& door;
  const engine::Engine& engine;
  const frontend::ServedModel& model;
};

class ApiService : public Service {
 public:
  /// `names`: what requests may call the model; answers use the first.
  ApiService(Env& env, std::vector<std::string> names, std::chrono::milliseconds ping_interval);

  /// Bytes of the weights; from any thread.
  void loading(int64_t done, int64_t total);
  /// `served` must outlive the server.
  void ready(const Served& served);
  void drain() { draining_ = true; }

  /// Null while there is none, or none for further requests.
  const Served* served() const { return draining_ ? nullptr : served_.load(); }
  /// Also while answers under way end.
  const Served* loaded() const { return served_.load(); }
  bool draining() const { return draining_; }
  /// Of loading: 0 to 1.
  double progress() const;
  const std::vector<std::string>& names() const { return names_; }
  int64_t created_s() const { return created_s_; }
  int64_t now_s() const { return env_.unix_time_s(); }
  int64_t now_ns() const { return env_.now_ns(); }
  std::chrono::milliseconds ping_interval() const { return ping_interval_; }
  /// How long after it came a request is given up; nullopt: never.
  std::optional<std::chrono::milliseconds> request_limit() const { return request_limit_; }
  void limit_requests(std::chrono::milliseconds limit) { request_limit_ = limit; }
  HttpCounts& http() { return http_; }
  const HttpCounts& http() const { return http_; }
  Env& env() const { return env_; }
  const std::shared_ptr<LatestStats>& latest() const { return latest_; }
  bool old_metric_names() const { return old_metric_names_; }
  void use_old_metric_names() { old_metric_names_ = true; }
  /// Null where the server keeps no files.
  FilesService* files() const { return files_; }
  void use_files(FilesService& files) { files_ = &files; }
  /// Null where no key has limits.
  KeyLimits* key_limits() const { return key_limits_; }
  void use_key_limits(KeyLimits& limits) { key_limits_ = &limits; }

 private:
  Env& env_;
  const std::vector<std::string> names_;
  const std::chrono::milliseconds ping_interval_;
  const int64_t created_s_;
  std::atomic<int64_t> done_bytes_ = 0;
  std::atomic<int64_t> total_bytes_ = 0;
  std::atomic<const Served*> served_ = nullptr;
  std::atomic<bool> draining_ = false;
  bool old_metric_names_ = false;  // set before the server starts, as what follows
  std::optional<std::chrono::milliseconds> request_limit_ = {};
  FilesService* files_ = nullptr;
  KeyLimits* key_limits_ = nullptr;
  HttpCounts http_;
  const std::shared_ptr<LatestStats> latest_ = std::make_shared<LatestStats>();
};

}  // namespace strata::server
