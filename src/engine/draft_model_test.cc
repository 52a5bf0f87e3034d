// What a model guesses depends on a sequence's tokens alone: not on guesses that were wrong, on
// those beside it, or on what its cache has lost.
#include "engine/draft_model.h"

#include <gtest/gtest.h>

#include <random>

#include "device/cpu_device.h"
#include "engine/test_running.h"

namespace strata::engine {
namespace {

using testing::prompt;
using testing::Running;

class DraftModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto resolved =
        resolve({.threads = 1,
                 .prefill_chunk = 16,
                 .max_num_seqs = 4,
                 .kv_blocks = 9,
                 .speculation = {.method = "model"}},
                testing::small_machine(), opened_->spec(), opened_->plan(), opened_.get());
    ASSERT_TRUE(resolved) << resolved.error().message();
    config_ = std::move(*resolved);
    auto table = kernels::make_cpu_kernel_table(config_.isa);
    ASSERT_TRUE(table);
    table_ = std::make_unique<kernels::KernelTable>(std::move(*table));
    auto pool = ComputePool::create(1);
    ASSERT_TRUE(pool);
    pool_ = std::move(*pool);
  }
  std::unique_ptr<DraftModel> make() {
    auto made = DraftModel::create(*opened_, {device_, *table_, *pool_, account_, config_});
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
  }

  // One sequence as the worker has it.
  struct Played {
    std::vector<int32_t> tokens;
    sampling::DecodeState state;
    void add(int32_t token) {
      tokens.push_back(token);
      state.commit(token);
    }
  };
  static Played play(int64_t tokens, uint32_t seed) {
    Played made{prompt(tokens, seed), sampling::DecodeState(sampling::make_decode_request(
                                          {.temperature = seed % 2 == 0 ? 0.0 : 1.0, .seed = seed},
                                          prompt(tokens, seed), {}))};
    return made;
  }
  static DraftTask task(int64_t id, const Played& played, int64_t most) {
    return {.sequence = static_cast<sched::SequenceId>(id),
            .tokens = played.tokens,
            .state = &played.state,
            .most = most};
  }

  std::unique_ptr<OpenedModel> opened_ = Running::shared_model().open();
  ResolvedConfig config_;
  memory::MemoryAccount account_;
  device::CpuDevice device_;
  std::unique_ptr<kernels::KernelTable> table_;
  std::unique_ptr<ComputePool> pool_;
};

TEST_F(DraftModelTest, GuessesFollowFromTheTokensAlone) {
  const auto kept = make();
  std::mt19937 random(3);
  std::vector<Played> sequences = {play(40, 1), play(3, 2), play(33, 3)};
  int guesses = 0;
  for (int round = 0; round < 30; round++) {
    std::vector<DraftTask> tasks, alone;
    for (size_t i = 0; i < sequences.size(); i++) {
      if (random() % 4 == 0) {  // goes on without guesses
        for (auto more = random() % 3; more > 0; more--) {
          sequences[i].add(static_cast<int32_t>(random() % 97));
        }
        continue;
      }
      if (random() % 10 == 0) kept->forget(static_cast<sched::SequenceId>(i));
      const auto most = static_cast<int64_t>(1 + random() % 5);
      tasks.push_back(task(static_cast<int64_t>(i), sequences[i], most));
      alone.push_back(tasks.back());
    }
    kept->draft(tasks);
    for (size_t i = 0; i < tasks.size(); i++) {
      make()->draft({&alone[i], 1});
      ASSERT_EQ(tasks[i].drafts, alone[i].drafts) << "round " << round;
      ASSERT_EQ(std::ssize(tasks[i].drafts), tasks[i].most);
      Played& played = sequences[static_cast<size_t>(tasks[i].sequence)];
      const size_t right = random() % (tasks[i].drafts.size() + 1);
      for (size_t j = 0; j < right; j++) {
        played.add(tasks[i].drafts[j]);
        guesses++;
      }
      // Of guesses that got no row one may be what is drawn.
      const bool next = random() % 2 == 0 && right < tasks[i].drafts.size();
      played.add(next ? tasks[i].drafts[right] : static_cast<int32_t>(random() % 97));
    }
  }
  EXPECT_GT(guesses, 50);
}

// 9 blocks of each group, of which two sequences want 5: the second has no guesses until the first
// is gone.
TEST_F(DraftModelTest, WithoutRoomThereAreNoGuesses) {
  config_.draft.slabs = 2;
  config_.draft.slab_plan.frames_per_slab.assign(2, 9);
  const auto model = make();
  const Played first = play(150, 1), second = play(140, 2);
  std::vector<DraftTask> tasks = {task(1, first, 2), task(2, second, 2)};
  model->draft(tasks);
  EXPECT_EQ(tasks[0].drafts.size(), 2u);
  EXPECT_EQ(tasks[1].drafts.size(), 0u);
  EXPECT_EQ(model->kv_pool().frames_in_use(0), 5);
  model->forget(static_cast<sched::SequenceId>(1));
  EXPECT_EQ(model->kv_pool().frames_in_use(0) + model->kv_pool().frames_in_use(1), 0);
  model->draft({&tasks[1], 1});
  EXPECT_EQ(tasks[1].drafts.size(), 2u);
}

}  // namespace
}  // namespace strata::engine
