// Buckets by hand-computed numbers, and what keys may do at which time of a clock that the test
// turns.
#include "server/keys/key_limits.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/fault_env.h"

namespace strata::server {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(RateBucketTest, FillsAtAnEvenRateUpToAMinutesWorth) {
  RateBucket bucket(60, 5 * kSecond);
  EXPECT_EQ(bucket.left(5 * kSecond), 60);
  bucket.charge(60, 5 * kSecond);
  EXPECT_EQ(bucket.left(5 * kSecond), 0);
  EXPECT_EQ(bucket.until(1, 5 * kSecond), std::chrono::seconds(1));
  EXPECT_EQ(bucket.left(6 * kSecond - 1000), 0);
  EXPECT_EQ(bucket.left(6 * kSecond), 1);
  EXPECT_EQ(bucket.left(35 * kSecond), 30);
  EXPECT_EQ(bucket.until(60, 35 * kSecond), std::chrono::seconds(30));
  EXPECT_EQ(bucket.left(1000 * kSecond), 60) << "no more than a minute's worth";
  EXPECT_EQ(bucket.until(99, 1000 * kSecond), std::chrono::seconds(0));
}

TEST(RateBucketTest, LosesNothingToRounding) {
  RateBucket bucket(7, 0);
  bucket.charge(7, 0);
  int64_t taken = 0;
  for (int64_t now = 0; now <= 600 * kSecond; now += 777'000) {  // many looks between two units
    if (!bucket.has(1, now)) continue;
    bucket.charge(1, now);
    taken++;
  }
  EXPECT_EQ(taken, 69) << "70 in ten minutes, the last of them a moment too late";
}

TEST(RateBucketTest, OwesForAnHourAtMost) {
  RateBucket bucket(100, 0);
  bucket.charge(150, 0);
  EXPECT_EQ(bucket.left(0), -50);
  EXPECT_EQ(bucket.until(1, 0), std::chrono::milliseconds(30'600));
  bucket.charge(INT64_MAX / 2, 0);
  EXPECT_EQ(bucket.left(0), -6000);
  bucket.charge(-6010, 0);
  EXPECT_EQ(bucket.left(0), 10);
  bucket.charge(-1000, 0);
  EXPECT_EQ(bucket.left(0), 100);
  RateBucket largest(RateBucket::kMost, 0);
  largest.charge(INT64_MAX, 0);
  EXPECT_EQ(largest.left(0), -60 * RateBucket::kMost);
  EXPECT_EQ(largest.left(61 * 60 * kSecond), RateBucket::kMost);
  EXPECT_EQ(largest.left(0), RateBucket::kMost) << "a clock that goes back";
}

class TurnedEnv : public FaultEnv {
 public:
  TurnedEnv() : FaultEnv(real_env()) {}
  int64_t now_ns() override { return now; }
  int64_t now = 1000 * kSecond;
};

class KeyLimitsTest : public ::testing::Test {
 protected:
  KeyLimits& with(const std::vector<KeyLimit>& limits) {
    limits_.emplace(env_, limits);
    return *limits_;
  }
  static std::string field(const std::vector<Field>& fields, std::string_view name) {
    for (const Field& one : fields) {
      if (one.name == name) return one.value;
    }
    return "";
  }
  void pass(int64_t seconds) { env_.now += seconds * kSecond; }

  TurnedEnv env_;
  std::optional<KeyLimits> limits_;
};

TEST_F(KeyLimitsTest, CountsRequestsOfEachKey) {
  KeyLimits& limits = with({{.requests_per_minute = 2}, {}});
  for (int i = 0; i < 2; i++) EXPECT_FALSE(limits.enter(0, LimitKind::kRequest));
  const auto refused = limits.enter(0, LimitKind::kRequest);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->code, "rate_limit_exceeded");
  EXPECT_TRUE(refused->message.contains("2 requests a minute (rpm)")) << refused->message;
  EXPECT_EQ(field(refused->fields, "Retry-After"), "30");
  EXPECT_EQ(field(refused->fields, "x-ratelimit-limit-requests"), "2");
  EXPECT_EQ(field(refused->fields, "x-ratelimit-remaining-requests"), "0");
  EXPECT_EQ(field(refused->fields, "x-ratelimit-reset-requests"), "1m0s");
  EXPECT_EQ(limits.refused(LimitReason::kRequests), 1);
  for (int i = 0; i < 9; i++) EXPECT_FALSE(limits.enter(1, LimitKind::kAnswer)) << "another key";
  for (int i = 0; i < 9; i++) EXPECT_FALSE(limits.enter(0, LimitKind::kNone)) << "no limit";
  pass(30);
  EXPECT_FALSE(limits.enter(0, LimitKind::kRequest)) << "what was refused costs nothing";
  EXPECT_TRUE(limits.enter(0, LimitKind::kRequest));
  EXPECT_TRUE(limits.request_fields(1).empty());
}

TEST_F(KeyLimitsTest, ChargesPromptsAtOnceAndAnswersAtTheirEnd) {
  KeyLimits& limits = with({{.tokens_per_minute = 600}});
  auto lease = *limits.start({}, 100);
  EXPECT_EQ(field(limits.token_fields({}), "x-ratelimit-remaining-tokens"), "500");
  EXPECT_EQ(field(limits.token_fields({}), "x-ratelimit-reset-tokens"), "10s");
  lease->end(900);
  lease->end(900);  // once
  lease.reset();
  const auto refused = limits.enter({}, LimitKind::kAnswer);
  ASSERT_TRUE(refused);
  EXPECT_EQ(field(refused->fields, "Retry-After"), "41") << "400 owed and one, 10 a second";
  EXPECT_EQ(field(refused->fields, "x-ratelimit-remaining-tokens"), "0");
  EXPECT_EQ(limits.refused(LimitReason::kTokens), 1);
  EXPECT_FALSE(limits.enter({}, LimitKind::kRequest)) << "counting tokens is not generating them";
  pass(41);
  EXPECT_FALSE(limits.enter({}, LimitKind::kAnswer));
  const auto little = limits.start({}, 110);
  ASSERT_FALSE(little);
  EXPECT_EQ(field(little.error().fields, "Retry-After"), "10");
  EXPECT_TRUE(limits.start({}, 10));
  const auto never = limits.start({}, 601);
  ASSERT_FALSE(never);
  EXPECT_EQ(field(never.error().fields, "Retry-After"), "");
  EXPECT_EQ(field(never.error().fields, "x-should-retry"), "false");
  EXPECT_TRUE(never.error().message.contains("601")) << never.error().message;
}

TEST_F(KeyLimitsTest, GivesSeatsBackHoweverAnAnswerEnds) {
  KeyLimits& limits = with({{.tokens_per_minute = 600, .parallel_requests = 2}});
  auto first = *limits.start({}, 10), second = *limits.start({}, 10);
  EXPECT_TRUE(limits.enter({}, LimitKind::kAnswer));
  const auto refused = limits.start({}, 10);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.contains("max_parallel_requests"));
  EXPECT_EQ(field(refused.error().fields, "Retry-After"), "1");
  EXPECT_EQ(limits.refused(LimitReason::kParallel), 2);
  first->end(5);
  EXPECT_FALSE(limits.enter({}, LimitKind::kAnswer));
  EXPECT_EQ(field(limits.token_fields({}), "x-ratelimit-remaining-tokens"), "575");
  auto third = *limits.start({}, 10);
  third->give_back();  // the engine did not take it
  EXPECT_EQ(field(limits.token_fields({}), "x-ratelimit-remaining-tokens"), "575");
  second.reset();  // forgotten
  EXPECT_EQ(field(limits.token_fields({}), "x-ratelimit-remaining-tokens"), "585");
  auto fourth = *limits.start({}, 1), fifth = *limits.start({}, 1);
  EXPECT_FALSE(limits.start({}, 1));
}

TEST_F(KeyLimitsTest, LeavesHalfOfItToRequestsBesideABatch) {
  KeyLimits& limits =
      with({{.requests_per_minute = 10, .tokens_per_minute = 600, .parallel_requests = 4}});
  std::vector<KeyLimits::Lease> rows;
  for (int i = 0; i < 2; i++) rows.push_back(*limits.start_row({}, 10));
  EXPECT_FALSE(limits.row_may_fit({}));
  EXPECT_EQ(limits.start_row({}, 10).error().code, Code::kBusy) << "seats";
  rows.front()->give_back();
  rows.back()->end(0);
  rows.clear();
  for (int i = 0; i < 4; i++) EXPECT_TRUE(limits.start_row({}, 10));  // ended at once
  EXPECT_EQ(field(limits.request_fields({}), "x-ratelimit-remaining-requests"), "9")
      << "rows that were given back count no more";
  auto taken = limits.start_row({}, 280);
  ASSERT_TRUE(taken);
  EXPECT_EQ(limits.start_row({}, 20).error().code, Code::kBusy) << "half of the tokens";
  EXPECT_TRUE(limits.start({}, 20)) << "which are there for requests";
  EXPECT_EQ(limits.start_row({}, 601).error().code, Code::kResourceLimit);
  (*taken)->end(0);
  EXPECT_EQ(limits.start_row({}, 500).error().code, Code::kBusy);
  pass(60);
  EXPECT_TRUE(limits.start_row({}, 500)) << "more than half goes in alone";
}

TEST_F(KeyLimitsTest, CountsEveryThread) {
  KeyLimits& limits = with({{.requests_per_minute = 1000, .tokens_per_minute = 100'000}});
  std::atomic<int> taken = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; t++) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; i++) {
          if (limits.enter({}, LimitKind::kAnswer)) continue;
          taken++;
          if (auto lease = limits.start({}, 10)) (*lease)->end(5);
        }
      });
    }
  }
  EXPECT_EQ(taken, 1000);
  EXPECT_EQ(field(limits.token_fields({}), "x-ratelimit-remaining-tokens"), "85000");
}

}  // namespace
}  // namespace strata::server
