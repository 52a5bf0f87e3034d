// Times of made-up answers, by hand.
#include "engine/meter/answer_meter.h"

#include <gtest/gtest.h>

namespace strata::engine {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr sched::RequestId kRequest{7};
constexpr sched::SequenceId kFirst{1}, kSecond{2};

int64_t endings(const AnswerMeter& meter, Ending ending) {
  return meter.stats().endings[static_cast<size_t>(ending)];
}

TEST(HistogramTest, CountsUpToEachBorder) {
  static constexpr double kBounds[] = {1, 2, 4};
  Histogram histogram(kBounds);
  for (const double value : {0.5, 1.0, 1.5, 4.0, 9.0}) histogram.add(value);
  histogram.add(3, 2);
  EXPECT_EQ(histogram.counts(), (std::vector<int64_t>{2, 1, 3, 1}));
  EXPECT_EQ(histogram.count(), 7);
  EXPECT_DOUBLE_EQ(histogram.sum(), 22);
}

TEST(AnswerMeterTest, SplitsTheTimeOfAnAnswer) {
  AnswerMeter meter;
  meter.arrive(kRequest, {.received_ns = 0, .prompt_tokens = 30, .max_tokens = 9});
  meter.start(kFirst, kRequest, 100 * kMs);
  meter.receive(kFirst, 1, 400 * kMs);
  meter.receive(kFirst, 2, 1000 * kMs);
  meter.receive(kFirst, 1, 1300 * kMs);
  meter.finish(kFirst, Ending::kLength);
  meter.end(kRequest, Ending::kLength);
  const AnswerStats& stats = meter.stats();
  EXPECT_DOUBLE_EQ(stats.first_token.sum(), 0.4);
  EXPECT_EQ(stats.between_tokens.count(), 3);  // two came at once, and share their 600 ms
  EXPECT_DOUBLE_EQ(stats.between_tokens.sum(), 0.9);
  EXPECT_DOUBLE_EQ(stats.per_token.sum(), 0.3);
  EXPECT_DOUBLE_EQ(stats.whole.sum(), 1.3);
  EXPECT_DOUBLE_EQ(stats.queue.sum(), 0.1);
  EXPECT_DOUBLE_EQ(stats.prefill.sum(), 0.3);
  EXPECT_DOUBLE_EQ(stats.decode.sum(), 0.9);
  EXPECT_DOUBLE_EQ(stats.inference.sum(), 1.2);
  EXPECT_DOUBLE_EQ(stats.prompt_tokens.sum(), 30);
  EXPECT_DOUBLE_EQ(stats.tokens.sum(), 4);
  EXPECT_DOUBLE_EQ(stats.most_tokens.sum(), 4);
  EXPECT_DOUBLE_EQ(stats.max_tokens.sum(), 9);
  EXPECT_EQ(endings(meter, Ending::kLength), 1);
}

TEST(AnswerMeterTest, CountsEveryAnswerOnceHoweverItEnds) {
  AnswerMeter meter;
  meter.arrive(kRequest, {.answers = 3});
  meter.start(kFirst, kRequest, 0);
  meter.start(kSecond, kRequest, 0);
  meter.receive(kFirst, 1, kMs);
  meter.finish(kFirst, Ending::kStop);
  meter.receive(kFirst, 1, kMs);  // late
  meter.end(kRequest, Ending::kAbort);
  meter.receive(kSecond, 1, kMs);
  meter.finish(kSecond, Ending::kStop);
  meter.end(kRequest, Ending::kError);
  EXPECT_EQ(endings(meter, Ending::kStop), 1);
  EXPECT_EQ(endings(meter, Ending::kAbort), 2);
  EXPECT_EQ(endings(meter, Ending::kError), 0);
  EXPECT_EQ(meter.stats().whole.count(), 1);
  EXPECT_EQ(meter.stats().first_token.count(), 1);
  EXPECT_EQ(meter.stats().most_tokens.count(), 0);
}

}  // namespace
}  // namespace strata::engine
