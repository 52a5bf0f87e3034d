// Tables of lengths with their errors, ranges, and draws that stay the same.
#include "apps/bench/lengths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace strata::apps {
namespace {

class ReadLengths : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  auto read(const std::string& text, int64_t requests) {
    std::ofstream(path_) << text;
    return read_lengths(real_env(), path_, requests, 16);
  }

  std::string path_ = testing::TempDir() + "/lengths_" +
                      testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
};

TEST_F(ReadLengths, TakesTheFirstRowsAndLeavesComments) {
  const auto rows = read("# prompt,answer\n5,7\n\n1,2\n9,9\n", 2);
  ASSERT_TRUE(rows.has_value()) << rows.error().message();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].prompt_tokens, 5);
  EXPECT_EQ((*rows)[0].max_tokens, 7);
  EXPECT_EQ((*rows)[1].max_tokens, 2);
}

TEST_F(ReadLengths, NamesTheBadLine) {
  for (const char* row :
       {"5", "5,", ",5", "5,0", "-1,4", "5,6x", "5;6", "99999999999999999999,1"}) {
    const auto rows = read(std::string("1,1\n") + row + "\n", 2);
    ASSERT_FALSE(rows.has_value()) << row;
    EXPECT_NE(rows.error().message().find(".csv:2"), std::string::npos) << rows.error().message();
  }
}

TEST_F(ReadLengths, RefusesTooLongAndTooFew) {
  const auto longer = read("8,8\n8,9\n", 2);
  ASSERT_FALSE(longer.has_value());
  EXPECT_NE(longer.error().message().find("--max-model-len"), std::string::npos);
  const auto fewer = read("8,8\n8,8\n", 3);
  ASSERT_FALSE(fewer.has_value());
  EXPECT_NE(fewer.error().message().find("--requests"), std::string::npos);
}

TEST(LengthSpec, TakesTwoNumbersOrOne) {
  const auto two = parse_length_spec("--prompt-tokens", "32:512");
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(two->least, 32);
  EXPECT_EQ(two->most, 512);
  const auto one = parse_length_spec("--prompt-tokens", "7");
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->least, 7);
  EXPECT_EQ(one->most, 7);
  for (const char* text : {"", ":", "5:", ":5", "6:5", "0:5", "a:b", "1:2:3", "5:99999999"}) {
    const auto bad = parse_length_spec("--prompt-tokens", text);
    ASSERT_FALSE(bad.has_value()) << text;
    EXPECT_NE(bad.error().message().find("--prompt-tokens"), std::string::npos);
  }
}

TEST(DrawLengths, StaysInsideReachesBothEndsAndRepeats) {
  const auto drawn = draw_lengths(2000, {.least = 32, .most = 40}, {.least = 1, .most = 3}, 7);
  const auto again = draw_lengths(2000, {.least = 32, .most = 40}, {.least = 1, .most = 3}, 7);
  const auto other = draw_lengths(2000, {.least = 32, .most = 40}, {.least = 1, .most = 3}, 8);
  const auto [least, most] = std::ranges::minmax(drawn, {}, &sched::ModelRequest::prompt_tokens);
  EXPECT_EQ(least.prompt_tokens, 32);
  EXPECT_EQ(most.prompt_tokens, 40);
  const auto same = [](const sched::ModelRequest& a, const sched::ModelRequest& b) {
    return a.prompt_tokens == b.prompt_tokens && a.max_tokens == b.max_tokens;
  };
  EXPECT_TRUE(std::ranges::equal(drawn, again, same));
  EXPECT_FALSE(std::ranges::equal(drawn, other, same));
}

}  // namespace
}  // namespace strata::apps
