// Messages are one line with the parts in a fixed order; every code has its own exit code.
#include "base/status.h"

#include <gtest/gtest.h>

#include <set>

namespace strata {
namespace {

TEST(Status, MessageJoinsWhatIsThere) {
  EXPECT_EQ((Status{Code::kInvalidData, "config.json: rope_theta", "-1", "a number > 0", "fix it"}
                 .message()),
            "config.json: rope_theta: got -1, expected a number > 0 (fix it)");
  EXPECT_EQ((Status{Code::kNotFound, "model.safetensors is missing", "", "", ""}.message()),
            "model.safetensors is missing");
}

TEST(Status, ControlCharactersAreEscaped) {
  EXPECT_EQ((Status{Code::kInvalidData, "tensor a\n\x1b[31mb", "", "", ""}.message()),
            "tensor a\\x0a\\x1b[31mb");
}

TEST(Status, ExitCodesAreDistinctAndNotZero) {
  std::set<int> seen;
  for (int code = 0; code <= static_cast<int>(Code::kCancelled); code++) {
    EXPECT_NE(exit_code(static_cast<Code>(code)), 0);
    EXPECT_TRUE(seen.insert(exit_code(static_cast<Code>(code))).second);
  }
}

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Code::kInvalidArgument, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  const int halved = TRY(half(value));
  return TRY(half(halved));
}

TEST(Status, TryReturnsTheFirstFailure) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().what, "odd");
}

}  // namespace
}  // namespace strata
