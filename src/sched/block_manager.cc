// Reference counts, deferred releases, the prefix index and its eviction.
#include "sched/block_manager.h"

#include <algorithm>

#include "base/check.h"

namespace strata::sched {
namespace {

int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

}  // namespace

BlockManager::BlockManager(int64_t slabs, const std::vector<int64_t>& frames_per_slab, Plant plant)
    : frames_(slabs, frames_per_slab),
      plant_(plant),
      live_(frames_per_slab.size(), 0),
      index_(frames_per_slab.size()),
      unused_(frames_per_slab.size()) {}

int64_t BlockManager::slabs_for(int group, int64_t blocks) const {
  return divide_up(blocks, frames_.frames_per_slab(group));
}

// Oldest first, of any group: which slabs that empties is not foreseen.
bool BlockManager::obey_limit() {
  while (frames_.owned_slabs() > frames_.limit()) {
    const Unused* oldest = oldest_unused();
    if (oldest == nullptr) return false;
    evict(oldest->begin()->second);
  }
  return true;
}

bool BlockManager::can_ever_hold(const BlockDemand& demand) const {
  int64_t slabs = 0;
  for (int g = 0; g < groups(); g++) slabs += slabs_for(g, demand[static_cast<size_t>(g)]);
  return slabs <= frames_.limit();
}

Refusal BlockManager::explain(RequestId request, const BlockDemand& demand) const {
  int largest = 0;
  int64_t others = 0;
  for (int g = 0; g < groups(); g++) {
    const int64_t slabs = slabs_for(g, demand[static_cast<size_t>(g)]);
    others += slabs;
    if (slabs > slabs_for(largest, demand[static_cast<size_t>(largest)])) largest = g;
  }
  const int64_t needed = demand[static_cast<size_t>(largest)];
  others -= slabs_for(largest, needed);
  const int64_t left = std::max<int64_t>(0, frames_.limit() - others);
  return {.request = request,
          .needed_blocks = needed,
          .pool_blocks = left * frames_.frames_per_slab(largest)};
}

bool BlockManager::fits(const BlockDemand& more) const {
  int64_t slabs = 0;
  for (int g = 0; g < groups(); g++) {
    const int64_t beyond = more[static_cast<size_t>(g)] - frames_.holes(g) - cached_blocks(g);
    if (beyond > 0) slabs += slabs_for(g, beyond);
  }
  return slabs <= frames_.free_slabs();
}

std::optional<BlockId> BlockManager::allocate(int group) {
  std::optional<int64_t> frame = frames_.take(group);
  while (!frame && evict_for(group)) frame = frames_.take(group);
  if (!frame) return std::nullopt;
  if (spare_.empty()) {
    spare_.push_back(static_cast<BlockId>(records_.size()));
    records_.emplace_back();
  }
  const BlockId block = spare_.back();
  spare_.pop_back();
  record(block) = {.group = group, .frame = *frame, .references = 1};
  live_[static_cast<size_t>(group)]++;
  allocated_.push_back({.group = group, .block = block, .frame = *frame});
  return block;
}

// One block less: the group's own leaves a hole for certain, another group's only with the last one
// of a slab.
bool BlockManager::evict_for(int group) {
  const Unused& own = unused_[static_cast<size_t>(group)];
  const Unused* from = own.empty() ? oldest_unused() : &own;
  if (from == nullptr) return false;
  evict(from->begin()->second);
  return true;
}

// The group whose block has been without references for longest; null where there is none.
const BlockManager::Unused* BlockManager::oldest_unused() const {
  const Unused* oldest = nullptr;
  for (const Unused& unused : unused_) {
    if (unused.empty()) continue;
    if (oldest == nullptr || *unused.begin() < *oldest->begin()) oldest = &unused;
  }
  return oldest;
}

void BlockManager::evict(BlockId block) {
  const Record& cached = record(block);
  const auto g = static_cast<size_t>(cached.group);
  unused_[g].erase({cached.unused_since, block});
  if (plant_ != Plant::kStalePrefixHit) index_[g].erase(*cached.hash);
  free(block);
}

void BlockManager::evict_all() {
  for (Unused& unused : unused_) {
    while (!unused.empty()) evict(unused.begin()->second);
  }
}

// A block that came and went between two plans is no news to the worker.
void BlockManager::unpublish_all() {
  evict_all();
  for (Record& held : records_) held.hash.reset();
  for (auto& index : index_) index.clear();
}

void BlockManager::free(BlockId block) {
  Record& old = record(block);
  const BlockPlace place{.group = old.group, .block = block, .frame = old.frame};
  if (std::erase(allocated_, place) == 0) freed_.push_back(place);
  frames_.give_back(old.group, old.frame);
  old = {};
  spare_.push_back(block);
}

void BlockManager::retain(BlockId block) {
  Record& held = record(block);
  CHECK(held.frame >= 0, "a reference to a free block");
  if (held.references++ > 0) return;
  const auto g = static_cast<size_t>(held.group);
  unused_[g].erase({held.unused_since, block});
  live_[g]++;
}

void BlockManager::release(BlockId block) {
  Record& held = record(block);
  const bool shared = held.references > 1;
  if (plant_ == Plant::kLostDecref && shared) return;
  // What follows from a planted bug is the audit's to find.
  if (plant_ != Plant::kNone && held.references == 0) return;
  if (plant_ == Plant::kDoubleFree && shared) held.references--;
  CHECK(held.references > 0, "a block released too often");
  if (--held.references > 0) return;
  const auto g = static_cast<size_t>(held.group);
  live_[g]--;
  if (!held.hash) {
    free(block);
    return;
  }
  held.unused_since = ++clock_;
  unused_[g].emplace(held.unused_since, block);
}

void BlockManager::release_after(BlockId block, PlanId plan) {
  if (plant_ == Plant::kEarlyFree) {
    release(block);
    return;
  }
  deferred_.push_back({plan, block});
}

void BlockManager::complete(PlanId plan) {
  for (const Deferred& deferred : deferred_) {
    if (deferred.plan <= plan) release(deferred.block);
  }
  std::erase_if(deferred_, [plan](const Deferred& deferred) { return deferred.plan <= plan; });
}

void BlockManager::publish(BlockId block, const BlockHash& hash) {
  Record& full = record(block);
  CHECK(full.references > 0, "a block is published by one who does not hold it");
  const auto g = static_cast<size_t>(full.group);
  if (!full.hash && index_[g].emplace(hash, block).second) full.hash = hash;
}

int64_t BlockManager::shared_blocks(int group) const {
  return std::ranges::count_if(records_, [group](const Record& block) {
    return block.group == group && block.references > 1;
  });
}

std::optional<BlockId> BlockManager::find(int group, const BlockHash& hash) const {
  const auto& index = index_[static_cast<size_t>(group)];
  const auto found = index.find(hash);
  // The frame is missing under Plant::kStalePrefixHit only.
  if (found == index.end() || frame(found->second) < 0) return std::nullopt;
  return found->second;
}

}  // namespace strata::sched
