// Sums around running means, and what follows from them.
#include "engine/meter/step_times.h"

#include <algorithm>

namespace strata::engine {
namespace {

double mean(double sum, int64_t count) { return count > 0 ? sum / static_cast<double>(count) : 0; }

}  // namespace

// Welford, "Note on a method for calculating corrected sums of squares and products" (1962): sums
// of squares less the square of sums would leave rounding where all contexts are the same.
void StepTimes::add(const PassGroup& step) {
  Group& group = groups_[step.rows];
  PassGroup& sums = group.sums;
  const auto context = static_cast<double>(step.context);
  const double before = mean(static_cast<double>(sums.context), sums.passes);
  const double distance = sums.passes > 0 ? context - before : 0;
  sums.rows = step.rows;
  sums.passes++;
  sums.logit_rows += step.logit_rows;
  sums.context += step.context;
  sums.seconds += step.seconds;
  group.spread += distance * (context - mean(static_cast<double>(sums.context), sums.passes));
  group.shared += distance * (step.seconds - mean(sums.seconds, sums.passes));
}

std::vector<PassGroup> StepTimes::groups() const {
  std::vector<PassGroup> groups;
  for (const auto& [rows, group] : groups_) groups.push_back(group.sums);
  return groups;
}

StepTimes::Line StepTimes::line() const {
  double steps = 0, rows = 0, time = 0, rows2 = 0, rows_time = 0;
  for (const auto& [of_each, group] : groups_) {
    const auto each = static_cast<double>(of_each), count = static_cast<double>(group.sums.passes);
    steps += count;
    rows += each * count;
    time += group.sums.seconds * 1e6;
    rows2 += each * each * count;
    rows_time += each * group.sums.seconds * 1e6;
  }
  if (steps == 0) return {};
  Line line;
  if (groups_.size() > 1) {
    const double slope = (steps * rows_time - rows * time) / (steps * rows2 - rows * rows);
    line.row_us = std::clamp(slope, 0.0, time / rows);
  }
  line.step_us = (time - line.row_us * rows) / steps;
  return line;
}

double StepTimes::context_us() const {
  double spread = 0, shared = 0, seconds = 0, context = 0;
  for (const auto& [rows, group] : groups_) {
    seconds += group.sums.seconds;
    context += static_cast<double>(group.sums.context);
    const double usual = mean(group.sums.seconds, group.sums.passes);
    if (usual <= 0) continue;
    spread += group.spread / (usual * usual);
    shared += group.shared / (usual * usual);
  }
  if (spread <= 0 || context <= 0) return 0;
  return std::clamp(shared / spread, 0.0, seconds / context) * 1e6;
}

}  // namespace strata::engine
