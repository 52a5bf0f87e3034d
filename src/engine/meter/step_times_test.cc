// Prices that were planted, and steps that say nothing about them.
#include "engine/meter/step_times.h"

#include <gtest/gtest.h>

#include <cmath>

namespace strata::engine {
namespace {

PassGroup step(int64_t rows, int64_t context, double us) {
  return {.rows = rows, .passes = 1, .logit_rows = 1, .context = context, .seconds = us * 1e-6};
}

TEST(StepTimes, AddsUpStepsOfTheSameRows) {
  StepTimes times;
  times.add(step(16, 500, 30));
  times.add(step(1, 40, 10));
  times.add(step(16, 700, 50));
  const auto groups = times.groups();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].rows, 1);
  EXPECT_EQ(groups[0].passes, 1);
  EXPECT_EQ(groups[1].rows, 16);
  EXPECT_EQ(groups[1].passes, 2);
  EXPECT_EQ(groups[1].logit_rows, 2);
  EXPECT_EQ(groups[1].context, 1200);
  EXPECT_NEAR(groups[1].seconds, 80e-6, 1e-15);
}

// The time of a number of rows is any: 16 rows here cost less than 12, and 512 a hundred times as
// much as 1. Contexts grow with the rows, so a line through all steps would find another price.
TEST(StepTimes, RecoversThePlantedPriceOfContext) {
  StepTimes times;
  for (int i = 0; i < 1000; i++) {
    times.add(step(1, 100 + i % 37, 200 + 0.25 * (100 + i % 37)));
    times.add(step(12, 5000 + 11 * i, 900 + 0.25 * (5000 + 11 * i)));
    times.add(step(16, 9000 + i, 800 + 0.25 * (9000 + i)));
  }
  for (int i = 0; i < 5; i++) times.add(step(512, 600 + 90 * i, 20000 + 0.25 * (600 + 90 * i)));
  EXPECT_NEAR(times.context_us(), 0.25, 1e-9);
}

// One in ten of a step of a prompt is more than all of a step of one token.
TEST(StepTimes, WeighsErrorsByTheTimeOfTheirRows) {
  StepTimes times;
  for (int i = 0; i < 200; i++) {
    times.add(step(16, 4000 + 20 * i, 1000 + 0.25 * (4000 + 20 * i)));
    times.add(step(512, 4000 + 20 * i, i < 100 ? 180'000 : 220'000));
  }
  EXPECT_NEAR(times.context_us(), 0.25, 0.05);
}

TEST(StepTimes, SaysNothingOfContextWhereStepsDoNotTell) {
  StepTimes times;
  EXPECT_EQ(times.context_us(), 0) << "no steps";
  EXPECT_EQ(times.line().step_us, 0);
  EXPECT_EQ(times.line().row_us, 0);
  EXPECT_TRUE(times.groups().empty());
  times.add(step(3, 77, 10));
  EXPECT_EQ(times.context_us(), 0) << "one step";
  for (int i = 0; i < 1000; i++) {
    times.add(step(3, 77, 10 + i % 7));
    times.add(step(16, 12'345'678, 90 + i % 3));
  }
  EXPECT_EQ(times.context_us(), 0) << "one context each";
  StepTimes idle;
  for (int i = 0; i < 10; i++) idle.add(step(2, i, 0));
  EXPECT_EQ(idle.context_us(), 0) << "no time";
  EXPECT_EQ(idle.line().step_us, 0);
}

TEST(StepTimes, KeepsThePriceBetweenNothingAndAllOfTheTime) {
  StepTimes falling, steep;
  for (int i = 1; i <= 10; i++) {
    falling.add(step(4, 100 * i, 2000 - 100 * i));
    steep.add(step(4, 1000 + i, 100.0 * i));
  }
  EXPECT_EQ(falling.context_us(), 0);
  EXPECT_NEAR(steep.context_us(), 5500.0 / 10055, 1e-9);
}

TEST(StepTimes, PutsALineThroughRowsAndTimes) {
  StepTimes times;
  for (int i = 0; i < 50; i++) {
    times.add(step(1 + i % 5, 10 + i, 300 + 20 * (1 + i % 5)));
  }
  EXPECT_NEAR(times.line().step_us, 300, 1e-6);
  EXPECT_NEAR(times.line().row_us, 20, 1e-6);
  StepTimes alike;
  for (int i = 0; i < 3; i++) alike.add(step(7, 10, 50));
  EXPECT_NEAR(alike.line().step_us, 50, 1e-9);
  EXPECT_EQ(alike.line().row_us, 0);
}

}  // namespace
}  // namespace strata::engine
