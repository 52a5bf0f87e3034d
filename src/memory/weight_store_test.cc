// Whatever is resident and whatever is streamed: a lease has its unit's bytes, ready-made or
// finished; a damaged unit is named and never used.
#include "memory/weight_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/fault_env.h"
#include "device/cpu_device.h"
#include "memory/test_source.h"

namespace strata::memory {
namespace {

class WeightStoreTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<WeightStore>> make(const TestSource& source, std::vector<bool> resident,
                                            int64_t ring_bytes = 1 << 20) {
    StoreConfig config{.resident = std::move(resident), .verify_every = 3};
    config.ring = {.bytes = ring_bytes, .request_bytes = 8192, .depth_bytes = 4 * 8192};
    auto store = TRY(WeightStore::create(device_, account_, source, std::move(config)));
    if (source.ready_made()) {
      TRY(store->read_residents(*env_, {}));
    } else {
      fill(source, *store);
    }
    TRY(store->start_streaming(*env_));
    return store;
  }

  static void fill(const TestSource& source, const WeightStore& store) {
    for (size_t unit = 0; unit < source.units().size(); unit++) {
      if (store.resident(unit)) std::ranges::copy(source.whole(unit), store.resident_place(unit));
    }
  }

  Env* env_ = &real_env();
  device::CpuDevice device_;
  MemoryAccount account_;
};

bool holds(const TestSource& source, size_t unit, const Lease& lease) {
  return std::ranges::equal(
      source.whole(unit), std::span(lease.data(), static_cast<size_t>(source.units()[unit].bytes)));
}

TEST_F(WeightStoreTest, EveryLeaseHoldsItsUnitWhereverItLives) {
  for (uint32_t seed = 0; seed < 24; seed++) {
    std::mt19937 random(seed);
    const bool ready_made = seed % 2 == 0;
    const TestSource source({.seed = seed,
                             .units = 1 + random() % 8,
                             .pieces = ready_made ? 1 : 1 + random() % 4,
                             .checksums = true,
                             .ready_made = ready_made});
    std::vector<bool> resident;
    for (size_t i = 0; i < source.units().size(); i++) resident.push_back(random() % 3 == 0);
    const auto store = make(source, resident);
    ASSERT_TRUE(store) << store.error().message();
    for (int pass = 0; pass < 5; pass++) {
      for (size_t unit = 0; unit < resident.size(); unit++) {
        if (random() % 10 == 0) continue;  // passes may leave units out, or end early
        const auto lease = (*store)->lease(unit, {});
        ASSERT_TRUE(lease) << lease.error().message();
        EXPECT_TRUE(holds(source, unit, *lease)) << "seed " << seed << " unit " << unit;
      }
    }
  }
  EXPECT_EQ(account_.total(), 0);
}

TEST_F(WeightStoreTest, DamagedUnitIsNamedByFileUnitAndByte) {
  for (const bool resident : {true, false}) {
    TestSource source({.seed = 2, .units = 3, .checksums = true, .ready_made = true});
    source.spoil(1);
    const UnitPiece piece = source.units()[1].pieces[0];
    auto store = make(source, {true, resident, false});
    Status status;
    if (resident) {
      ASSERT_FALSE(store);
      status = store.error();
    } else {
      ASSERT_TRUE(store);
      const auto lease = (*store)->lease(1, {});
      ASSERT_FALSE(lease);
      status = lease.error();
      EXPECT_TRUE((*store)->lease(2, {}));
    }
    EXPECT_EQ(status.code, Code::kInvalidData);
    EXPECT_EQ(status.what, source.paths()[piece.file] + ": unit u1 at byte " +
                               std::to_string(piece.offset) + ": checksum");
  }
}

TEST_F(WeightStoreTest, DamageThatComesLaterIsFoundBySampling) {
  TestSource source({.seed = 3, .units = 2, .checksums = true, .ready_made = true});
  const auto store = make(source, {false, false}, 128 << 10);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->lease(0, {}));
  source.spoil(0);
  int failures = 0;
  for (int pass = 0; pass < 12; pass++) failures += (*store)->lease(0, {}) ? 0 : 1;
  EXPECT_GE(failures, 3);  // one in three, once the ring holds no reading from before
}

// The last unit comes in parts, or lies in memory as a whole.
TEST_F(WeightStoreTest, PartsOfAUnitAreItsBytesOneBehindTheOther) {
  for (uint32_t seed = 0; seed < 8; seed++) {
    const size_t parts = 2 + seed % 4;
    const TestSource source({.seed = seed,
                             .units = 3,
                             .least = 3000,
                             .checksums = true,
                             .ready_made = true,
                             .parts = parts});
    const std::vector<std::byte> whole = source.whole(2);
    const auto in_memory = make(source, {false, false, true});
    ASSERT_TRUE(in_memory) << in_memory.error().message();
    EXPECT_TRUE(holds(source, 2, *(*in_memory)->lease(2, {})));
    const auto store = make(source, {false, true, false}, 96 << 10);
    ASSERT_TRUE(store) << store.error().message();
    for (int pass = 0; pass < 6; pass++) {
      ASSERT_TRUE((*store)->lease(0, {}));
      size_t at = 0;
      for (size_t part = 0; part < (pass % 3 == 2 ? 1 : parts); part++) {
        const auto lease = (*store)->lease(2, {}, part);
        ASSERT_TRUE(lease) << lease.error().message();
        for (const auto& piece : lease->pieces()) {
          EXPECT_TRUE(std::ranges::equal(piece, std::span(whole).subspan(at, piece.size())));
          at += piece.size();
        }
      }
      EXPECT_TRUE(pass % 3 == 2 || at == whole.size());
    }
  }
}

TEST_F(WeightStoreTest, DamageOfAUnitInPartsIsFoundWithItsLast) {
  TestSource source(
      {.seed = 6, .units = 2, .least = 3000, .checksums = true, .ready_made = true, .parts = 3});
  source.spoil(1);
  const auto store = make(source, {false, false});
  ASSERT_TRUE(store);
  EXPECT_TRUE((*store)->lease(1, {}, 0));
  EXPECT_TRUE((*store)->lease(1, {}, 1));
  const auto last = (*store)->lease(1, {}, 2);
  ASSERT_FALSE(last);
  EXPECT_NE(last.error().what.find("unit u1 at byte"), std::string::npos) << last.error().what;
  EXPECT_FALSE(make(source, {false, true})) << "of a resident the whole is compared";
}

TEST_F(WeightStoreTest, FailedReadOfAResidentFailsTheLoad) {
  const TestSource source({.seed = 4, .units = 2, .ready_made = true});
  FaultEnv env(real_env(), {.fail_call = 1});
  env_ = &env;
  const auto store = make(source, {true, false});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kIo);
  EXPECT_TRUE(store.error().what.starts_with("unit u0: ")) << store.error().what;
  EXPECT_EQ(account_.total(), 0);
}

TEST_F(WeightStoreTest, BytesAreChargedToWeightsAndRing) {
  const TestSource source({.seed = 5, .units = 3, .pieces = 2});
  const auto store = make(source, {true, false, false}, 512 << 10);
  ASSERT_TRUE(store);
  EXPECT_EQ(account_.bytes(MemoryTag::kWeights), (source.units()[0].bytes + 4095) / 4096 * 4096);
  EXPECT_EQ(account_.bytes(MemoryTag::kRing),
            (512 << 10) + std::max(source.units()[1].bytes, source.units()[2].bytes));
}

}  // namespace
}  // namespace strata::memory
