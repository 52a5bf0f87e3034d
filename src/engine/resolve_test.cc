// Every "auto" has an answer with a reason, and what cannot fit is refused with what would.
#include "engine/resolve.h"

#include <gtest/gtest.h>

#include "engine/lower_ceiling.h"
#include "engine/test_model.h"
#include "tensor/exponent_coding.h"

namespace strata::engine {
namespace {

class Resolve : public ::testing::Test {
 protected:
  Result<ResolvedConfig> with(const EngineConfig& config) const {
    return resolve(config, machine_, opened_->spec(), opened_->plan());
  }
  std::string refusal(const EngineConfig& config) const { return refusal_of(with(config)); }
  static std::string refusal_of(const Result<ResolvedConfig>& resolved) {
    return resolved ? std::string() : resolved.error().message();
  }
  int64_t step_bytes(const ResolvedConfig& config) const {
    return step_memory(opened_->spec(), config.kind,
                       {.max_rows = config.max_num_batched_tokens,
                        .max_logit_rows = config.max_logit_rows,
                        .max_sequences = config.max_num_seqs,
                        .max_model_len = config.max_model_len},
                       config.threads)
        .sum();
  }
  static std::string reason(const ResolvedConfig& config, std::string_view name) {
    for (const Decision& decision : config.decisions) {
      if (decision.name == name) return decision.value + ": " + decision.reason;
    }
    return {};
  }

  testing::TestModel model_;
  std::unique_ptr<OpenedModel> opened_ = model_.open();
  MachineFacts machine_ = [] {
    MachineFacts facts;
    facts.cores = 3;
    facts.available_bytes = 1 << 30;
    facts.isas = {kernels::Isa::kScalar, kernels::Isa::kAvx2};
    return facts;
  }();
};

TEST_F(Resolve, AnswersEveryAutoWithAReason) {
  const auto resolved = with({});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(reason(*resolved, "dtype"), "bf16: the checkpoint's");
  EXPECT_EQ(reason(*resolved, "isa"), "avx2: the best of this CPU");
  EXPECT_EQ(reason(*resolved, "threads"), "3: one per core that the process may use");
  EXPECT_EQ(reason(*resolved, "max-model-len"), "256: what the model was made for");
  EXPECT_NE(reason(*resolved, "kv-blocks").find("64 sequences at full length"), std::string::npos);
  EXPECT_GE(resolved->kv_blocks, 64 * 8);
  EXPECT_FALSE(reason(*resolved, "max-num-seqs").empty());
  EXPECT_FALSE(reason(*resolved, "prefill-chunk").empty());
}

// Between the memory that holds them packed and the one that holds them coded they lie there coded.
TEST_F(Resolve, CodedWeightsAreExpandedWhereTheyFit) {
  model::WeightPlan coded = opened_->plan();
  for (model::WeightPlan::Item& item : coded.items) {
    item.entry = nullptr;  // as of a pack
    if (!model::may_be_coded(*item.spec)) continue;
    item.coded_panel_bytes = tensor::coded_panel_bytes(item.spec->cols, 0);
  }
  model::place_items(coded);
  const model::WeightPlan packed = model::expanded_plan(coded);
  ASSERT_GT(packed.memory_bytes, coded.memory_bytes);
  const auto given = [&](int64_t memory) {
    return resolve({.kv_blocks = 8, .memory_bytes = memory}, machine_, opened_->spec(), coded);
  };
  const auto least = [&](auto does) {
    int64_t low = 0, high = 1 << 30;
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      (does(given(middle)) ? high : low) = middle;
    }
    return high;
  };
  const int64_t most = least([](const auto& made) { return made && made->placement.expanded; });
  const int64_t some = least([](const auto& made) { return made && !made->placement.streams(); });
  EXPECT_EQ(most - some, packed.memory_bytes - coded.memory_bytes);
  const auto whole = given(most), beside = given(most - 1);
  ASSERT_TRUE(whole && beside) << refusal_of(beside);
  EXPECT_EQ(whole->placement.resident_bytes, packed.memory_bytes);
  EXPECT_EQ(beside->placement.resident_bytes, coded.memory_bytes);
  EXPECT_EQ(reason(*whole, "coded-weights"), "expanded: all of them fit into memory so");
  EXPECT_EQ(reason(*beside, "coded-weights"), "coded: expanded they do not fit into memory");

