// The generator: known answers, and that every part of its key matters.
#include "sampling/random.h"

#include <gtest/gtest.h>

#include <set>

namespace strata::sampling {
namespace {

// Known answers: of the authors' reference implementation, for all-zero, all-one and pi digits.
TEST(Philox, MatchesKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Uniform, DiffersByEveryPartOfItsKey) {
  std::set<double> values;
  for (uint64_t seed : {0ull, 1ull, 1ull << 32}) {
    for (uint32_t choice : {0u, 1u}) {
      for (uint64_t position : {0ull, 1ull, 1ull << 32}) {
        const double value = uniform(seed, choice, position);
        EXPECT_GE(value, 0);
        EXPECT_LT(value, 1);
        values.insert(value);
      }
    }
  }
  EXPECT_EQ(values.size(), 18u);
}

}  // namespace
}  // namespace strata::sampling
