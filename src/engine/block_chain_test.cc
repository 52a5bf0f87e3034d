// The hash against the published vectors of its authors, and what the chain tells apart.
#include "engine/block_chain.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace strata::engine {
namespace {

// Key 00 01 .. 0f, input 00 01 .. n-1, as in the reference's vectors for 128 bits.
sched::BlockHash reference_case(size_t bytes) {
  const ChainKey key{.low = 0x0706050403020100, .high = 0x0f0e0d0c0b0a0908};
  std::vector<std::byte> input(bytes);
  for (size_t i = 0; i < bytes; i++) input[i] = static_cast<std::byte>(i);
  return keyed_hash(key, input);
}

TEST(KeyedHash, IsSipHashOf128Bits) {
  EXPECT_EQ(reference_case(0), (sched::BlockHash{0x930255c71472f66d, 0xe6a825ba047f81a3}));
  EXPECT_EQ(reference_case(1), (sched::BlockHash{0x45fc229b11597634, 0x44af996bd8c187da}));
  EXPECT_EQ(reference_case(15), (sched::BlockHash{0xd9c3cf970fec087e, 0x11a8b03399e99354}));
}

std::vector<int32_t> tokens(size_t count, int32_t first) {
  std::vector<int32_t> made(count);
  std::iota(made.begin(), made.end(), first);
  return made;
}

TEST(BlockChain, HashesFullBlocksAsTheyFill) {
  const ChainKey key{.low = 1, .high = 2};
  const std::vector<int32_t> ids = tokens(99, 5);
  BlockChain at_once(key, "", 32);
  const auto all = at_once.extend(ids);
  ASSERT_EQ(all.size(), 3u);
  BlockChain in_turn(key, "", 32);
  std::vector<sched::BlockHash> hashes;
  for (size_t n = 1; n <= ids.size(); n++) {
    const auto more = in_turn.extend(std::span(ids).first(n));
    EXPECT_EQ(more.size(), n % 32 == 0 ? 1u : 0u);
    hashes.insert(hashes.end(), more.begin(), more.end());
  }
  EXPECT_EQ(hashes, all);
}

TEST(BlockChain, TellsPrefixesSaltsAndKeysApart) {
  const ChainKey key{.low = 1, .high = 2};
  std::vector<int32_t> ids = tokens(64, 5);
  std::set<sched::BlockHash> seen;
  const auto add = [&](const ChainKey& k, std::string_view salt) {
    for (const sched::BlockHash& hash : BlockChain(k, salt, 32).extend(ids)) {
      EXPECT_TRUE(seen.insert(hash).second);
    }
  };
  add(key, "");
  add(key, "tenant");
  add({.low = 1, .high = 3}, "");
  ids[0]++;  // the second block holds the same tokens behind another prefix
  add(key, "");
  EXPECT_EQ(seen.size(), 8u);
}

}  // namespace
}  // namespace strata::engine