  const auto streamed =
      resolve({.weights_on = placement::WeightsOn::kDisk}, machine_, opened_->spec(), coded);
  ASSERT_TRUE(streamed) << refusal_of(streamed);
  EXPECT_TRUE(streamed->placement.streams());
  EXPECT_FALSE(streamed->placement.expanded);

  const auto lowered = lower_ceiling(*whole, coded, most - 1);
  ASSERT_TRUE(lowered) << lowered.error().message();
  EXPECT_TRUE(lowered->moves_weights || lowered->slabs < whole->slabs);
  const auto further = lower_ceiling(*whole, coded, some);
  ASSERT_TRUE(further) << further.error().message();
  EXPECT_TRUE(further->moves_weights);
  EXPECT_FALSE(further->placement.expanded);
}

// A small vocabulary or a large machine: more at once, but no larger pool for it.
TEST_F(Resolve, RunsAsManySequencesAsTheirLogitsAreCheapFor) {
  model::ModelSpec spec = opened_->spec();
  spec.vocab = 100'000;  // 400 kB of logits a sequence
  model::WeightPlan plan = opened_->plan();
  const int64_t weights = plan.memory_bytes = int64_t{8} << 30;
  const auto sequences = [&](int64_t memory, EngineConfig config = {}) {
    machine_.memory_bytes = memory;
    machine_.available_bytes = int64_t{1} << 40;
    const auto resolved = resolve(config, machine_, spec, plan);
    EXPECT_TRUE(resolved) << refusal_of(resolved);
    return resolved ? resolved->max_num_seqs : 0;
  };
  EXPECT_EQ(sequences(0), 64) << "unknown";
  EXPECT_EQ(sequences(weights), 64) << "the weights leave nothing";
  EXPECT_EQ(sequences(weights + 64 * 400'000 * int64_t{100}), 100);
  EXPECT_EQ(sequences(int64_t{1} << 40), 256);
  EXPECT_EQ(sequences(int64_t{1} << 40, {.memory_bytes = weights + (1 << 30)}), 64);
  const auto wide = with({});
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->max_num_seqs, 256);
  EXPECT_EQ(wide->kv_blocks, with({.max_num_seqs = 64})->kv_blocks);
  EXPECT_GT(with({.max_num_seqs = 256})->kv_blocks, wide->kv_blocks);
}

TEST_F(Resolve, FitsRowsIntoTheTokensOfAStep) {
  const auto rows = with({.max_num_batched_tokens = 48});
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->max_num_seqs, 48);
  EXPECT_EQ(rows->prefill_chunk, 48);
  EXPECT_EQ(with({.max_num_seqs = 600})->max_num_batched_tokens, 600);
  EXPECT_NE(refusal({.max_num_seqs = 9, .max_num_batched_tokens = 8})
                .find("--max-num-batched-tokens: got 8, expected at least --max-num-seqs 9"),
            std::string::npos);
  EXPECT_NE(refusal({.prefill_chunk = 20, .max_num_batched_tokens = 8})
                .find("at least --prefill-chunk 20"),
            std::string::npos);
}

TEST_F(Resolve, KeepsWhatWasAsked) {
  const auto resolved = with({.isa = kernels::Isa::kScalar,
                              .threads = 2,
                              .prefill_chunk = 5,
                              .max_num_seqs = 7,
                              .max_num_batched_tokens = 8,
                              .kv_blocks = 9,
                              .max_model_len = 200,
                              .memory_bytes = 200 << 20});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->isa, kernels::Isa::kScalar);
  EXPECT_EQ(resolved->threads, 2);
  EXPECT_EQ(resolved->max_num_batched_tokens, 8);
  EXPECT_EQ(resolved->kv_blocks, 9);
  EXPECT_EQ(resolved->max_model_len, 200);
  EXPECT_EQ(resolved->max_logit_rows, 8) << "for prompts whose logits are wanted";
  for (const Decision& decision : resolved->decisions) {
    EXPECT_TRUE(decision.reason == "as asked" || decision.name == "dtype") << decision.name;
  }
}

