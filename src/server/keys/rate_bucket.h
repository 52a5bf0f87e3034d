// So many of something per minute, as a bucket: it holds a minute's worth at most and fills at an
// even rate. A plain value; times are handed in.
#pragma once

#include <chrono>
#include <cstdint>

namespace strata::server {

/// Times are nanoseconds of one clock; one that goes back is taken for the last one.
class RateBucket {
 public:
  static constexpr int64_t kMost = 1'000'000'000;  // a minute
  /// Full. `per_minute`: 1 to kMost.
  RateBucket(int64_t per_minute, int64_t now_ns);

  int64_t per_minute() const { return per_minute_; }
  /// Whole ones that are there; less than 0 where some are owed.
  int64_t left(int64_t now_ns);
  bool has(int64_t units, int64_t now_ns) { return left(now_ns) >= units; }
  /// Whether they are there or not; less than 0 gives back. At most an hour's worth is ever owed.
  void charge(int64_t units, int64_t now_ns);
  /// Until so many are there, at most per_minute().
  std::chrono::nanoseconds until(int64_t units, int64_t now_ns);

 private:
  void fill(int64_t now_ns);

  // A unit is worth the microseconds of a minute, so that each of them adds per_minute_ exactly.
  static constexpr int64_t kUnit = 60'000'000;
  static constexpr int64_t kMostOwedMinutes = 60;

  int64_t per_minute_;
  int64_t level_;
  int64_t time_us_;
};

}  // namespace strata::server
