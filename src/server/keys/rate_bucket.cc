// Integers, so that nothing is lost to rounding: the largest product is an hour's worth of the
// largest rate, 3.6e18.
#include "server/keys/rate_bucket.h"

#include <algorithm>

namespace strata::server {

RateBucket::RateBucket(int64_t per_minute, int64_t now_ns)
    : per_minute_(per_minute), level_(per_minute * kUnit), time_us_(now_ns / 1000) {}

void RateBucket::fill(int64_t now_ns) {
  const int64_t now_us = std::max(now_ns / 1000, time_us_);
  const int64_t passed_us = std::min(now_us - time_us_, kUnit * (kMostOwedMinutes + 1));
  time_us_ = now_us;
  level_ = std::min(level_ + passed_us * per_minute_, per_minute_ * kUnit);
}

int64_t RateBucket::left(int64_t now_ns) {
  fill(now_ns);
  const bool owes = level_ < 0;  // a part of one that is owed is one
  return owes ? -((-level_ + kUnit - 1) / kUnit) : level_ / kUnit;
}

void RateBucket::charge(int64_t units, int64_t now_ns) {
  fill(now_ns);
  const int64_t bounded = std::clamp(units, -per_minute_ * kMostOwedMinutes - per_minute_,
                                     per_minute_ * kMostOwedMinutes + per_minute_);
  level_ = std::clamp(level_ - bounded * kUnit, -per_minute_ * kUnit * kMostOwedMinutes,
                      per_minute_ * kUnit);
}

std::chrono::nanoseconds RateBucket::until(int64_t units, int64_t now_ns) {
  fill(now_ns);
  const int64_t lacking = std::min(units, per_minute_) * kUnit - level_;
  if (lacking <= 0) return {};
  return std::chrono::microseconds((lacking + per_minute_ - 1) / per_minute_);
}

}  // namespace strata::server
