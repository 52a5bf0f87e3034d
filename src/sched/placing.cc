// Where sequences live: starting on cached or shared blocks, growing, copying before a shared block
// is written, giving way. The policy's reasons are in docs/design/scheduler.md.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sched/scheduler.h"

namespace strata::sched {
namespace {

int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

}  // namespace

int64_t Scheduler::first_needed_block(int group, int64_t position) const {
  const int64_t window = config_.groups[static_cast<size_t>(group)].window;
  if (window == 0) return 0;
  return std::max<int64_t>(0, position - window + 1) / config_.block_tokens;
}

// In a group with a window, plans in flight read from window - 1 positions before the oldest one's
// first row to the newest one's last row; an interval touches one block more than it fills when its
// ends do not lie on block borders.
int64_t Scheduler::most_blocks(int group, int64_t positions) const {
  const int64_t all = divide_up(positions, config_.block_tokens);
  const int64_t window = config_.groups[static_cast<size_t>(group)].window;
  if (window == 0) return all;
  const int64_t span = window - 1 + config_.depth * config_.prefill_chunk;
  return std::min(all, (span + config_.block_tokens - 2) / config_.block_tokens + 1);
}

int64_t Scheduler::reserved_positions(const Request& request) const {
  return std::max(config_.reserve_tokens, request.positions());
}

BlockDemand Scheduler::demand(const Request& request) const {
  BlockDemand demand;
  for (int g = 0; g < blocks_.groups(); g++) {
    demand.push_back(reserves() ? divide_up(reserved_positions(request), config_.block_tokens)
                                : most_blocks(g, request.positions()));
  }
  return demand;
}

// Where it does not start, nothing has changed.
Scheduler::Wait Scheduler::start(Sequence& sequence, const StepPlan& plan) {
  const bool solo = solo_ == sequence.id;
  if (solo) {
    if (blocks_.deferred() > 0) return Wait::kBlocks;  // the pool is not empty yet
    blocks_.evict_all();
  }
  if (const auto forked = fork(sequence, plan)) {
    return *forked ? Wait::kNothing : Wait::kSharedBlock;
  }
  const int64_t cached = solo ? 0 : cached_prefix(sequence);
  const std::vector<BlockHash>& hashes = sequence.request.block_hashes;
  // Somebody computes the next block in this very step: in the next one it can be shared.
  if (config_.prefix_caching && std::cmp_less(cached, hashes.size()) &&
      computing_.contains(hashes[static_cast<size_t>(cached)]) && !sequence.request.all_logits) {
    return Wait::kSharedBlock;
  }
  take_prefix(sequence, cached);
  if (!room_for(sequence)) {
    stop(sequence);
    return Wait::kBlocks;
  }
  stats_.prompt_tokens += sequence.tokens();
  stats_.cached_tokens += sequence.planned;
  return Wait::kNothing;
}

// A request's further sequences start on the first one's blocks and compute the prompt's last row
// again, for its logits: the block it lies in is copied then. nullopt: there is nothing to fork.
std::optional<bool> Scheduler::fork(Sequence& sequence, const StepPlan& plan) {
  if (sequence.choice == 0 || sequence.admitted || reserves()) return std::nullopt;
  const auto parent =
      sequences_.find(static_cast<SequenceId>(value(sequence.id) - sequence.choice));
  if (parent == sequences_.end() || !running_.contains(parent->second.rank())) return std::nullopt;
  const Sequence& first = parent->second;
  const int64_t start = sequence.request.prompt_tokens - 1;
  if (first.planned <= start || first.prompt_plan == plan.id) return false;  // soon
  for (int g = 0; g < blocks_.groups(); g++) {
    const int64_t dropped = first.dropped[static_cast<size_t>(g)];
    if (dropped > first_needed_block(g, start)) return std::nullopt;
  }
  for (size_t g = 0; g < sequence.tables.size(); g++) {
    const auto blocks = static_cast<size_t>(start / config_.block_tokens + 1);
    sequence.tables[g].assign(first.tables[g].begin(),
                              first.tables[g].begin() + static_cast<std::ptrdiff_t>(blocks));
    sequence.dropped[g] = first.dropped[g];
    for (size_t i = static_cast<size_t>(first.dropped[g]); i < blocks; i++) {
      blocks_.retain(first.tables[g][i]);
    }
  }
  sequence.planned = start;
  sequence.published = start / config_.block_tokens;
  stats_.forks++;
  return true;
}

// How many leading blocks need no computing: all of them are there in groups that keep everything,
// and in groups with a window those that the next row sees. The last token's row is never skipped:
// its logits are wanted.
int64_t Scheduler::cached_prefix(const Sequence& sequence) const {
  const std::vector<BlockHash>& hashes = sequence.request.block_hashes;
  const int64_t last =
      sequence.request.all_logits ? sequence.logits_planned : sequence.tokens() - 1;
  const int64_t most = std::min(static_cast<int64_t>(hashes.size()), last / config_.block_tokens);
  std::vector<int64_t> run(config_.groups.size(), 0);  // cached blocks in a row, up to this one
  int64_t best = 0;
  for (int64_t blocks = 1; config_.prefix_caching && blocks <= most; blocks++) {
    bool usable = true;
    for (int g = 0; g < blocks_.groups(); g++) {
      int64_t& length = run[static_cast<size_t>(g)];
      length = blocks_.find(g, hashes[static_cast<size_t>(blocks - 1)]) ? length + 1 : 0;
      const int64_t first = first_needed_block(g, blocks * config_.block_tokens);
      usable = usable && length >= blocks - first;
      if (length < blocks && config_.groups[static_cast<size_t>(g)].window == 0) return best;
    }
    if (usable) best = blocks;
  }
  return best;
}

void Scheduler::take_prefix(Sequence& sequence, int64_t blocks) {
  sequence.planned = blocks * config_.block_tokens;
  sequence.published = blocks;
  for (int g = 0; g < blocks_.groups(); g++) {
    const auto i = static_cast<size_t>(g);
    sequence.dropped[i] = first_needed_block(g, sequence.planned);
    sequence.tables[i].assign(static_cast<size_t>(blocks), BlockId{-1});
    for (int64_t b = sequence.dropped[i]; b < blocks; b++) {
      const auto block = blocks_.find(g, sequence.request.block_hashes[static_cast<size_t>(b)]);
      blocks_.retain(*block);
      sequence.tables[i][static_cast<size_t>(b)] = *block;
    }
  }
}

// Everything known of this sequence, of those that run and of those that keep their place fits, and
// each may take one block more soon: who starts only to give way again has computed for nothing.
bool Scheduler::room_for(const Sequence& sequence) const {
  if (reserves()) return blocks_.fits(demand(sequence.request));
  if (running_.empty()) return true;
  BlockDemand more(config_.groups.size(), running());
  const auto add = [&](const Sequence& other) {
    for (int g = 0; g < blocks_.groups(); g++) {
      const auto i = static_cast<size_t>(g);
      const int64_t held = static_cast<int64_t>(other.tables[i].size()) - other.dropped[i];
      more[i] += std::max<int64_t>(0, most_blocks(g, other.tokens()) - held);
    }
  };
  add(sequence);
  for (const Rank& rank : running_) add(sequences_.at(rank.id));
  for (const SequenceId id : passed_over_) add(sequences_.at(id));
  return blocks_.fits(more);
}

// Tails first: what many have in common is used again most likely, and is evicted last.
void Scheduler::stop(Sequence& sequence) {
  for (size_t g = 0; g < sequence.tables.size(); g++) {
    std::vector<BlockId>& table = sequence.tables[g];
    for (size_t i = table.size(); std::cmp_greater(i, sequence.dropped[g]); i--) {
      release_when_read(sequence, table[i - 1]);
    }
    table.clear();
    sequence.dropped[g] = 0;
  }
  sequence.planned = 0;
  sequence.published = 0;
  running_.erase(sequence.rank());
}

void Scheduler::preempt(Sequence& sequence, StepPlan& plan) {
  publish(sequence);
  stop(sequence);
  waiting_.insert(sequence.rank());
  plan.preempted.push_back(sequence.id);
  stats_.preemptions++;
}

// The last in order gives way, unless its rows are in this plan already or it has only to wait for
// its last token.
bool Scheduler::preempt_below(const Rank& rank, StepPlan& plan) {
  for (auto last = running_.rbegin(); last != running_.rend() && *last > rank; ++last) {
    Sequence& sequence = sequences_.at(last->id);
    if (sequence.last_plan == plan.id || sequence.rows_left() == 0) continue;
    preempt(sequence, plan);
    return true;
  }
  return false;
}

bool Scheduler::hold_blocks(Sequence& sequence, int64_t end, StepPlan& plan) {
  if (reserves()) end = std::max(end, reserved_positions(sequence.request));
  for (int g = 0; g < blocks_.groups() && !reserves(); g++) drop_outside_window(sequence, g);
  for (int g = 0; g < blocks_.groups(); g++) {
    std::vector<BlockId>& table = sequence.tables[static_cast<size_t>(g)];
    const int64_t blocks = divide_up(end, config_.block_tokens);
    for (int64_t b = sequence.planned / config_.block_tokens; b < blocks; b++) {
      const auto i = static_cast<size_t>(b);
      if (i < table.size() && blocks_.writable(table[i])) continue;
      const std::optional<BlockId> block = take_block(sequence, g, plan);
      if (!block) return false;
      if (i == table.size()) {
        table.push_back(*block);
        continue;
      }
      plan.copies.push_back({g, blocks_.frame(table[i]), blocks_.frame(*block)});
      blocks_.release_after(table[i], plan.id);
      table[i] = *block;
      stats_.block_copies++;
    }
  }
  return true;
}

// Cached blocks go first, then sequences that stand behind this one. Where even that is not enough
// for the only one that runs, its own blocks lie scattered over slabs that another KV group needs:
// it starts over with the pool to itself, where its demand fits as was found on arrival.
std::optional<BlockId> Scheduler::take_block(Sequence& sequence, int group, StepPlan& plan) {
  while (true) {
    if (const auto block = blocks_.allocate(group)) return block;
    if (blocks_.deferred() > 0) return std::nullopt;  // some come back before the next steps
    if (!preempt_below(sequence.rank(), plan)) break;
  }
  if (running() == 1 && plan.sequences.empty()) {
    CHECK(!solo_, "a sequence with the pool to itself does not fit");
    preempt(sequence, plan);
    blocks_.evict_all();
    solo_ = sequence.id;
    stats_.solo_starts++;
  }
  return std::nullopt;
}

void Scheduler::drop_outside_window(Sequence& sequence, int group) {
  const auto g = static_cast<size_t>(group);
  const int64_t keep_from = first_needed_block(group, sequence.planned);
  for (int64_t& i = sequence.dropped[g]; i < keep_from; i++) {
    release_when_read(sequence, sequence.tables[g][static_cast<size_t>(i)]);
  }
}

void Scheduler::release_when_read(const Sequence& sequence, BlockId block) {
  if (value(sequence.last_plan) <= completed_plan_) {
    blocks_.release(block);
  } else {
    blocks_.release_after(block, sequence.last_plan);
  }
}

std::vector<KvUse> Scheduler::kv_use() const {
  std::vector<KvUse> use(config_.groups.size());
  for (size_t g = 0; g < use.size(); g++) {
    use[g].held_tokens = blocks_.live_blocks(static_cast<int>(g)) * config_.block_tokens;
    for (const Rank& rank : running_) {
      const Sequence& sequence = sequences_.at(rank.id);
      const auto blocks = static_cast<int64_t>(sequence.tables[g].size());
      use[g].unused_tokens += blocks * config_.block_tokens - sequence.planned;
    }
  }
  return use;
}

// Plans run in order, so a block can be found from the plan after the one that fills it.
void Scheduler::publish(Sequence& sequence) {
  if (!config_.prefix_caching || solo_ == sequence.id) return;
  const std::vector<BlockHash>& hashes = sequence.request.block_hashes;
  int64_t& i = sequence.published;
  for (; std::cmp_less(i, hashes.size()) && (i + 1) * config_.block_tokens <= sequence.planned;
       i++) {
    for (size_t g = 0; g < sequence.tables.size(); g++) {
      if (i < sequence.dropped[g]) continue;
      blocks_.publish(sequence.tables[g][static_cast<size_t>(i)], hashes[static_cast<size_t>(i)]);
    }
  }
}

}  // namespace strata::sched
