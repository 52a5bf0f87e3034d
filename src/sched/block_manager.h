// Logical KV blocks: who refers to them, in which frame each lies, and what is promised to
// sequences that run. Blocks are taken first come, first served out of reservations made at
// admission, so a running sequence never waits for a block. Knows no tokens and no bytes.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sched/frame_allocator.h"
#include "sched/types.h"

namespace strata::sched {

/// Blocks per KV group that a sequence may hold at once.
using BlockDemand = std::vector<int64_t>;

class BlockManager {
 public:
  BlockManager(int64_t slabs, const std::vector<int64_t>& frames_per_slab);

  int groups() const { return frames_.groups(); }

  /// Whether an empty pool could hold the demand.
  bool can_ever_hold(const BlockDemand& demand) const;
  /// For a demand that can never be held: of the group that needs most, what it needs and what the
  /// others would leave it.
  Refusal explain(RequestId request, const BlockDemand& demand) const;
  /// Promises the demand; false (and nothing changes) where it does not fit beside what is promised
  /// already.
  bool reserve(const BlockDemand& demand);
  /// Ends a promise; its blocks must have been released.
  void unreserve(const BlockDemand& demand);

  /// A new block with one reference, within a promise made before.
  BlockId allocate(int group);
  void retain(BlockId block);
  /// Drops a reference; with the last one the frame is free at once.
  void release(BlockId block);
  /// Drops the reference once `plan`, the last one that could read the block, has completed.
  void release_after(BlockId block, PlanId plan);
  /// Plans up to this one have completed.
  void complete(PlanId plan);

  int64_t frame(BlockId block) const { return record(block).frame; }
  int64_t references(BlockId block) const { return record(block).references; }
  int64_t live_blocks(int group) const { return live_[static_cast<size_t>(group)]; }
  int64_t reserved_blocks(int group) const { return reserved_[static_cast<size_t>(group)]; }

  /// What changed since the last call, for the next plan.
  std::vector<BlockPlace> take_freed() { return std::exchange(freed_, {}); }
  std::vector<BlockPlace> take_allocated() { return std::exchange(allocated_, {}); }

 private:
  struct Record {
    int group = 0;
    int64_t frame = -1;
    int64_t references = 0;
  };
  struct Deferred {
    PlanId plan{};
    BlockId block{};
  };

  const Record& record(BlockId block) const { return records_[static_cast<size_t>(value(block))]; }
  Record& record(BlockId block) { return records_[static_cast<size_t>(value(block))]; }
  int64_t slabs_for(int group, int64_t blocks) const;
  int64_t slabs_needed(const BlockDemand& more) const;

  FrameAllocator frames_;
  std::vector<Record> records_;    // by block id
  std::vector<BlockId> spare_;     // ids without a block
  std::vector<int64_t> live_;      // per group
  std::vector<int64_t> reserved_;  // per group
  std::vector<Deferred> deferred_;
  std::vector<BlockPlace> freed_;
  std::vector<BlockPlace> allocated_;
};

}  // namespace strata::sched
