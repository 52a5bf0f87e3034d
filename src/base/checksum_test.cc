// The values are those of the xxHash specification's own implementation, so that files stay
// readable whoever computes them.
#include "base/checksum.h"

#include <gtest/gtest.h>

#include <vector>

namespace strata {
namespace {

// Bytes of a linear congruential generator.
std::vector<std::byte> bytes_of(size_t count) {
  std::vector<std::byte> bytes(count);
  uint32_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

TEST(ChecksumTest, IsXxh3) {
  EXPECT_EQ(checksum_of({}), 0x2d06800538d394c2u);
  const std::string_view text = "abc";
  EXPECT_EQ(checksum_of(std::as_bytes(std::span(text))), 0x78af5f94892f3950u);
}

TEST(ChecksumTest, PiecesGiveTheWhole) {
  const auto bytes = bytes_of(100'003);
  for (const size_t piece : {1, 63, 64, 1000, 65536, 200'000}) {
    Checksum sum;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      sum.add(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    }
    EXPECT_EQ(sum.value(), checksum_of(bytes)) << piece;
  }
}

TEST(ChecksumTest, EveryBitCounts) {
  auto bytes = bytes_of(1000);
  const uint64_t whole = checksum_of(bytes);
  for (size_t bit = 0; bit < 8 * bytes.size(); bit += 7) {
    const auto flip = static_cast<std::byte>(1 << bit % 8);
    bytes[bit / 8] ^= flip;
    EXPECT_NE(checksum_of(bytes), whole) << bit;
    bytes[bit / 8] ^= flip;
  }
}

}  // namespace
}  // namespace strata
