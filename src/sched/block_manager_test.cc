// Frames, promises and reference counts, by example and in random use.
#include "sched/block_manager.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace strata::sched {
namespace {

constexpr PlanId plan(int64_t id) { return static_cast<PlanId>(id); }

TEST(FrameAllocator, FillsHolesBeforeItTakesAnotherSlab) {
  FrameAllocator frames(3, {4, 2});
  for (int64_t expected = 0; expected < 4; expected++) EXPECT_EQ(frames.take(0), expected);
  EXPECT_EQ(frames.take(1), 2);  // slab 1
  EXPECT_EQ(frames.take(0), 8);  // slab 2
  frames.give_back(0, 1);
  EXPECT_EQ(frames.take(0), 1);
  EXPECT_EQ(frames.take(1), 3);
  EXPECT_EQ(frames.take(1), std::nullopt);
  frames.give_back(0, 8);  // slab 2 is empty: anyone's
  EXPECT_EQ(frames.owned_slabs(0), 1);
  EXPECT_EQ(frames.take(1), 4);
}

TEST(BlockManager, PromisesNoMoreThanThePoolHolds) {
  BlockManager blocks(2, {4, 2});
  EXPECT_TRUE(blocks.can_ever_hold({4, 2}));
  EXPECT_FALSE(blocks.can_ever_hold({5, 1}));
  EXPECT_TRUE(blocks.reserve({3, 1}));
  EXPECT_FALSE(blocks.reserve({2, 0}));  // would need a third slab
  EXPECT_TRUE(blocks.reserve({1, 1}));
  for (int i = 0; i < 4; i++) blocks.allocate(0);
  for (int i = 0; i < 2; i++) blocks.allocate(1);
}

// Slabs that hold a few scattered blocks are still owned: a promise must count them.
TEST(BlockManager, CountsFragmentedSlabs) {
  BlockManager blocks(2, {4, 4});
  ASSERT_TRUE(blocks.reserve({8, 0}));
  std::vector<BlockId> held;
  for (int i = 0; i < 8; i++) held.push_back(blocks.allocate(0));
  for (const int i : {0, 1, 2, 4, 5, 6}) blocks.release(held[static_cast<size_t>(i)]);
  blocks.unreserve({6, 0});
  EXPECT_FALSE(blocks.reserve({0, 1}));
  blocks.release(held[7]);
  EXPECT_TRUE(blocks.reserve({0, 1}));
  blocks.allocate(1);
}

TEST(BlockManager, FreesWithTheLastReference) {
  BlockManager blocks(1, {4});
  ASSERT_TRUE(blocks.reserve({2}));
  const BlockId block = blocks.allocate(0);
  blocks.retain(block);
  blocks.release(block);
  EXPECT_EQ(blocks.live_blocks(0), 1);
  EXPECT_TRUE(blocks.take_freed().empty());
  blocks.release(block);
  EXPECT_EQ(blocks.live_blocks(0), 0);
  ASSERT_EQ(blocks.take_freed().size(), 1u);
  EXPECT_EQ(blocks.take_allocated().size(), 1u);
}

TEST(BlockManager, KeepsBlocksThatPlansInFlightRead) {
  BlockManager blocks(1, {1});
  ASSERT_TRUE(blocks.reserve({1}));
  const BlockId block = blocks.allocate(0);
  blocks.release_after(block, plan(2));
  blocks.complete(plan(1));
  EXPECT_EQ(blocks.live_blocks(0), 1);
  blocks.complete(plan(2));
  EXPECT_EQ(blocks.live_blocks(0), 0);
  blocks.allocate(0);
}

TEST(BlockManagerDeathTest, AbortsOnMisuse) {
  BlockManager blocks(1, {2});
  EXPECT_DEATH(blocks.allocate(0), "beyond what was promised");
  ASSERT_TRUE(blocks.reserve({1}));
  const BlockId block = blocks.allocate(0);
  EXPECT_DEATH(blocks.unreserve({1}), "before its blocks");
  blocks.release(block);
  EXPECT_DEATH(blocks.release(block), "too often");
}

TEST(BlockManager, NeverSharesAFrameInRandomUse) {
  std::mt19937 random(3);
  BlockManager blocks(6, {5, 3});
  std::vector<std::pair<BlockDemand, std::vector<BlockId>>> holders;
  for (int step = 0; step < 50000; step++) {
    if (random() % 2 == 0) {
      const BlockDemand demand = {static_cast<int64_t>(random() % 9),
                                  static_cast<int64_t>(random() % 5)};
      if (blocks.reserve(demand)) holders.push_back({demand, {}});
    } else if (!holders.empty()) {
      const size_t i = random() % holders.size();
      auto& [demand, held] = holders[i];
      if (held.empty() && random() % 4 != 0) {
        // A promise is always kept in full, whatever happened in between.
        for (int g = 0; g < 2; g++) {
          for (int64_t n = 0; n < demand[static_cast<size_t>(g)]; n++) {
            held.push_back(blocks.allocate(g));
          }
        }
      } else {
        for (const BlockId block : held) blocks.release(block);
        blocks.unreserve(demand);
        holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    // Both groups' frames cover disjoint parts of the slabs.
    std::set<std::pair<int64_t, int64_t>> taken;
    std::map<int64_t, int> slab_owner;
    size_t count = 0;
    for (const auto& [demand, held] : holders) {
      for (size_t n = 0; n < held.size(); n++) {
        const int group = std::cmp_less(n, demand[0]) ? 0 : 1;
        const int64_t frame = blocks.frame(held[n]);
        const int64_t slab = frame / (group == 0 ? 5 : 3);
        ASSERT_TRUE(slab_owner.emplace(slab, group).first->second == group);
        taken.emplace(group, frame);
        count++;
      }
    }
    ASSERT_EQ(taken.size(), count);
    ASSERT_EQ(blocks.live_blocks(0) + blocks.live_blocks(1), static_cast<int64_t>(count));
  }
}

}  // namespace
}  // namespace strata::sched
