// Reference counts, promises and deferred releases.
#include "sched/block_manager.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata::sched {
namespace {

int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

}  // namespace

BlockManager::BlockManager(int64_t slabs, const std::vector<int64_t>& frames_per_slab)
    : frames_(slabs, frames_per_slab),
      live_(frames_per_slab.size(), 0),
      reserved_(frames_per_slab.size(), 0) {}

int64_t BlockManager::slabs_for(int group, int64_t blocks) const {
  return divide_up(blocks, frames_.frames_per_slab(group));
}

bool BlockManager::can_ever_hold(const BlockDemand& demand) const {
  int64_t slabs = 0;
  for (int g = 0; g < groups(); g++) slabs += slabs_for(g, demand[static_cast<size_t>(g)]);
  return slabs <= frames_.slabs();
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
  const int64_t left = std::max<int64_t>(0, frames_.slabs() - others);
  return {.request = request,
          .needed_blocks = needed,
          .pool_blocks = left * frames_.frames_per_slab(largest)};
}

// A group takes another slab only when all frames of its slabs are taken, and it never has more
// frames than promised: so it owns at most the larger of what it owns now and what its promises
// need. Both bounds together are safe for ever after.
int64_t BlockManager::slabs_needed(const BlockDemand& more) const {
  int64_t slabs = 0;
  for (int g = 0; g < groups(); g++) {
    const auto i = static_cast<size_t>(g);
    const int64_t promised = slabs_for(g, reserved_[i] + more[i]);
    slabs += std::max(promised, frames_.owned_slabs(g));
  }
  return slabs;
}

bool BlockManager::reserve(const BlockDemand& demand) {
  if (slabs_needed(demand) > frames_.slabs()) return false;
  for (size_t g = 0; g < demand.size(); g++) reserved_[g] += demand[g];
  return true;
}

void BlockManager::unreserve(const BlockDemand& demand) {
  for (size_t g = 0; g < demand.size(); g++) {
    reserved_[g] -= demand[g];
    CHECK(reserved_[g] >= live_[g], "a promise ended before its blocks were released");
  }
}

BlockId BlockManager::allocate(int group) {
  const auto g = static_cast<size_t>(group);
  CHECK(live_[g] < reserved_[g], "a block beyond what was promised");
  const std::optional<int64_t> frame = frames_.take(group);
  CHECK(frame.has_value(), "a promised block has no frame");
  if (spare_.empty()) {
    spare_.push_back(static_cast<BlockId>(records_.size()));
    records_.emplace_back();
  }
  const BlockId block = spare_.back();
  spare_.pop_back();
  record(block) = {.group = group, .frame = *frame, .references = 1};
  live_[g]++;
  allocated_.push_back({.group = group, .block = block, .frame = *frame});
  return block;
}

void BlockManager::retain(BlockId block) {
  CHECK(record(block).references > 0, "a reference to a free block");
  record(block).references++;
}

void BlockManager::release(BlockId block) {
  Record& held = record(block);
  CHECK(held.references > 0, "a block released too often");
  if (--held.references > 0) return;
  freed_.push_back({.group = held.group, .block = block, .frame = held.frame});
  frames_.give_back(held.group, held.frame);
  live_[static_cast<size_t>(held.group)]--;
  held.frame = -1;
  spare_.push_back(block);
}

void BlockManager::release_after(BlockId block, PlanId plan) { deferred_.push_back({plan, block}); }

void BlockManager::complete(PlanId plan) {
  for (const Deferred& deferred : deferred_) {
    if (deferred.plan <= plan) release(deferred.block);
  }
  std::erase_if(deferred_, [plan](const Deferred& deferred) { return deferred.plan <= plan; });
}

}  // namespace strata::sched
