// Counts of values between fixed borders, and their sum. Below whoever measures; one thread writes,
// readers take copies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace strata::engine {

class Histogram {
 public:
  /// `bounds`: ascending; a table that outlives this. A value that equals one lies below it.
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void add(double value, int64_t times = 1) {
    const auto above = std::ranges::lower_bound(bounds_, value);
    counts_[static_cast<size_t>(above - bounds_.begin())] += times;
    count_ += times;
    sum_ += value * static_cast<double>(times);
  }

  std::span<const double> bounds() const { return bounds_; }
  /// One more than bounds(): the last is of values above all of them.
  const std::vector<int64_t>& counts() const { return counts_; }
  int64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace strata::engine