TEST_F(Resolve, ShortensTheContextToWhatThePoolHolds) {
  const auto resolved = with({.kv_blocks = 3});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->max_model_len, 96);
  EXPECT_EQ(refusal({.kv_blocks = 3, .max_model_len = 97}),
            "--max-model-len: got 97, expected at most 96 tokens, which the KV pool holds (any "
            "one of: --kv-blocks auto; --max-model-len 96)");
}

TEST_F(Resolve, BuildsVeryLongContextsOnlyIfAsked) {
  model::ModelSpec spec = opened_->spec();
  spec.max_position = 1 << 24;
  machine_.available_bytes = int64_t{1} << 50;
  const auto resolved = resolve({}, machine_, spec, opened_->plan());
  ASSERT_TRUE(resolved);
  EXPECT_EQ(reason(*resolved, "max-model-len"), "1048576: the most without --max-model-len");
  const auto asked = resolve({.max_model_len = 1 << 24}, machine_, spec, opened_->plan());
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->max_model_len, 1 << 24);
}

TEST_F(Resolve, StaysWithinHalfOfTheFreeMemory) {
  machine_.available_bytes = 100 << 20;
  const auto resolved = with({.max_num_seqs = 4000});
  ASSERT_TRUE(resolved);
  EXPECT_LE(resolved->slabs * resolved->slab_plan.slab_bytes, 20 << 20);
  EXPECT_LE(resolved->memory_bytes, 100 << 20);
  EXPECT_NE(reason(*resolved, "kv-blocks").find("half of the memory"), std::string::npos);
}

// Everything that is counted, and what the program itself takes, stays below what was asked for.
TEST_F(Resolve, KeepsEverythingBelowTheCeiling) {
  machine_.process_bytes = 30 << 20;
  for (const int64_t mib : {130, 200, 900}) {
    const auto resolved = with({.max_num_seqs = 4000, .memory_bytes = mib << 20});
    ASSERT_TRUE(resolved) << mib;
    EXPECT_EQ(resolved->memory_bytes, mib << 20);
    EXPECT_GT(resolved->text_bytes, 0);
    const int64_t activations = step_bytes(*resolved);
    EXPECT_LE(resolved->slabs * resolved->slab_plan.slab_bytes + activations +
                  resolved->text_bytes + opened_->plan().memory_bytes + machine_.process_bytes,
              mib << 20);
    EXPECT_EQ(reason(*resolved, "memory").find("as asked") == std::string::npos, false);
  }
  const auto wide = with({.memory_bytes = 900 << 20});
  ASSERT_TRUE(wide);
  EXPECT_NE(reason(*wide, "kv-blocks").find("full length"), std::string::npos)
      << "no more than the sequences can fill";
}

TEST_F(Resolve, SaysWhichCeilingWouldDo) {
  const std::string text = refusal({.memory_bytes = 20 << 20});
  EXPECT_NE(text.find("--memory is too little"), std::string::npos) << text;
  const size_t at = text.find("--memory ", text.find("(")) + 9;
  const int64_t enough = std::stoll(text.substr(at));
  EXPECT_TRUE(with({.memory_bytes = enough << 20})) << text;
  EXPECT_FALSE(with({.memory_bytes = (enough - 8) << 20}));
  EXPECT_NE(refusal({.kv_blocks = 1 << 20, .memory_bytes = 200 << 20}).find("--kv-blocks"),
            std::string::npos);
}

TEST_F(Resolve, CeilingsAboveTheMachineAreRefused) {
  machine_.memory_bytes = 500 << 20;
  EXPECT_NE(refusal({.memory_bytes = 501 << 20}).find("--memory 500MiB"), std::string::npos);
  EXPECT_TRUE(with({.memory_bytes = 500 << 20}));
}

TEST_F(Resolve, RefusesWhatCannotFit) {
  machine_.available_bytes = 100'000;
  EXPECT_NE(refusal({}).find("does not fit into memory"), std::string::npos);
}

