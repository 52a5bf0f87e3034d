// Slab sizes, ownership and where frames lie; two groups over one pool.
#include "memory/kv_pool.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>

#include "device/cpu_device.h"
#include "device/fake_device.h"

namespace strata::memory {
namespace {

TEST(SlabPlan, IsTheSmallestThatLeavesAtMostThreePercent) {
  EXPECT_EQ(plan_slabs({1 << 20}).slab_bytes, 2 << 20);    // fits exactly
  EXPECT_EQ(plan_slabs({4 << 20}).slab_bytes, 4 << 20);    // an 8B model's block
  EXPECT_EQ(plan_slabs({3 << 20}).slab_bytes, 6 << 20);    // 2 leaves 2 of 2, 4 leaves 1 of 4
  EXPECT_EQ(plan_slabs({80 << 20}).slab_bytes, 80 << 20);  // larger than the limit: its own
  EXPECT_EQ(plan_slabs({1 << 20, 3 << 20}).slab_bytes, 6 << 20);
  EXPECT_EQ(plan_slabs({4096}).frames_per_slab[0], 512);
}

TEST(SlabPlan, CountsTheRestAsWasteWhereNothingFits) {
  const SlabPlan plan = plan_slabs({33 << 20});
  EXPECT_EQ(plan.frames_per_slab[0], 1);
  EXPECT_EQ(plan.slab_bytes, 34 << 20);
  EXPECT_EQ(plan.worst_waste_bytes, 1 << 20);
}

TEST(SlabPlan, HoldsForEveryBlockSize) {
  for (int64_t block = 4096; block <= kMaxSlabBytes; block += 4096 * 37) {
    const SlabPlan plan = plan_slabs({block});
    EXPECT_EQ(plan.slab_bytes % kSlabStep, 0);
    const int64_t waste = plan.slab_bytes - plan.frames_per_slab[0] * block;
    EXPECT_EQ(waste, plan.worst_waste_bytes);
    for (int64_t bytes = kSlabStep; bytes < plan.slab_bytes; bytes += kSlabStep) {
      EXPECT_TRUE(bytes < block || bytes % block * 100 > bytes * 3) << block;
    }
  }
}

class TwoGroups : public testing::Test {
 protected:
  // 2 MiB slabs with 4 frames of group 0 or 2 of group 1.
  void SetUp() override {
    auto pool = KvPool::create(device_, account_, plan_slabs({512 << 10, 1 << 20}), 3);
    ASSERT_TRUE(pool);
    pool_.emplace(std::move(*pool));
  }
  MemoryAccount account_;
  device::CpuDevice device_;
  std::optional<KvPool> pool_;
};

TEST_F(TwoGroups, ShareThePoolSlabBySlab) {
  EXPECT_EQ(account_.bytes(MemoryTag::kKv), 6 << 20);
  EXPECT_TRUE(pool_->acquire(0, 0));
  EXPECT_FALSE(pool_->acquire(0, 0));  // taken
  EXPECT_FALSE(pool_->acquire(1, 0));  // slab 0 is group 0's
  EXPECT_TRUE(pool_->acquire(1, 3));   // slab 1, second frame
  EXPECT_EQ(pool_->offset(1, 3), 3 << 20);
  EXPECT_EQ(pool_->offset(0, 5), (2 << 20) + (512 << 10));
  EXPECT_FALSE(pool_->acquire(0, 4));
  EXPECT_TRUE(pool_->release(1, 3));
  EXPECT_EQ(pool_->owner(1), -1);
  EXPECT_TRUE(pool_->acquire(0, 4));  // given back, now group 0's
  EXPECT_EQ(pool_->owned_slabs(0), 2);
  EXPECT_EQ(pool_->frames_in_use(0), 2);
}

TEST_F(TwoGroups, RefuseFramesAndGroupsThatDoNotExist) {
  EXPECT_FALSE(pool_->acquire(0, 12));
  EXPECT_FALSE(pool_->acquire(1, 6));
  EXPECT_FALSE(pool_->acquire(0, -1));
  EXPECT_FALSE(pool_->acquire(2, 0));
  EXPECT_FALSE(pool_->release(0, 3));
}

TEST_F(TwoGroups, NeverOverlapInRandomUse) {
  std::mt19937 random(1);
  std::set<std::pair<int, int64_t>> held;
  for (int step = 0; step < 20000; step++) {
    const int group = static_cast<int>(random() % 2);
    const auto frame = static_cast<int64_t>(random() % (group == 0 ? 12 : 6));
    if (held.contains({group, frame})) {
      ASSERT_TRUE(pool_->release(group, frame));
      held.erase({group, frame});
    } else if (pool_->acquire(group, frame)) {
      held.insert({group, frame});
    }
    std::set<std::pair<int64_t, int64_t>> ranges;
    for (const auto& [g, f] : held) {
      const int64_t start = pool_->offset(g, f);
      const int64_t bytes = pool_->plan().frame_bytes[static_cast<size_t>(g)];
      ranges.emplace(start, start + bytes);
    }
    ASSERT_EQ(ranges.size(), held.size());
    int64_t end = 0;
    for (const auto& [start, stop] : ranges) {
      ASSERT_GE(start, end);
      end = stop;
    }
    ASSERT_LE(end, pool_->bytes());
  }
}

TEST(KvPool, GivesPagesWithoutAnOwnerBackOnceItIsLimited) {
  MemoryAccount account;
  device::FakeDevice device;
  auto pool = KvPool::create(device, account, plan_slabs({1 << 20}), 4);
  ASSERT_TRUE(pool);
  for (const int64_t frame : {0, 2, 3}) ASSERT_TRUE(pool->acquire(0, frame));
  for (int64_t at = 0; at < pool->bytes(); at += 1 << 20) pool->base()[at] = std::byte{7};
  ASSERT_TRUE(pool->release(0, 3));
  EXPECT_EQ(device.discarded_bytes(), 0);

  pool->set_limit(1);
  EXPECT_EQ(account.bytes(MemoryTag::kKv), 2 << 20);
  EXPECT_EQ(device.discarded_bytes(), 4 << 20);  // slabs 2 and 3
  EXPECT_EQ(pool->base()[pool->offset(0, 2)], std::byte{7});
  ASSERT_TRUE(pool->release(0, 2));
  EXPECT_EQ(device.discarded_bytes(), 6 << 20);
  EXPECT_EQ(pool->base()[pool->offset(0, 2)], std::byte{0});
  EXPECT_EQ(pool->base()[pool->offset(0, 0)], std::byte{7});
}

TEST(KvPool, GivesItsBytesBackAndReportsRefusals) {
  MemoryAccount account;
  device::FakeDevice device({.streams = 1, .copy_bytes_per_us = 1, .capacity_bytes = 8 << 20});
  {
    auto pool = KvPool::create(device, account, plan_slabs({1 << 20}), 4);
    EXPECT_TRUE(pool);
    EXPECT_EQ(account.total(), 8 << 20);
    auto second = KvPool::create(device, account, plan_slabs({1 << 20}), 1);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kResourceLimit);
    EXPECT_NE(second.error().message().find("KV pool"), std::string::npos);
  }
  EXPECT_EQ(account.total(), 0);
}

}  // namespace
}  // namespace strata::memory
