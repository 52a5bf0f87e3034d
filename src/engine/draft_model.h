// Guesses by a smaller model with the same vocabulary: weights, KV pool and logits of its own
// beside the worker's, the same threads and kernels. Runs behind a step, for sequences that may
// guess; its draws use the sequence's own generator, so where the models agree the guess is the
// token.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/compute_pool.h"
#include "base/status.h"
#include "device/device.h"
#include "engine/batch.h"
#include "engine/drafter.h"
#include "engine/opened_model.h"
#include "engine/resolve.h"
#include "kernels/kernel_table.h"
#include "memory/account.h"
#include "memory/kv_pool.h"
#include "model/forward.h"
#include "sampling/sampler.h"
#include "sched/block_manager.h"

namespace strata::engine {

/// What the worker shares with its draft model; all of it must outlive the model.
struct DraftSetup {
  device::Device& device;
  const kernels::KernelTable& table;
  ComputePool& pool;
  memory::MemoryAccount& account;
  const ResolvedConfig& config;
};

class DraftModel final : public Drafter {
 public:
  /// Loads the weights and takes the memory that `config.draft` says, charged to the account.
  static Result<std::unique_ptr<DraftModel>> create(const OpenedModel& opened,
                                                    const DraftSetup& setup);

  /// A sequence without room in the pool has no guesses and starts over when there is room.
  void draft(std::span<DraftTask> tasks) override;
  void forget(sched::SequenceId sequence) override;

  const memory::KvPool& kv_pool() const { return *kv_pool_; }

 private:
  struct Sequence {
    std::vector<int32_t> tokens{};  // the sequence's, then guesses
    int64_t known = 0;              // of the tokens, when it was last asked
    int64_t computed = 0;           // leading tokens whose keys and values are there
    std::vector<std::vector<sched::BlockId>> tables{};  // per KV group
  };
  /// A task under way.
  struct Lane {
    DraftTask* task = nullptr;
    Sequence* sequence = nullptr;
    sampling::DecodeState state;
    bool over = false;
  };

  explicit DraftModel(const DraftSetup& setup);
  static void catch_up(Sequence& sequence, std::span<const int32_t> tokens);
  bool hold_blocks(Sequence& sequence, int64_t end);
  void move_frames();
  sched::StepPlan plan_rows(const std::vector<Lane>& lanes) const;
  void run(const sched::StepPlan& plan);
  void guess(const sched::StepPlan& plan, std::vector<Lane>& lanes);

  device::Device& device_;
  ComputePool& pool_;
  int64_t max_rows_;
  int64_t block_tokens_;
  std::unique_ptr<model::Model> model_;
  std::unique_ptr<memory::KvPool> kv_pool_;
  sched::BlockManager blocks_;
  device::Buffer workspace_;
  device::Buffer logits_;
  std::vector<memory::Charge> charges_;
  std::vector<sampling::SamplerScratch> scratch_;  // per thread
  Batch batch_;
  std::map<sched::SequenceId, Sequence> sequences_;
};

}  // namespace strata::engine
