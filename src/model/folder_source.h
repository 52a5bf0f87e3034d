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
#include "model/relay.h"
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
  const std::vector<memory::StoredUnit>& parts() const override { return parts_; }
  bool ready_made() const override { return false; }
  Result<void> finish(size_t part, memory::RawUnit raw, std::span<std::byte> out) const override;

 private:
  FolderSource(const WeightPlan& plan, ComputePool& pool, void (*pack)(const tensor::PackArgs&))
      : plan_(&plan), pool_(&pool), pack_(pack) {}
  void add_unit(const WeightUnit& unit);
  void add_head_parts();

  const WeightPlan* plan_;
  ComputePool* pool_;
  void (*pack_)(const tensor::PackArgs&);
  std::vector<std::string> paths_;
  /// What finishing a part lays.
  struct Laying {
    const WeightUnit* unit = nullptr;
    const HeadPart* rows = nullptr;              // of the unit's matrix; null: the whole unit
    std::vector<const WeightPlan::Item*> items;  // of each piece
  };
  std::vector<RowRun> runs_of(const Laying& laying) const;

  std::vector<memory::StoredUnit> units_;
  std::vector<memory::StoredUnit> parts_;
  std::vector<Laying> layings_;  // of each part
};

}  // namespace strata::model