TEST_F(Resolve, NamesTheInstructionSetsThereAre) {
  EXPECT_NE(refusal({.isa = kernels::Isa::kAmx}).find("scalar, avx2"), std::string::npos);
}

TEST_F(Resolve, WarnsBeyondWhatTheModelWasMadeFor) {
  const auto resolved = with({.max_model_len = 300});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->max_model_len, 300);
  EXPECT_NE(reason(*resolved, "warning").find("256 positions"), std::string::npos);
}

TEST_F(Resolve, BoundsTheRowsWhoseLogitsAreKept) {
  const auto resolved = with({.max_num_seqs = 4, .all_logits = true});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->max_logit_rows, resolved->max_num_batched_tokens);
}

TEST_F(Resolve, KeepsLogitsOfGuessesAsFarAsTheyFit) {
  EngineConfig config{.max_num_seqs = 16, .speculation = {.method = "ngram", .tokens = 6}};
  EXPECT_EQ(with(config)->max_logit_rows, 112);
  EXPECT_NE(reason(*with(config), "speculative").find("up to 6 guesses"), std::string::npos);
  config.prefill_chunk = config.max_num_batched_tokens = 20;
  EXPECT_EQ(with(config)->max_logit_rows, 20);
}

TEST_F(Resolve, SharesTheBudgetWithTheModelThatGuesses) {
  const auto draft = model_.open();
  const auto resolved_with = [&](const OpenedModel* guessing) {
    return resolve({.max_num_seqs = 64, .speculation = {.method = "model"}}, machine_,
                   opened_->spec(), opened_->plan(), guessing);
  };
  // The program, three threads, and the least that text gets.
  const int64_t beside = (48 + 3 + 16) << 20;
  machine_.available_bytes = beside + (48 << 20);
  const auto alone = resolved_with(nullptr), shared = resolved_with(draft.get());
  ASSERT_TRUE(alone && shared);
  EXPECT_EQ(alone->draft.slabs, 0);
  EXPECT_GT(shared->draft.slabs, 0);
  EXPECT_LE((shared->slabs + shared->draft.slabs) * shared->slab_plan.slab_bytes, 24 << 20);
  EXPECT_LT(shared->slabs, alone->slabs);
  EXPECT_GE(shared->draft.slabs + 1, shared->slabs);  // the last one may be in part
  machine_.available_bytes =
      beside + opened_->plan().memory_bytes +
      step_memory(
          opened_->spec(), opened_->plan().kind,
          {.max_rows = 512, .max_logit_rows = 320, .max_sequences = 64, .max_model_len = 256}, 3)
          .sum() +
      (12 << 20);
  EXPECT_TRUE(resolved_with(nullptr));
  machine_.available_bytes -= (12 << 20) - opened_->plan().memory_bytes;
  EXPECT_NE(refusal_of(resolved_with(draft.get())).find("does not fit into memory"),
            std::string::npos);
}

// As of a model whose layers' parts take 40 MiB each.
model::WeightPlan large_plan(const model::WeightPlan& small) {
  model::WeightPlan plan = small;
  for (model::WeightUnit& unit : plan.cut.units) unit.padded_bytes = 40 << 20;
  plan.memory_bytes = plan.cut.bytes = static_cast<int64_t>(plan.cut.units.size()) * (40 << 20);
  return plan;
}

TEST_F(Resolve, StreamsWeightsThatDoNotFitAndKeepsTheCeiling) {
  const model::WeightPlan plan = large_plan(opened_->plan());
  bool streamed = false, in_memory = false;
  for (int64_t mib = 240; mib < 900; mib += 20) {
    const auto resolved = resolve({.memory_bytes = mib << 20}, machine_, opened_->spec(), plan);
    ASSERT_TRUE(resolved) << refusal_of(resolved);
    const placement::PlacementPlan& placed = resolved->placement;
    const int64_t activations = step_bytes(*resolved);
    EXPECT_LE(placed.bytes() + resolved->slabs * resolved->slab_plan.slab_bytes + activations +
                  resolved->text_bytes,
              mib << 20);
    EXPECT_EQ(placed.streams(), !reason(*resolved, "weights-on").empty());
    EXPECT_FALSE(in_memory && placed.streams()) << "more memory, and fewer residents";
    streamed |= placed.streams();
    in_memory |= !placed.streams();
  }
  EXPECT_TRUE(streamed && in_memory);
}

