// The ring over files of random bytes: a lease sees exactly its unit, whatever the sizes, the
// buffer, the delays and the faults; what is held is never overwritten.
#include "memory/ring.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/fault_env.h"
#include "device/cpu_device.h"
#include "memory/test_source.h"

namespace strata::memory {
namespace {

class RingTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Ring>> make(const TestSource& source, std::vector<size_t> order,
                                     RingConfig config) {
    return Ring::create(*env_, device_, account_, source, std::move(order), config);
  }

  FaultEnv* with_faults(FaultPlan plan) {
    fault_ = std::make_unique<FaultEnv>(real_env(), plan);
    env_ = fault_.get();
    return fault_.get();
  }

  Env* env_ = &real_env();
  std::unique_ptr<FaultEnv> fault_;
  device::CpuDevice device_;
  MemoryAccount account_;
};

std::vector<size_t> all_units(const TestSource& source) {
  std::vector<size_t> order(source.units().size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  return order;
}

RingConfig small_ring(int64_t bytes, IoKind io = IoKind::kAuto) {
  return {.bytes = bytes, .io = io, .request_bytes = 8192, .depth_bytes = 5 * 8192};
}

void pause(std::mt19937& random) {
  if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 400));
}

// Random sizes and delays; up to `hold` units are kept for a while, compared once more, and given
// back in any order.
TEST_F(RingTest, EveryLeaseSeesItsUnitWhateverTheSizesAndDelays) {
  for (uint32_t seed = 0; seed < 30; seed++) {
    std::mt19937 random(seed);
    const TestSource source({.seed = seed, .units = 2 + random() % 9, .pieces = 1 + random() % 4});
    std::vector<size_t> order;
    for (size_t i = 0; i < source.units().size(); i++) {
      if (order.empty() || random() % 3 != 0) order.push_back(i);
    }
    const int64_t least = Ring::least_bytes(source, order);
    const size_t hold = random() % 3;
    const int64_t room = least * static_cast<int64_t>(hold + 1) * 2;
    const auto ring = make(source, order,
                           small_ring(hold == 0 ? least : room + 4096 * (random() % 30),
                                      seed % 2 == 0 ? IoKind::kAuto : IoKind::kPread));
    ASSERT_TRUE(ring) << ring.error().message();
    std::vector<std::pair<size_t, Ring::Held>> held;
    std::vector<const std::byte*> ends;
    for (size_t step = 0; step < 5 * order.size(); step++) {
      const size_t unit = order[step % order.size()];
      auto got = (*ring)->acquire(unit, {});
      ASSERT_TRUE(got) << got.error().message();
      pause(random);
      ends.push_back(got->pieces.front().data());
      ends.push_back(got->pieces.back().data() + got->pieces.back().size());
      EXPECT_TRUE(source.equal(unit, got->pieces)) << "seed " << seed << " step " << step;
      held.emplace_back(unit, std::move(*got));
      if (held.size() <= hold) continue;
      std::ranges::shuffle(held, random);
      for (const auto& [kept, place] : held) {
        EXPECT_TRUE(source.equal(kept, place.pieces)) << "kept, seed " << seed;
        (*ring)->release(place);
      }
      held.clear();
    }
    for (const auto& [unit, place] : held) (*ring)->release(place);
    EXPECT_LE(std::ranges::max(ends) - std::ranges::min(ends), (*ring)->bytes());
    EXPECT_EQ((*ring)->stats().units, static_cast<int64_t>(5 * order.size()));
  }
  EXPECT_EQ(account_.total(), 0);
}

