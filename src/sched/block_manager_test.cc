// Frames, reference counts and the prefix index, by example. Random use is the simulator's
// (tests/sim).
#include "sched/block_manager.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

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

TEST(BlockManager, KnowsWhatAnEmptyPoolHolds) {
  const BlockManager blocks(2, {4, 2});
  EXPECT_TRUE(blocks.can_ever_hold({4, 2}));
  EXPECT_FALSE(blocks.can_ever_hold({5, 1}));
  const Refusal refusal = blocks.explain(RequestId{7}, {5, 1});
  EXPECT_EQ(refusal.needed_blocks, 5);
  EXPECT_EQ(refusal.pool_blocks, 4);
}

// Slabs that hold a few scattered blocks are still owned.
TEST(BlockManager, CountsHolesCachedBlocksAndFreeSlabsAsRoom) {
  BlockManager blocks(2, {4, 4});
  const BlockId first = *blocks.allocate(0);
  EXPECT_TRUE(blocks.fits({3, 4}));
  EXPECT_TRUE(blocks.fits({7, 0}));
  EXPECT_FALSE(blocks.fits({4, 1}));
  blocks.publish(first, {1, 1});
  blocks.release(first);
  EXPECT_TRUE(blocks.fits({4, 4}));
}

TEST(BlockManager, FreesWithTheLastReference) {
  BlockManager blocks(1, {4});
  const BlockId block = *blocks.allocate(0);
  blocks.retain(block);
  EXPECT_EQ(blocks.take_allocated().size(), 1u);
  blocks.release(block);
  EXPECT_EQ(blocks.live_blocks(0), 1);
  EXPECT_TRUE(blocks.take_freed().empty());
  blocks.release(block);
  EXPECT_EQ(blocks.live_blocks(0), 0);
  ASSERT_EQ(blocks.take_freed().size(), 1u);
}

TEST(BlockManager, KeepsQuietAboutBlocksThatCameAndWentBetweenPlans) {
  BlockManager blocks(1, {1});
  blocks.release(*blocks.allocate(0));
  blocks.allocate(0);
  EXPECT_TRUE(blocks.take_freed().empty());
  EXPECT_EQ(blocks.take_allocated().size(), 1u);
}

TEST(BlockManager, KeepsBlocksThatPlansInFlightRead) {
  BlockManager blocks(1, {1});
  const BlockId block = *blocks.allocate(0);
  blocks.release_after(block, plan(2));
  blocks.complete(plan(1));
  EXPECT_EQ(blocks.live_blocks(0), 1);
  EXPECT_EQ(blocks.allocate(0), std::nullopt);
  EXPECT_EQ(blocks.audit({}), "");
  blocks.complete(plan(2));
  EXPECT_EQ(blocks.live_blocks(0), 0);
  EXPECT_TRUE(blocks.allocate(0));
}

TEST(BlockManager, FindsBlocksUntilTheirFramesAreNeeded) {
  BlockManager blocks(1, {3});
  std::vector<BlockId> held;
  for (uint64_t i = 0; i < 3; i++) {
    held.push_back(*blocks.allocate(0));
    blocks.publish(held.back(), {0, i});
    EXPECT_FALSE(blocks.writable(held.back()));
  }
  for (const size_t i : {1u, 0u, 2u}) blocks.release(held[i]);
  EXPECT_EQ(blocks.cached_blocks(0), 3);
  ASSERT_EQ(blocks.find(0, {0, 1}), held[1]);
  blocks.retain(held[1]);  // used again: no candidate
  EXPECT_TRUE(blocks.allocate(0));
  EXPECT_EQ(blocks.find(0, {0, 0}), std::nullopt);  // released before the other
  EXPECT_EQ(blocks.find(0, {0, 2}), held[2]);
  EXPECT_EQ(blocks.audit({1, 1}), "");
  blocks.evict_all();
  EXPECT_EQ(blocks.find(0, {0, 2}), std::nullopt);
  EXPECT_EQ(blocks.find(0, {0, 1}), held[1]);
}

TEST(BlockManager, EvictsOtherGroupsForASlab) {
  BlockManager blocks(1, {2, 1});
  for (uint64_t i = 0; i < 2; i++) {
    const BlockId block = *blocks.allocate(0);
    blocks.publish(block, {0, i});
    blocks.release(block);
  }
  EXPECT_TRUE(blocks.allocate(1));
  EXPECT_EQ(blocks.cached_blocks(0), 0);
}

// A block of its own leaves a hole for certain, an older one of another group only where its slab
// becomes empty.
TEST(BlockManager, EvictsOfItsOwnGroupFirst) {
  BlockManager blocks(2, {1, 1});
  for (const int group : {1, 0}) {
    const BlockId block = *blocks.allocate(group);
    blocks.publish(block, {7, 7});
    blocks.release(block);
  }
  EXPECT_TRUE(blocks.allocate(0));
  EXPECT_FALSE(blocks.find(0, {7, 7}));
  EXPECT_TRUE(blocks.find(1, {7, 7}));
}

TEST(BlockManager, KeepsTheFirstOfTwoBlocksWithOneContent) {
  BlockManager blocks(1, {2});
  const BlockId first = *blocks.allocate(0), second = *blocks.allocate(0);
  blocks.publish(first, {1, 2});
  blocks.publish(second, {1, 2});
  EXPECT_EQ(blocks.find(0, {1, 2}), first);
  EXPECT_TRUE(blocks.writable(second));
}

TEST(BlockManagerDeathTest, AbortsOnMisuse) {
  BlockManager blocks(1, {2});
  const BlockId block = *blocks.allocate(0);
  blocks.release(block);
  EXPECT_DEATH(blocks.release(block), "too often");
  EXPECT_DEATH(blocks.retain(block), "free block");
  EXPECT_DEATH(blocks.publish(block, {1, 1}), "does not hold");
}

}  // namespace
}  // namespace strata::sched
