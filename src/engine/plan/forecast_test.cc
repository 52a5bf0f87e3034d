// The forecast's bytes are those that an engine is charged with, and its seconds those of the
// prices; probes are measured once and found again.
#include "engine/plan/forecast.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/fault_env.h"
#include "engine/engine.h"
#include "engine/plan/calibrate.h"
#include "engine/test_model.h"
#include "engine/test_running.h"

namespace strata::engine {
namespace {

placement::CostTable prices() {
  return {.disk_bytes_per_s = 1e6,
          .ram_bytes_per_s = 1e9,
          .relay_bytes_per_s = 1e9,
          .compute = {{1, 1e-9}, {64, 2e-9}}};
}

class ForecastTest : public ::testing::Test {
 protected:
  ResolvedConfig resolved(const EngineConfig& config) const {
    auto made = resolve(config, testing::small_machine(), opened_->spec(), opened_->plan());
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
  }
  ResolvedConfig streamed() const {
    return resolved({.threads = 2,
                     .max_num_seqs = 8,
                     .memory_bytes = 200 << 20,
                     .weights_on = placement::WeightsOn::kDisk});
  }

  testing::TestModel model_;
  std::unique_ptr<OpenedModel> opened_ = model_.open();
};

TEST_F(ForecastTest, BytesByTagAreThoseThatAnEngineIsChargedWith) {
  for (const auto where : {placement::WeightsOn::kDisk, placement::WeightsOn::kRam}) {
    for (const int64_t rows : {16, 100}) {
      const ResolvedConfig config = resolved(
          {.threads = 2, .max_num_seqs = 5, .max_num_batched_tokens = rows, .weights_on = where});
      const Forecast made = make_forecast(config, *opened_, {});
      const auto engine = Engine::create(real_env(), *opened_, config, {.threads = 1});
      ASSERT_TRUE(engine) << engine.error().message();
      const EngineStats stats = (*engine)->stats();
      for (const MemoryUse& held : stats.memory) {
        if (held.tag == "text") continue;  // reserved, and nothing is asked yet
        const auto said = std::ranges::find(made.memory, held.tag, &MemoryUse::tag);
        ASSERT_NE(said, made.memory.end()) << held.tag;
        // A folder's unit that is re-laid is planned with the zeros that pad it in a pack.
        const int64_t near = held.tag == "ring" ? held.bytes / 100 : 0;
        EXPECT_LE(std::abs(said->bytes - held.bytes), near) << held.tag;
      }
    }
  }
}

TEST_F(ForecastTest, KeepsToTheCeilingAndSaysWhatStays) {
  const ResolvedConfig config = streamed();
  const Forecast made = make_forecast(config, *opened_, prices());
  EXPECT_EQ(made.ceiling_bytes, 200 << 20);
  EXPECT_LE(made.memory_sum(), made.ceiling_bytes);
  EXPECT_EQ(made.residents, 0);
  EXPECT_EQ(made.row_bytes, 8192)
      << "a row of 128 bytes may begin in one block and end in the next";
  EXPECT_EQ(made.units, static_cast<int64_t>(opened_->plan().cut.units.size()));
  EXPECT_EQ(made.disk_bytes, config.placement.streamed_bytes);
  EXPECT_EQ(made.full_sequences, config.kv_blocks / 8);
  EXPECT_EQ(made.context, 255) << "of the model's 256";
}

TEST_F(ForecastTest, SecondsFollowFromThePrices) {
  const Forecast made = make_forecast(streamed(), *opened_, prices());
  ASSERT_TRUE(made.one && made.batch && made.as_pack);
  // A row of the embedding costs no more than its table, which is small here.
  const int64_t table = opened_->plan().cut.units.front().padded_bytes;
  EXPECT_NEAR(made.one->cost.pass_s(), static_cast<double>(made.disk_bytes + table) / 1e6, 1e-3);
  EXPECT_EQ(made.one->cost.bottleneck(), placement::Bottleneck::kDisk);
  EXPECT_EQ(made.batch->sequences, 8);
  EXPECT_NEAR(made.batch->tokens_per_s() / made.one->tokens_per_s(), 8, 0.1);
  EXPECT_EQ(made.as_pack->cost.relay_s, 0);
  EXPECT_FALSE(make_forecast(streamed(), *opened_, {}).one) << "nothing was measured";
  const Forecast in_memory =
      make_forecast(resolved({.weights_on = placement::WeightsOn::kRam}), *opened_, prices());
  EXPECT_EQ(in_memory.one->cost.bottleneck(), placement::Bottleneck::kCompute);
  EXPECT_FALSE(in_memory.as_pack);
}

TEST_F(ForecastTest, StepsThatRanArePricedByTheirRows) {
  const ResolvedConfig config = streamed();
  const PassPrices priced(config, *opened_, prices());
  EngineStats stats;
  EXPECT_FALSE(predicted_s(stats, priced)) << "nothing ran";
  stats.passes = {{.rows = 1, .passes = 3, .logit_rows = 3, .context = 30},
                  {.rows = 64, .passes = 1, .logit_rows = 0, .context = 64}};
  const double expected = 3 * priced.pass({.rows = 1, .logit_rows = 1}, 10)->pass_s() +
                          priced.pass({.rows = 64, .logit_rows = 0}, 64)->pass_s();
  EXPECT_DOUBLE_EQ(*predicted_s(stats, priced), expected);
  EXPECT_FALSE(predicted_s(stats, PassPrices(config, *opened_, {})));
}

TEST_F(ForecastTest, AnEngineTellsItsPassesByTheirRows) {
  testing::Running running({.threads = 1, .prefill_chunk = 20});
  testing::Outcome outcome;
  running.add(testing::plain(30, 4, 1), outcome);
  running.finish();
  const EngineStats stats = running.engine().stats();
  ASSERT_EQ(stats.passes.size(), 3u);
  EXPECT_EQ(stats.passes[0].rows, 1);
  EXPECT_EQ(stats.passes[0].passes, 3);
  EXPECT_EQ(stats.passes[0].logit_rows, 3);
  EXPECT_EQ(stats.passes[0].context, 31 + 32 + 33);
  EXPECT_EQ(stats.passes[1].rows, 10);
  EXPECT_EQ(stats.passes[1].logit_rows, 1);
  EXPECT_EQ(stats.passes[1].context, 30);
  EXPECT_EQ(stats.passes[2].rows, 20);
  EXPECT_EQ(stats.passes[2].logit_rows, 0);
  double seconds = 0;
  for (const PassGroup& group : stats.passes) seconds += group.seconds;
  EXPECT_NEAR(seconds, stats.total_us() * 1e-6, 0.5 * seconds);
}

class CalibrateTest : public ForecastTest {
 protected:
  CalibrateTest() {
    std::string pattern = ::testing::TempDir() + "/cache_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    env_.set_env("XDG_CACHE_HOME", folder_);
  }
  ~CalibrateTest() override { std::filesystem::remove_all(folder_); }
  Calibration calibrated(const ResolvedConfig& config, Probing probing) {
    return calibrate(env_, *opened_, config, testing::small_machine(), probing);
  }