TEST_F(RingTest, ReadsAheadOfTheConsumerAndIntoTheNextPass) {
  const TestSource source({.seed = 1, .units = 4, .least = 8192, .most = 8192, .ready_made = true});
  const auto ring = make(source, all_units(source), small_ring(4 * 8192));
  ASSERT_TRUE(ring);
  for (const size_t unit : {size_t{0}, size_t{1}, size_t{2}}) {
    auto held = (*ring)->acquire(unit, {});
    ASSERT_TRUE(held);
    (*ring)->release(*held);
  }
  // Once unit 3 and the first three of the next pass are in, reading stops: the ring is full.
  while ((*ring)->stats().read_bytes < 7 * 8192) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ((*ring)->stats().read_bytes, 7 * 8192);
  EXPECT_TRUE((*ring)->ready(3));
  EXPECT_FALSE((*ring)->ready(0));
}

TEST_F(RingTest, UnitsPassedOverAreNotWaitedFor) {
  const TestSource source({.seed = 3, .units = 6, .pieces = 2});
  const auto ring =
      make(source, all_units(source), small_ring(Ring::least_bytes(source, all_units(source))));
  ASSERT_TRUE(ring);
  for (const size_t unit : {2u, 5u, 0u, 0u, 4u, 1u, 3u, 2u, 2u}) {
    auto held = (*ring)->acquire(unit, {});
    ASSERT_TRUE(held);
    EXPECT_TRUE(source.equal(unit, held->pieces));
    (*ring)->release(*held);
  }
}

// A fault at read N fails the lease of one unit, with its name; the rest of the pass and the next
// one are whole.
TEST_F(RingTest, FaultAtEveryReadFailsOneLeaseAndNoMore) {
  const TestSource source({.seed = 4, .units = 5, .pieces = 2, .most = 30000});
  const std::vector<size_t> order = all_units(source);
  for (const auto kind : {FaultPlan::Kind::kError, FaultPlan::Kind::kShortRead}) {
    // The first call that kError can hit opens the queue.
    for (int64_t n = kind == FaultPlan::Kind::kError ? 1 : 0; n < 30; n++) {
      with_faults({.kind = kind, .fail_call = n});
      const auto ring = make(source, order, small_ring(2 * Ring::least_bytes(source, order)));
      ASSERT_TRUE(ring);
      int failures = 0;
      for (size_t step = 0; step < 6 * order.size(); step++) {
        const size_t unit = order[step % order.size()];
        auto held = (*ring)->acquire(unit, {});
        if (held) {
          EXPECT_TRUE(source.equal(unit, held->pieces));
          (*ring)->release(*held);
          continue;
        }
        failures++;
        EXPECT_TRUE(held.error().what.starts_with("unit " + source.units()[unit].name + ": "))
            << held.error().what;
        EXPECT_NE(held.error().what.find("at byte"), std::string::npos) << held.error().what;
      }
      EXPECT_EQ(failures, 1) << "call " << n;
    }
  }
}

TEST_F(RingTest, DeadDiskFailsEveryLease) {
  const TestSource source({.seed = 5, .units = 3, .pieces = 1});
  with_faults({.fail_call = 1, .for_ever = true});
  const auto ring = make(source, all_units(source), small_ring(1 << 20));
  ASSERT_TRUE(ring);
  for (size_t step = 0; step < 9; step++) {
    const auto held = (*ring)->acquire(step % 3, {});
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().code, Code::kIo);
  }
}

TEST_F(RingTest, SlowDiskMakesLeasesWait) {
  const TestSource source({.seed = 6, .units = 3, .pieces = 1, .least = 40000, .most = 50000});
  with_faults({.slow_ns_per_byte = 100});
  const auto ring = make(source, all_units(source), small_ring(1 << 18));
  ASSERT_TRUE(ring);
  for (size_t step = 0; step < 6; step++) {
    auto held = (*ring)->acquire(step % 3, {});
    ASSERT_TRUE(held);
    EXPECT_TRUE(source.equal(step % 3, held->pieces));
    (*ring)->release(*held);
  }
  const RingStats stats = (*ring)->stats();
  EXPECT_GT(stats.waits, 0);
  EXPECT_GT(stats.waited_s, 0);
  EXPECT_GT(stats.most_under_way, 1);
}

