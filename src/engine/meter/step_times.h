// What steps took, by their rows and by the tokens that they looked at: sums only, so that a run of
// any length needs the same memory. Between the recorder, which has the time of each step, and
// --stats, which `bench schedule` prices schedules with. It measures nothing itself.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/stats.h"

namespace strata::engine {

class StepTimes {
 public:
  /// A step as a group of one: its rows, logit rows, context and seconds. At least one row.
  void add(const PassGroup& step);
  /// Ascending in rows.
  std::vector<PassGroup> groups() const;

  struct Line {
    double step_us = 0;
    double row_us = 0;
  };
  /// Least squares through (rows, time) of all steps. Steps that all had the same number of rows
  /// tell nothing about a row: it is 0 then.
  Line line() const;

  /// What a token of context adds to a step: the slope, common to all numbers of rows, of time over
  /// context around the means of each number of rows. Least squares of errors relative to the mean
  /// time: a step of a whole prompt takes many times that of a token, and would drown it. Between 0
  /// and all of the time; 0 where no two steps of the same rows differ in context.
  double context_us() const;

 private:
  struct Group {
    PassGroup sums;
    // Around the means: sums of squares of context, and of context times seconds.
    double spread = 0;
    double shared = 0;
  };

  std::map<int64_t, Group> groups_;  // by rows
};

}  // namespace strata::engine
