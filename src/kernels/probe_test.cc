// The probes run wherever they say they can, and refuse otherwise. How fast anything is, no test
// says.
#include "kernels/probe.h"

#include <gtest/gtest.h>

#include <vector>

namespace strata::kernels {
namespace {

TEST(Probe, BestUnitOfThisCpuHasARate) {
  auto pool = ComputePool::create(2);
  ASSERT_TRUE(pool.has_value());
  const auto unit = best_bf16_unit();
  if (available_isas().back() == Isa::kScalar) {
    EXPECT_FALSE(unit.has_value()) << "this CPU has none of AVX2 with FMA, AVX-512 and AMX";
    return;
  }
  ASSERT_TRUE(unit.has_value()) << unit.error().message();
  const auto rate = peak_rate(**pool, *unit, 1);
  ASSERT_TRUE(rate.has_value());
  EXPECT_GT(*rate, 0);
}

TEST(Probe, BestUnitIsOneThatTheKernelsMayUse) {
  EXPECT_FALSE(best_bf16_unit(Isa::kScalar).has_value());
  const auto narrow = best_bf16_unit(Isa::kAvx2);
  if (narrow) {
    EXPECT_EQ(*narrow, PeakUnit::kFma256);
  }
  const auto wide = best_bf16_unit(Isa::kAvx512);
  if (wide) {
    EXPECT_TRUE(*wide == PeakUnit::kFma512 || *wide == PeakUnit::kFma256);
  }
}

TEST(Probe, RefusesAUnitThatTheCpuLacks) {
  auto pool = ComputePool::create(1);
  for (const PeakUnit unit :
       {PeakUnit::kFma256, PeakUnit::kFma512, PeakUnit::kDotBf16, PeakUnit::kAmxBf16}) {
    const auto rate = peak_rate(**pool, unit, 1);
    if (rate) continue;
    EXPECT_EQ(rate.error().code, Code::kUnavailable);
    EXPECT_EQ(rate.error().got, peak_unit_name(unit));
  }
}

TEST(Probe, ReadsMemory) {
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines(size_t{4} << 14);
  auto pool = ComputePool::create(2);
  EXPECT_GT(read_bandwidth(**pool, std::as_bytes(std::span(lines)), 1), 0);
}

}  // namespace
}  // namespace strata::kernels