  std::string folder_;
  FaultEnv env_{real_env()};
};

TEST_F(CalibrateTest, MeasuresOnceAndFindsAgain) {
  const ResolvedConfig config = streamed();
  const Calibration nothing = calibrated(config, Probing::kCached);
  EXPECT_EQ(nothing.costs.disk_bytes_per_s, 0);
  ASSERT_EQ(nothing.sources.size(), 2u);
  EXPECT_EQ(nothing.sources[0].unix_time_s, 0);
  EXPECT_NE(nothing.sources[0].what.find("not measured"), std::string::npos);
  const Calibration first = calibrated(config, Probing::kMissing);
  EXPECT_GT(first.costs.disk_bytes_per_s, 0);
  EXPECT_GT(first.costs.ram_bytes_per_s, 0);
  EXPECT_GT(first.costs.relay_bytes_per_s, 0);
  ASSERT_EQ(first.costs.compute.size(), 5u);
  for (const auto& price : first.costs.compute) EXPECT_GT(price.s_per_byte, 0) << price.rows;
  EXPECT_FALSE(first.sources[0].cached || first.sources[1].cached);
  const Calibration second = calibrated(config, Probing::kCached);
  EXPECT_TRUE(second.sources[0].cached && second.sources[1].cached);
  EXPECT_EQ(second.costs.disk_bytes_per_s, first.costs.disk_bytes_per_s);
  EXPECT_EQ(second.costs.s_per_byte(64), first.costs.s_per_byte(64));
  const Calibration again = calibrated(config, Probing::kAgain);
  EXPECT_FALSE(again.sources[0].cached || again.sources[1].cached);
}

TEST_F(CalibrateTest, ADiskOnlyCountsWhereItIsRead) {
  const ResolvedConfig config = resolved({.weights_on = placement::WeightsOn::kRam});
  const Calibration made = calibrated(config, Probing::kMissing);
  ASSERT_EQ(made.sources.size(), 1u);
  EXPECT_EQ(made.sources[0].name, "compute");
  EXPECT_EQ(made.costs.disk_bytes_per_s, 0);
}

TEST_F(CalibrateTest, WhatCannotBeMeasuredIsSaidAndPromisesNothing) {
  const ResolvedConfig config = streamed();
  std::filesystem::remove(model_.path() + "/model.safetensors");
  const Calibration made = calibrated(config, Probing::kMissing);
  EXPECT_EQ(made.costs.disk_bytes_per_s, 0);
  EXPECT_NE(made.sources[0].what.find("model.safetensors"), std::string::npos)
      << made.sources[0].what;
  EXPECT_GT(made.costs.compute.size(), 0u);
  EXPECT_FALSE(make_forecast(config, *opened_, made.costs).one);
}

}  // namespace
}  // namespace strata::engine
