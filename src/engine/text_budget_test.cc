// Who waits, who is refused for good, and with what numbers.
#include "engine/text_budget.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace strata::engine {
namespace {

class TextBudgetTest : public testing::Test {
 protected:
  std::string refusal(int64_t bytes, Code code, int64_t own = 0) {
    const auto refused = text_.reserve("a row", bytes, own);
    if (refused) return "taken";
    EXPECT_EQ(refused.error().code, code) << refused.error().message();
    return refused.error().message();
  }
  int64_t charged() const { return account_.bytes(memory::MemoryTag::kText); }

  memory::MemoryAccount account_;
  TextBudget text_{account_, 16'777'216};
};

TEST_F(TextBudgetTest, MakesWaitForWhatOthersGiveBack) {
  std::optional<memory::Charge> others = text_.reserve("others", 1'000'000).value();
  EXPECT_NE(refusal(16'777'216, Code::kBusy).find("taken by other requests"), std::string::npos);
  others.reset();
  EXPECT_TRUE(text_.reserve("a row", 16'777'216));
  EXPECT_NE(refusal(16'777'217, Code::kResourceLimit).find("at most the 16.8 MB set aside"),
            std::string::npos);
}

// Waiting would not help.
TEST_F(TextBudgetTest, RefusesForGoodWhatDoesNotFitBesideWhatIsKept) {
  text_.keep(60'000);
  text_.keep(5'538);
  EXPECT_EQ(charged(), 65'538);
  const std::string message = refusal(16'711'679, Code::kResourceLimit);
  EXPECT_NE(message.find("16711679 B"), std::string::npos) << message;
  EXPECT_NE(message.find("at most 16711678 B, as 65538 B of the 16777216 B"), std::string::npos)
      << message;
  EXPECT_TRUE(text_.reserve("a row", 16'711'678));
  EXPECT_EQ(charged(), 65'538);
}

// Nor would it for one that holds some of it itself, while the same amount of others comes free.
TEST_F(TextBudgetTest, CountsWhatTheRequestHoldsItself) {
  const auto grammar = text_.reserve("the grammar", 777'216);
  ASSERT_TRUE(grammar);
  EXPECT_NE(refusal(16'000'001, Code::kResourceLimit, 777'216).find("at most 16000000 B"),
            std::string::npos);
  EXPECT_TRUE(text_.reserve("a row", 16'000'000, 777'216));
  refusal(16'000'001, Code::kBusy);
}

TEST_F(TextBudgetTest, SaysThatNothingIsLeftWhereAllIsKept) {
  text_.keep(20'000'000);
  EXPECT_NE(refusal(1, Code::kResourceLimit).find("at most 0 B"), std::string::npos);
}

TEST_F(TextBudgetTest, GivesBackWhatWasKeptWithItself) {
  {
    TextBudget ends(account_, 100);
    ends.keep(80);
    EXPECT_EQ(charged(), 80);
  }
  EXPECT_EQ(charged(), 0);
}

TEST_F(TextBudgetTest, RefusesNothingWithoutALimit) {
  TextBudget none(account_, 0);
  none.keep(1'000'000'000);
  EXPECT_TRUE(none.reserve("a row", 1'000'000'000));
}

}  // namespace
}  // namespace strata::engine
