// A checkpoint's files as units that memory can stream: each tensor is a piece of its unit, and
// what was read is re-laid into compute layout by the compute threads. Reads nothing itself.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/compute_pool.h"
#include "base/env.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "memory/unit_source.h"
#include "model/weights.h"

namespace strata::model {

/// `plan` and `pool` must outlive it; finish() is called by the pool's own thread.
class FolderSource : public memory::UnitSource {
 public:
  /// `folder`: the checkpoint's. Fails where a file's path cannot be resolved any more.
  static Result<FolderSource> create(Env& env, const std::string& folder,
                                     const checkpoint::Checkpoint& checkpoint,
                                     const WeightPlan& plan, ComputePool& pool,
                                     void (*pack)(const tensor::PackArgs&));

  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<memory::StoredUnit>& units() const override { return units_; }
  bool ready_made() const override { return false; }
  Result<void> finish(size_t unit, memory::RawUnit raw, std::span<std::byte> out) const override;
  /// Checkpoints have none.
  uint64_t checksum(memory::RawUnit) const override { return 0; }

 private:
  FolderSource(const WeightPlan& plan, ComputePool& pool, void (*pack)(const tensor::PackArgs&))
      : plan_(&plan), pool_(&pool), pack_(pack) {}
  void add_unit(const WeightUnit& unit);

  const WeightPlan* plan_;
  ComputePool* pool_;
  void (*pack_)(const tensor::PackArgs&);
  std::vector<std::string> paths_;
  std::vector<memory::StoredUnit> units_;
  /// Per unit: the plan's item of each piece.
  std::vector<std::vector<const WeightPlan::Item*>> items_;
};

}  // namespace strata::model