TEST_F(Resolve, TextGivesWayToResidentsOfALargeModel) {
  model::WeightPlan plan = large_plan(opened_->plan());
  const auto text = [&](int64_t ceiling) {
    const auto resolved = resolve({.memory_bytes = ceiling}, machine_, opened_->spec(), plan);
    EXPECT_TRUE(resolved) << refusal_of(resolved);
    return resolved ? resolved->text_bytes : 0;
  };
  constexpr int64_t kGib = 1 << 30;
  EXPECT_EQ(text(8 * kGib), kGib / 2);
  plan.memory_bytes = 9 * kGib;
  EXPECT_EQ(text(8 * kGib), kGib / 4);
  EXPECT_EQ(text(2 * kGib), kGib / 8) << "a sixteenth is less";
}

// A ceiling that all but the embedding fits under: the pool is as large as beside weights in
// memory.
TEST_F(Resolve, EmbeddingLeavesMemoryFirstAndTakesNoRing) {
  model::WeightPlan plan = large_plan(opened_->plan());
  plan.cut.units.front().padded_bytes = 300 << 20;
  plan.memory_bytes += 260 << 20;
  int gathering = 0;
  for (int64_t mib = 400; mib < 1000; mib += 20) {
    const auto resolved = resolve({.memory_bytes = mib << 20}, machine_, opened_->spec(), plan);
    ASSERT_TRUE(resolved) << refusal_of(resolved);
    const placement::PlacementPlan& placed = resolved->placement;
    if (!placed.gathers() || placed.streamed_bytes > 0) continue;
    gathering++;
    EXPECT_EQ(std::ranges::count(placed.resident, false), 1);
    EXPECT_EQ(placed.ring_bytes, 0);
    EXPECT_NE(reason(*resolved, "weights-on").find("rows of the embedding are gathered"),
              std::string::npos);
    EXPECT_TRUE(reason(*resolved, "ring-bytes").empty());
  }
  EXPECT_GE(gathering, 10) << "over about 300 MiB of ceilings";
}

TEST_F(Resolve, WeightsLiveWhereTheyAreAskedTo) {
  const auto disk = with({.weights_on = placement::WeightsOn::kDisk});
  ASSERT_TRUE(disk);
  EXPECT_TRUE(disk->placement.streams());
  EXPECT_NE(reason(*disk, "weights-on").find("disk: 0 of"), std::string::npos);
  EXPECT_FALSE(with({})->placement.streams());
  const model::WeightPlan plan = large_plan(opened_->plan());
  const EngineConfig ram{.memory_bytes = 300 << 20, .weights_on = placement::WeightsOn::kRam};
  EXPECT_NE(refusal_of(resolve(ram, machine_, opened_->spec(), plan)).find("--weights-on auto"),
            std::string::npos);
}

TEST_F(Resolve, RingThatHoldsNothingIsRefused) {
  EXPECT_NE(refusal({.weights_on = placement::WeightsOn::kRam, .ring_bytes = 8 << 20})
                .find("--ring-bytes: got --weights-on ram"),
            std::string::npos);
  EXPECT_TRUE(with({.weights_on = placement::WeightsOn::kDisk, .ring_bytes = 8 << 20}));
}

TEST(Machine, IsSeen) {
  const MachineFacts facts = look_at_machine(real_env());
  EXPECT_GE(facts.cores, 1);
  EXPECT_GT(facts.memory_bytes, 0);
  EXPECT_GT(facts.available_bytes, 0);
  EXPECT_LE(facts.available_bytes, facts.memory_bytes);
  EXPECT_EQ(facts.isas.front(), kernels::Isa::kScalar);
}

}  // namespace
}  // namespace strata::engine
