// Float64 comparisons of logits; the caller has checked that the shapes agree.
#include "compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace strata::golden {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> log_softmax(std::span<const float> logits) {
  const double highest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float value : logits) {
    sum += std::exp(value - highest);
  }
  const double log_sum = highest + std::log(sum);
  std::vector<double> result;
  for (const float value : logits) {
    result.push_back(value - log_sum);
  }
  return result;
}

double divergence(std::span<const float> expected, std::span<const float> actual) {
  const auto p = log_softmax(expected);
  const auto q = log_softmax(actual);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    sum += std::exp(p[i]) * (p[i] - q[i]);
  }
  return sum;
}

}  // namespace

double max_difference(const Matrix& expected, const Matrix& actual,
                      const std::vector<int64_t>& rows) {
  double largest = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto want = expected.row(static_cast<int64_t>(i));
    const auto got = actual.row(rows[i]);
    for (size_t column = 0; column < want.size(); ++column) {
      const double difference = std::abs(double{want[column]} - double{got[column]});
      if (!std::isfinite(difference)) {
        return kInfinity;
      }
      largest = std::max(largest, difference);
    }
  }
  return largest;
}

double mean_kl(const Matrix& expected, const Matrix& actual, const std::vector<int64_t>& rows) {
  double sum = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    sum += divergence(expected.row(static_cast<int64_t>(i)), actual.row(rows[i]));
  }
  return std::isfinite(sum) ? sum / static_cast<double>(rows.size()) : kInfinity;
}

}  // namespace strata::golden
