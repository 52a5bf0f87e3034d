// What schedule() takes for granted of its input, checked first: for inputs that come from a file
// or another process. The engine's own inputs hold all of it by construction.
#include <fmt/core.h>

#include <utility>

#include "sched/scheduler.h"

namespace strata::sched {
namespace {

std::unexpected<Status> wrong(std::string field, int64_t got, std::string expected) {
  return fail(Code::kInvalidData, std::move(field), fmt::format("{}", got), std::move(expected));
}

}  // namespace

Result<void> Scheduler::check(const StepInput& input) const {
  std::map<SequenceId, Taken> taken;
  int64_t completed = completed_plan_;
  for (size_t i = 0; i < input.completions.size(); i++) {
    const StepResult& result = input.completions[i];
    const std::string where = fmt::format("completions[{}]", i);
    completed++;
    if (value(result.plan) != completed || completed > last_plan_) {
      return wrong(where + ".plan", value(result.plan),
                   fmt::format("{}, a plan that has been made", completed));
    }
    for (const SequenceResult& entry : result.sequences) {
      const auto found = sequences_.find(entry.sequence);
      if (found == sequences_.end()) continue;
      auto checked = check_result(found->second, entry, taken[entry.sequence]);
      if (!checked) return std::unexpected(std::move(checked).error().with_context(where));
    }
  }
  if (last_plan_ + 1 - completed > config_.depth) {
    return wrong("completions", static_cast<int64_t>(input.completions.size()),
                 fmt::format("so many that at most {} plans are in flight", config_.depth));
  }
  if (input.slab_limit && (*input.slab_limit < 1 || *input.slab_limit > config_.slabs)) {
    return wrong("slab_limit", *input.slab_limit, fmt::format("1 to {}", config_.slabs));
  }
  for (size_t i = 0; i < input.arrivals.size(); i++) {
    const Request& request = input.arrivals[i];
    const std::string where = fmt::format("arrivals[{}]", i);
    const int64_t blocks = request.prompt_tokens / config_.block_tokens;
    if (request.prompt_tokens < 1 || request.max_tokens < 1 || request.sequences < 1) {
      return fail(Code::kInvalidData, where, "nothing to do",
                  "prompt_tokens, max_tokens and sequences of at least 1");
    }
    if (!request.block_hashes.empty() && std::cmp_not_equal(request.block_hashes.size(), blocks)) {
      return wrong(where + ".block_hashes", static_cast<int64_t>(request.block_hashes.size()),
                   fmt::format("none, or {}: one of every full block", blocks));
    }
  }
  return {};
}

Result<void> Scheduler::check_result(const Sequence& sequence, const SequenceResult& result,
                                     Taken& taken) const {
  if (taken.finished) return {};
  taken.tokens += static_cast<int64_t>(result.tokens.size());
  taken.hashes += static_cast<int64_t>(result.block_hashes.size());
  taken.finished = result.finished.has_value();
  const std::string where = fmt::format("sequence {}", value(result.sequence));
  const int64_t most = sequence.yields_in_flight + sequence.drafts_in_flight;
  if (taken.tokens > most) {
    return wrong(where + ": tokens", taken.tokens,
                 fmt::format("at most {}, which plans in flight yield or guess", most));
  }
  if (sequence.generated + taken.tokens >= sequence.request.max_tokens && !taken.finished) {
    return fail(Code::kInvalidData, where + ": finished", "missing",
                "a reason, as the sequence has reached its limit");
  }
  const int64_t known = sequence.request.prompt_tokens + sequence.generated + taken.tokens;
  const auto hashes = static_cast<int64_t>(sequence.request.block_hashes.size()) + taken.hashes;
  if (!result.block_hashes.empty() && hashes != known / config_.block_tokens) {
    return wrong(where + ": block_hashes", taken.hashes,
                 "none, or one of every block that is full");
  }
  return {};
}

}  // namespace strata::sched
