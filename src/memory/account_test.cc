// Charges balance and texts read well.
#include "memory/account.h"

#include <gtest/gtest.h>

namespace strata::memory {
namespace {

TEST(MemoryAccount, FollowsTheLifeOfCharges) {
  MemoryAccount account;
  Charge moved;
  {
    Charge weights(account, MemoryTag::kWeights, 1000);
    Charge kv(account, MemoryTag::kKv, 50);
    EXPECT_EQ(account.bytes(MemoryTag::kWeights), 1000);
    EXPECT_EQ(account.total(), 1050);
    EXPECT_EQ(account.summary(), "weights 1 kB, KV 50 B");
    moved = std::move(weights);
  }
  EXPECT_EQ(account.total(), 1000);
  moved = Charge();
  EXPECT_EQ(account.total(), 0);
  EXPECT_EQ(account.summary(), "nothing");
}

TEST(FormatBytes, KeepsThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(2'471'000'000), "2.47 GB");
  EXPECT_EQ(format_bytes(999'999), "1 MB");
}

}  // namespace
}  // namespace strata::memory
