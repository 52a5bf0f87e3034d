// Plans are the same for the same seed, and distributed as asked.
#include "apps/bench/serve/load_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

namespace strata::apps {
namespace {

TEST(LoadRandomTest, DrawsWhatItSays) {
  LoadRandom random(1);
  for (const double shape : {0.25, 1.0, 4.0}) {
    double sum = 0, squares = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; i++) {
      const double value = random.gamma(shape);
      sum += value;
      squares += value * value;
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(mean, 1, 0.05) << shape;
    EXPECT_NEAR(squares / kDraws - mean * mean, 1 / shape, 0.15 / shape) << shape;
  }
  const LengthSpec drawn = *parse_length_spec("--x", "lognormal:161:1.0");
  double sum = 0;
  for (int i = 0; i < 20000; i++) sum += static_cast<double>(random.length(drawn));
  EXPECT_NEAR(sum / 20000, 160, 6);  // a little below, as the tail is cut
  std::set<int64_t> seen;
  for (int i = 0; i < 100; i++) seen.insert(random.length(*parse_length_spec("--x", "3:5")));
  EXPECT_EQ(seen, (std::set<int64_t>{3, 4, 5}));
}

TEST(LoadPlanTest, NamesWhatIsNoLength) {
  for (const char* bad : {"", "0", "x", "9:3", "lognormal:", "lognormal:5", "lognormal:0:1",
                          "lognormal:5:-1", "lognormal:5:nan"}) {
    const auto spec = parse_length_spec("--prompt-tokens", bad);
    ASSERT_FALSE(spec) << bad;
    EXPECT_EQ(spec.error().what, "--prompt-tokens") << bad;
  }
}

TEST(LoadPlanTest, IsTheSameForTheSameSeed) {
  LoadPlanArgs args{.requests = 50,
                    .seed = 7,
                    .rate = 10,
                    .prompt = *parse_length_spec("--x", "5:500"),
                    .answer = *parse_length_spec("--x", "8")};
  const auto one = plan_load(real_env(), args), two = plan_load(real_env(), args);
  args.seed = 8;
  const auto other = plan_load(real_env(), args);
  ASSERT_TRUE(one && two && other);
  std::set<uint64_t> seeds;
  for (size_t i = 0; i < one->size(); i++) {
    EXPECT_EQ((*one)[i].at_s, (*two)[i].at_s);
    EXPECT_EQ((*one)[i].prompt_tokens, (*two)[i].prompt_tokens);
    EXPECT_EQ((*one)[i].answer_tokens, 8);
    if (i > 0) {
      EXPECT_GT((*one)[i].at_s, (*one)[i - 1].at_s);
    }
    seeds.insert((*one)[i].seed);
  }
  EXPECT_EQ(seeds.size(), one->size());
  EXPECT_EQ((*one)[0].at_s, 0);
  EXPECT_NE((*one)[1].at_s, (*other)[1].at_s);
  EXPECT_NE(words(9, 1), words(9, 2));
  EXPECT_EQ(std::ranges::count(words(9, 1), ' '), 8);
}

TEST(LoadPlanTest, ArrivesAtTheRateInBursts) {
  const auto spread = [](double burstiness) {
    const auto plan =
        plan_load(real_env(), {.requests = 4001, .seed = 3, .rate = 10, .burstiness = burstiness});
    EXPECT_NEAR(plan->back().at_s, 400, 40) << burstiness;
    double squares = 0;
    for (size_t i = 1; i < plan->size(); i++) {
      squares += std::pow(10 * ((*plan)[i].at_s - (*plan)[i - 1].at_s) - 1, 2);
    }
    return squares / 4000;
  };
  EXPECT_NEAR(spread(1), 1, 0.15);
  EXPECT_NEAR(spread(0.25), 4, 0.8);
  const auto at_once = plan_load(real_env(), {.requests = 3});
  EXPECT_EQ(at_once->back().at_s, 0);
}

TEST(LoadPlanTest, ReadsRowsOfBothKinds) {
  const std::string path = ::testing::TempDir() + "rows.jsonl";
  std::ofstream(path) << "{\"prompt\": \"a\", \"max_tokens\": 3}\n\n"
                         "{\"custom_id\": \"1\", \"body\": {\"messages\": []}}\n";
  const auto plan = plan_load(real_env(), {.requests = 3, .dataset = path});
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_EQ((*plan)[0].body["max_tokens"], 3);
  EXPECT_TRUE((*plan)[1].body.contains("messages"));
  EXPECT_EQ((*plan)[2].body, (*plan)[0].body);
  std::ofstream(path) << "{\"prompt\": \"a\"}\n{\"text\": 1}\n";
  const auto odd = plan_load(real_env(), {.requests = 3, .dataset = path});
  ASSERT_FALSE(odd);
  EXPECT_TRUE(odd.error().message().contains("rows.jsonl:2")) << odd.error().message();
}

}  // namespace
}  // namespace strata::apps