TEST_F(RingTest, WaitingLeaseIsCancelledAndLaterOnesGoOn) {
  const TestSource source({.seed = 7, .units = 3, .pieces = 1, .least = 100'000, .most = 120'000});
  with_faults({.slow_ns_per_byte = 3000});  // 300 ms a unit
  const auto ring = make(source, all_units(source), small_ring(1 << 18));
  ASSERT_TRUE(ring);
  const auto stopped = (*ring)->acquire(1, [](bool) { return true; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  auto held = (*ring)->acquire(2, {});
  ASSERT_TRUE(held);
  EXPECT_TRUE(source.equal(2, held->pieces));
  (*ring)->release(*held);
}

TEST_F(RingTest, EndsWhileReadsAreUnderWay) {
  const TestSource source({.seed = 8, .units = 8, .pieces = 3});
  for (int64_t i = 0; i < 20; i++) {
    const auto ring = make(source, all_units(source), small_ring((1 << 20) + 4096 * i));
    ASSERT_TRUE(ring);
  }
}

TEST_F(RingTest, FileCutShortUnderTheRingIsNamed) {
  const TestSource source({.seed = 9, .units = 4, .pieces = 1, .least = 30'000});
  ASSERT_TRUE(real_env().truncate_file(source.paths().back(), 20'000));
  const auto ring = make(source, all_units(source), small_ring(1 << 20));
  ASSERT_TRUE(ring);
  Status last;
  for (size_t unit = 0; unit < 4; unit++) {
    auto held = (*ring)->acquire(unit, {});
    if (!held) last = held.error();
    if (held) (*ring)->release(*held);
  }
  EXPECT_EQ(last.code, Code::kInvalidData);
  EXPECT_NE(last.what.find(source.paths().back() + ": truncated"), std::string::npos) << last.what;
}

TEST_F(RingTest, TooSmallABufferAndMissingFilesAreRefused) {
  const TestSource source({.seed = 10, .units = 3, .pieces = 1, .least = 9000});
  const auto small = make(source, all_units(source), small_ring(8192));
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().what, "--ring-bytes");
  with_faults({.fail_call = 0});
  const auto unopened = make(source, all_units(source), small_ring(1 << 20));
  ASSERT_FALSE(unopened);
  EXPECT_EQ(unopened.error().code, Code::kIo);
  EXPECT_EQ(account_.total(), 0);
}

TEST(ReadPlanTest, PiecesKeepTheirBytesAndReadsTheirAlignment) {
  for (uint32_t seed = 0; seed < 200; seed++) {
    const TestSource source({.seed = seed, .units = 3, .pieces = 1 + seed % 5, .on_disk = false});
    for (const StoredUnit& unit : source.units()) {
      const UnitReadPlan plan = plan_reads(unit, 8192);
      int64_t at = 0;
      for (const PlannedRead& read : plan.reads) {
        EXPECT_EQ(read.at, at);
        EXPECT_EQ(read.offset % kDirectBlock, 0u);
        EXPECT_EQ(read.bytes % static_cast<int64_t>(kDirectBlock), 0);
        EXPECT_TRUE(read.needed > 0 && read.needed <= read.bytes && read.bytes <= 8192);
        at += read.bytes;
      }
      EXPECT_EQ(at, plan.place_bytes);
      EXPECT_EQ(plan.piece_starts.size(), unit.pieces.size());
    }
  }
}

TEST(ReadPlanTest, NeighbouringPiecesShareReads) {
  const StoredUnit unit{.name = "u", .pieces = {{0, 100, 5000}, {0, 5100, 5000}, {1, 0, 10}}};
  const UnitReadPlan plan = plan_reads(unit, 1 << 20);
  ASSERT_EQ(plan.reads.size(), 2u);
  EXPECT_EQ(plan.reads[0].bytes, 3 * 4096);
  EXPECT_EQ(plan.reads[0].needed, 10'100);
  EXPECT_EQ(plan.piece_starts, (std::vector<int64_t>{100, 5100, 3 * 4096}));
}

}  // namespace
}  // namespace strata::memory
