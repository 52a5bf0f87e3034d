// What must hold between two steps, checked from scratch: for simulators and tests, never in the
// product's way. Finds contradictions inside the scheduler; what plans do to frames is the
// simulator's to check.
#include <fmt/core.h>

#include <map>
#include <string>
#include <utility>

#include "sched/scheduler.h"

namespace strata::sched {

std::string BlockManager::audit_record(size_t id, int64_t holders) const {
  const Record& block = records_[id];
  if (block.references != holders) {
    return fmt::format("block {} counts {} references, {} exist", id, block.references, holders);
  }
  if (block.frame < 0) return {};
  const auto name = static_cast<BlockId>(id);
  const auto g = static_cast<size_t>(block.group);
  const bool unused = unused_[g].contains({block.unused_since, name});
  if (unused != (block.references == 0)) return fmt::format("block {} is lost", id);
  if (!block.hash) return {};
  const auto found = index_[g].find(*block.hash);
  const bool indexed = found != index_[g].end() && found->second == name;
  return indexed ? std::string() : fmt::format("block {} cannot be found by its hash", id);
}

std::string BlockManager::audit(std::vector<int64_t> holders) const {
  holders.resize(records_.size(), 0);
  for (const Deferred& deferred : deferred_) holders[static_cast<size_t>(value(deferred.block))]++;
  std::map<std::pair<int, int64_t>, size_t> owners;
  std::vector<int64_t> frames(static_cast<size_t>(groups()), 0);
  for (size_t id = 0; id < records_.size(); id++) {
    if (std::string fault = audit_record(id, holders[id]); !fault.empty()) return fault;
    const Record& block = records_[id];
    if (block.frame < 0) continue;
    frames[static_cast<size_t>(block.group)]++;
    const auto [owner, fresh] = owners.emplace(std::pair(block.group, block.frame), id);
    if (!fresh) return fmt::format("blocks {} and {} share a frame", owner->second, id);
  }
  if (deferred_.empty() && frames_.owned_slabs() > frames_.limit()) {
    return fmt::format("{} slabs are used, {} may be", frames_.owned_slabs(), frames_.limit());
  }
  for (int g = 0; g < groups(); g++) {
    const int64_t taken = frames_.owned_slabs(g) * frames_.frames_per_slab(g) - frames_.holes(g);
    if (taken != frames[static_cast<size_t>(g)] || taken != live_blocks(g) + cached_blocks(g)) {
      return fmt::format("group {}: {} frames taken, {} blocks live and {} cached", g, taken,
                         live_blocks(g), cached_blocks(g));
    }
  }
  return {};
}

std::string Scheduler::audit() const {
  std::vector<int64_t> holders;
  for (const auto& [id, sequence] : sequences_) {
    for (size_t g = 0; g < sequence.tables.size(); g++) {
      const std::vector<BlockId>& table = sequence.tables[g];
      for (size_t i = static_cast<size_t>(sequence.dropped[g]); i < table.size(); i++) {
        const auto block = static_cast<size_t>(value(table[i]));
        if (holders.size() <= block) holders.resize(block + 1, 0);
        holders[block]++;
      }
    }
    const int64_t known = sequence.request.prompt_tokens + sequence.generated;
    if (sequence.published * config_.block_tokens > known) {
      return fmt::format("sequence {} publishes tokens that it only guesses", value(id));
    }
    if (sequence.planned > sequence.tokens() + sequence.drafts_in_flight) {
      return fmt::format("sequence {} counts rows that were rejected", value(id));
    }
    const Rank rank{sequence.tag, id};
    if (running_.contains(rank) == waiting_.contains(rank)) {
      return fmt::format("sequence {} neither waits nor runs", value(id));
    }
  }
  if (running_.size() + waiting_.size() != sequences_.size()) return "a sequence is lost";
  return blocks_.audit(std::move(holders));
}

}  // namespace strata::sched
