// A step is as large as the disk's time for a pass is worth, and no setting that was asked for
// changes.
#include "engine/plan/step_budget.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/plan/forecast.h"
#include "engine/test_model.h"
#include "engine/test_running.h"

namespace strata::engine {
namespace {

class StepBudgetTest : public ::testing::Test {
 protected:
  ResolvedConfig resolved(EngineConfig config, placement::WeightsOn where) const {
    config.threads = 1;
    config.weights_on = where;
    auto made = resolve(config, testing::small_machine(), opened_->spec(), opened_->plan());
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
  }
  // Where nothing is in memory: computing a pass of `even` rows takes as long as reading.
  placement::CostTable prices(double even) const {
    placement::CostTable costs{.disk_bytes_per_s = 1e6,
                               .ram_bytes_per_s = 1e15,
                               .relay_bytes_per_s = 1e15,
                               .compute = {{1, 1e-15}}};
    const ResolvedConfig config = resolved({}, placement::WeightsOn::kDisk);
    const PassPrices priced(config, *opened_, costs);
    double computed = 0;  // bytes
    for (const placement::UnitFacts& unit : priced.units())
      if (unit.use == placement::UnitUse::kRows) computed += static_cast<double>(unit.bytes);
    const double row = priced.pass({}, 0)->disk_s() / (even * computed);
    costs.compute = {{1, row}, {256, 256 * row}};
    return costs;
  }
  ResolvedConfig balanced(const EngineConfig& config, double even) const {
    ResolvedConfig made = resolved(config, placement::WeightsOn::kDisk);
    balance_step(made, *opened_, prices(even));
    return made;
  }
  int64_t rows(const EngineConfig& config, double even) const {
    return balanced(config, even).step_rows;
  }
  static std::string reason(const ResolvedConfig& config, std::string_view name) {
    const auto found = std::ranges::find(config.decisions, name, &Decision::name);
    return found == config.decisions.end() ? "" : found->value + ": " + found->reason;
  }

  testing::TestModel model_;
  std::unique_ptr<OpenedModel> opened_ = model_.open();
};

TEST_F(StepBudgetTest, EndsWhereComputingTakesAsLongAsReading) {
  // In whole groups of 16 rows.
  EXPECT_EQ(rows({.max_num_seqs = 8}, 100), 96);
  EXPECT_EQ(rows({.max_num_seqs = 8}, 300), 288);
  EXPECT_EQ(rows({.max_num_seqs = 8}, 5000), 512) << "the disk is the bottleneck at any size";
  const ResolvedConfig made = balanced({.max_num_seqs = 8, .all_logits = true}, 100);
  EXPECT_EQ(made.prefill_chunk, 96);
  EXPECT_NE(reason(made, "max-num-batched-tokens").find("96: the disk takes "), std::string::npos);
  EXPECT_EQ(reason(made, "prefill-chunk"), "96: at most a step");
}

TEST_F(StepBudgetTest, HasRoomForEverySequenceAndForWhatWasAsked) {
  EXPECT_EQ(rows({.max_num_seqs = 200}, 10), 208);
  EXPECT_EQ(rows({.max_num_seqs = 8, .max_num_batched_tokens = 512}, 10), 512);
  EXPECT_EQ(rows({.prefill_chunk = 8, .max_num_seqs = 8, .max_num_batched_tokens = 8}, 100), 8);
  const ResolvedConfig chunk = balanced({.prefill_chunk = 300, .max_num_seqs = 8}, 10);
  EXPECT_EQ(chunk.step_rows, 300) << "nothing is beyond what was there";
  EXPECT_EQ(chunk.prefill_chunk, 300);
  EXPECT_EQ(reason(chunk, "prefill-chunk"), "300: as asked");
}

// A machine without a cache of probes plans before it has prices.
TEST_F(StepBudgetTest, MemoryIsPlannedWithoutPrices) {
  const EngineConfig config{.max_num_seqs = 8, .all_logits = true};
  const ResolvedConfig before = resolved(config, placement::WeightsOn::kDisk);
  ResolvedConfig after = before;  // resolved once: what the process holds may grow meanwhile
  balance_step(after, *opened_, prices(100));
  EXPECT_LT(after.step_rows, before.step_rows);
  EXPECT_EQ(after.max_num_batched_tokens, before.max_num_batched_tokens);
  EXPECT_EQ(after.max_logit_rows, before.max_logit_rows);
  const auto memory = [&](const ResolvedConfig& made) {
    std::string said;
    for (const MemoryUse& use : make_forecast(made, *opened_, prices(100)).memory)
      said += fmt::format("{} {}\n", use.tag, use.bytes);
    return said;
  };
  EXPECT_EQ(memory(after), memory(before));
}

TEST_F(StepBudgetTest, StaysWhereNothingIsReadOrKnown) {
  ResolvedConfig in_memory = resolved({.max_num_seqs = 8}, placement::WeightsOn::kRam);
  balance_step(in_memory, *opened_, prices(100));
  EXPECT_EQ(in_memory.step_rows, 512);
  ResolvedConfig unknown = resolved({.max_num_seqs = 8}, placement::WeightsOn::kDisk);
  balance_step(unknown, *opened_, {});
  EXPECT_EQ(unknown.step_rows, 512);
  EXPECT_EQ(unknown.prefill_chunk, 512);
}

}  // namespace
}  // namespace strata::engine
