// Logical KV blocks: who refers to them, in which frame each lies, and which full ones can be found
// again by the hash of their content (the prefix cache). A cached block without a reference keeps
// its frame until somebody needs it. Sees hashes, never tokens or bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sched/frame_allocator.h"
#include "sched/plant.h"
#include "sched/types.h"

namespace strata::sched {

/// Blocks per KV group.
using BlockDemand = std::vector<int64_t>;

class BlockManager {
 public:
  BlockManager(int64_t slabs, const std::vector<int64_t>& frames_per_slab,
               Plant plant = Plant::kNone);

  int groups() const { return frames_.groups(); }

  /// At most so many slabs are used once obey_limit() has returned true.
  void set_slab_limit(int64_t slabs) { frames_.set_limit(slabs); }
  int64_t slab_limit() const { return frames_.limit(); }
  /// Gives up cached blocks until the limit holds; false where blocks with references lie in more
  /// slabs.
  bool obey_limit();

  /// Whether an empty pool, within its limit, could hold the demand.
  bool can_ever_hold(const BlockDemand& demand) const;
  /// For a demand that can never be held: of the group that needs most, what it needs and what the
  /// others would leave it.
  Refusal explain(RequestId request, const BlockDemand& demand) const;
  /// Whether that many more blocks fit now, cached ones without references given up.
  bool fits(const BlockDemand& more) const;

  /// A new block with one reference; evicts cached blocks where no frame is free, of the group
  /// itself before those of others. nullopt where that does not help either.
  std::optional<BlockId> allocate(int group);
  void retain(BlockId block);
  /// Drops a reference; with the last one the frame is free at once, or the block cached.
  void release(BlockId block);
  /// Drops the reference once `plan`, the last one that could read the block, has completed.
  void release_after(BlockId block, PlanId plan);
  /// Plans up to this one have completed.
  void complete(PlanId plan);
  /// References that wait for a plan.
  int64_t deferred() const { return static_cast<int64_t>(deferred_.size()); }

  /// The block can be found by the hash from now on. Nothing happens where one with that content
  /// can be found already.
  void publish(BlockId block, const BlockHash& hash);
  /// The block with that content; it may have no reference: retain() it before anything else.
  std::optional<BlockId> find(int group, const BlockHash& hash) const;
  /// Whether rows may be written into it: nobody else refers to it or could find it.
  bool writable(BlockId block) const {
    return record(block).references == 1 && !record(block).hash;
  }
  /// Gives up all cached blocks without references.
  void evict_all();
  /// No block can be found by its hash any more; those without references are free.
  void unpublish_all();

  int64_t frame(BlockId block) const { return record(block).frame; }
  int64_t references(BlockId block) const { return record(block).references; }
  /// Blocks with references.
  int64_t live_blocks(int group) const { return live_[static_cast<size_t>(group)]; }
  /// Blocks without references that can be found by their hash.
  int64_t cached_blocks(int group) const {
    return static_cast<int64_t>(unused_[static_cast<size_t>(group)].size());
  }

  /// Blocks with more than one reference; looks at every block.
  int64_t shared_blocks(int group) const;
  /// Frames that no block has, in slabs of the group and in those that any group may take.
  int64_t free_blocks(int group) const {
    return frames_.holes(group) + frames_.free_slabs() * frames_.frames_per_slab(group);
  }
  int64_t owned_slabs(int group) const { return frames_.owned_slabs(group); }

  /// What changed since the last call, for the next plan: freed before allocated.
  std::vector<BlockPlace> take_freed() { return std::exchange(freed_, {}); }
  std::vector<BlockPlace> take_allocated() { return std::exchange(allocated_, {}); }

  /// The first thing that contradicts itself, or that contradicts `holders` (references per block
  /// id that sequences hold); empty where everything balances. For simulators and tests.
  std::string audit(std::vector<int64_t> holders) const;

 private:
  struct Record {
    int group = 0;
    int64_t frame = -1;  // -1: no block has this id
    int64_t references = 0;
    std::optional<BlockHash> hash{};  // set: in the index
    uint64_t unused_since = 0;        // without references: place in the order of eviction
  };
  struct Deferred {
    PlanId plan{};
    BlockId block{};
  };
  // Hashes are random bits already.
  struct HashBits {
    size_t operator()(const BlockHash& hash) const { return static_cast<size_t>(hash.low); }
  };
  using Unused = std::set<std::pair<uint64_t, BlockId>>;

  const Record& record(BlockId block) const { return records_[static_cast<size_t>(value(block))]; }
  Record& record(BlockId block) { return records_[static_cast<size_t>(value(block))]; }
  int64_t slabs_for(int group, int64_t blocks) const;
  bool evict_for(int group);
  const Unused* oldest_unused() const;
  void evict(BlockId block);
  void free(BlockId block);
  std::string audit_record(size_t id, int64_t holders) const;

  FrameAllocator frames_;
  Plant plant_;
  std::vector<Record> records_;                                          // by block id
  std::vector<BlockId> spare_;                                           // ids without a block
  std::vector<int64_t> live_;                                            // per group
  std::vector<std::unordered_map<BlockHash, BlockId, HashBits>> index_;  // per group
  std::vector<Unused> unused_;  // per group: cached without references, oldest first
  uint64_t clock_ = 0;          // counts releases
  std::vector<Deferred> deferred_;
  std::vector<BlockPlace> freed_;
  std::vector<BlockPlace> allocated_;
};

}  // namespace strata::sched
