// Numbers behind atomics.
#include "server/api_service.h"

#include <algorithm>
#include <utility>

namespace strata::server {

ApiService::ApiService(Env& env, std::vector<std::string> names,
                       std::chrono::milliseconds ping_interval)
    : env_(env),
      names_(std::move(names)),
      ping_interval_(ping_interval),
      created_s_(env.unix_time_s()) {}

void ApiService::loading(int64_t done, int64_t total) {
  done_bytes_ = done;
  total_bytes_ = total;
}

void ApiService::ready(const Served& served) { served_ = &served; }

double ApiService::progress() const {
  const int64_t total = total_bytes_;
  if (total <= 0) return 0;
  return std::min(1.0, static_cast<double>(done_bytes_) / static_cast<double>(total));
}

}  // namespace strata::server
