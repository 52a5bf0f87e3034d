// The loop: arrivals and cancels in, a plan out, plans carried out in order and some steps late.
#include "sim/simulator.h"

#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "sim/shadow.h"
#include "sim/traffic.h"

namespace strata::sim {
namespace {

using sched::RequestId;
using sched::StepPlan;

constexpr int64_t kRequests = 320;
// Of the seeds every third puts limits on its pool; each may make everybody start over.
constexpr uint64_t kLimitedSeeds = 3;
constexpr int64_t kMostLimits = 4;
constexpr int64_t kMostPriority = -1;  // of Traffic: the lowest number

// What is known of a request that has not ended.
struct Waiting {
  int64_t arrival_us = 0;
  int64_t debt_us = 0;  // what its key's requests before it cost
  int32_t priority = 0;
  int64_t closed_us = 0;
  int64_t steps = 0;          // it has waited
  int64_t steps_allowed = 0;  // grows with what may go before it
};

class Run {
 public:
  Run(uint64_t seed, sched::Plant plant);
  Outcome go();

 private:
  void arrive(sched::StepInput& input);
  void cancel(sched::StepInput& input);
  void limit_pool(sched::StepInput& input);
  void check_plan(const StepPlan& plan);
  void check_order(const StepPlan& plan);
  std::set<RequestId> check_passed_over(const StepPlan& plan);
  void check_freed(const StepPlan& plan);
  void check_batch(const sched::StepInput& input, const StepPlan& plan);
  void check_reserved(const StepPlan& plan);
  void complete_oldest(sched::StepInput& input);
  int64_t work_of(const sched::Request& request) const;
  void check_the_end();
  void blame(std::string fault) {
    if (outcome_.fault.empty()) outcome_.fault = std::move(fault);
  }

  Traffic traffic_;
  sched::Scheduler scheduler_;
  Shadow shadow_;
  std::deque<StepPlan> in_flight_;
  std::map<RequestId, Waiting> waiting_;
  std::map<RequestId, int64_t> work_;  // of all that have not ended
  std::map<std::pair<int64_t, int32_t>, int64_t> debts_;
  int64_t now_us_ = 0;
  std::map<RequestId, sched::Request> requests_;
  std::map<sched::SequenceId, RequestId> request_of_;
  std::set<sched::SequenceId> running_;
  int64_t batch_starts_ = 0;  // admissions since nobody ran
  int64_t sent_ = 0;
  int64_t over_ = 0;  // refused or cancelled
  const int64_t most_limits_;
  Outcome outcome_;
};

Run::Run(uint64_t seed, sched::Plant plant)
    : traffic_(seed),
      scheduler_(*sched::Scheduler::create_planted(traffic_.config(), plant)),
      shadow_(traffic_.config(), traffic_.most_drafts()),
      most_limits_(seed % kLimitedSeeds == 0 ? kMostLimits : 0) {}

Outcome Run::go() {
  int64_t most_steps = 2000;
  while (outcome_.fault.empty() && (sent_ < kRequests || !scheduler_.idle())) {
    now_us_ += 1 + traffic_.draw(6);
    sched::StepInput input{.now_us = now_us_};
    if (sent_ < kRequests) arrive(input);
    if (traffic_.chance(4)) cancel(input);
    if (outcome_.limits < most_limits_ && traffic_.chance(1)) limit_pool(input);
    const auto depth = static_cast<size_t>(traffic_.config().depth);
    while (in_flight_.size() >= depth || (!in_flight_.empty() && traffic_.chance(30))) {
      complete_oldest(input);
    }
    for (const sched::Request& request : input.arrivals) most_steps += work_of(request);
    const StepPlan plan = scheduler_.schedule(input);
    check_plan(plan);
    check_batch(input, plan);
    if (traffic_.config().reserve_tokens > 0) check_reserved(plan);
    in_flight_.push_back(plan);
    if (++outcome_.steps > most_steps) blame("some request never ends");
  }
  while (outcome_.fault.empty() && !in_flight_.empty()) {
    sched::StepInput ignored;
    complete_oldest(ignored);
  }
  if (outcome_.fault.empty()) check_the_end();
  const sched::SchedulerStats& stats = scheduler_.stats();
  outcome_.requests = sent_;
  outcome_.preemptions = stats.preemptions;
  outcome_.solo_starts = stats.solo_starts;
  outcome_.forks = stats.forks;
  outcome_.cached_tokens = stats.cached_tokens;
  outcome_.drafts = stats.drafts;
  outcome_.accepted_drafts = stats.accepted_drafts;
  return outcome_;
}

// Steps that a request may keep others waiting: a row each, and it may start over now and then.
int64_t Run::work_of(const sched::Request& request) const {
  const int64_t rows = request.positions() + traffic_.config().depth;
  return 4 * request.sequences * rows;
}

void Run::arrive(sched::StepInput& input) {
  const sched::SchedulerConfig& config = traffic_.config();
  const int64_t burst = traffic_.chance(3) ? 20 : traffic_.draw(3);
  for (int64_t i = 0; i < burst && sent_ < kRequests; i++, sent_++) {
    SimRequest made = traffic_.next();
    const sched::Request& request = made.request;
    int64_t& debt_end = debts_[{request.key, request.priority}];
    const int64_t debt = std::max<int64_t>(0, debt_end - now_us_);
    const int64_t tokens = request.prompt_tokens + request.max_tokens * request.sequences;
    debt_end = now_us_ + debt + tokens * config.fair_us_per_token;
    const int64_t work = work_of(request);
    Waiting& entry = waiting_[request.id];
    entry = {.arrival_us = now_us_, .debt_us = debt, .priority = request.priority};
    // After `closed` nobody who comes goes before this one; a step takes at least 1 us.
    entry.closed_us = now_us_ + debt + (request.priority - kMostPriority) * config.ageing_us;
    entry.steps_allowed = 10 + entry.closed_us - now_us_;
    for (const auto& [id, other] : work_) entry.steps_allowed += other;
    for (auto& [id, other] : waiting_) {
      if (now_us_ <= other.closed_us) other.steps_allowed += work;
    }
    work_[request.id] = work;
    requests_[request.id] = request;
    input.arrivals.push_back(request);
    shadow_.add(made);
  }
}

void Run::cancel(sched::StepInput& input) {
  if (sent_ == 0) return;
  const auto request = static_cast<RequestId>(1 + traffic_.draw(sent_));
  input.cancels.push_back(request);
}

// Lower or higher; rarely so low that no request fits any more.
void Run::limit_pool(sched::StepInput& input) {
  input.slab_limit = 1 + traffic_.draw(traffic_.config().slabs);
  outcome_.limits++;
}

void Run::complete_oldest(sched::StepInput& input) {
  sched::StepResult result = shadow_.run(in_flight_.front());
  in_flight_.pop_front();
  if (!shadow_.fault().empty()) blame(shadow_.fault());
  for (Chain& answer : shadow_.take_answers()) traffic_.finished(std::move(answer));
  input.completions.push_back(std::move(result));
}

void Run::check_plan(const StepPlan& plan) {
  for (const sched::Admission& admission : plan.admitted) {
    request_of_[admission.sequence] = admission.request;
  }
  for (const RequestId id : plan.cancelled) {
    shadow_.cancel(id);
    waiting_.erase(id);
    work_.erase(id);
    over_++;
  }
  for (const sched::Refusal& refusal : plan.refused) {
    if (refusal.needed_blocks <= refusal.pool_blocks) blame("a refusal without a reason");
    shadow_.cancel(refusal.request);  // it may run, where the pool has shrunk
    waiting_.erase(refusal.request);
    work_.erase(refusal.request);
    over_++;
  }
  check_order(plan);
  check_freed(plan);
  if (std::string fault = scheduler_.audit(); !fault.empty()) blame(std::move(fault));
}

// Nobody is admitted before one who waited longer than the priorities between them are worth, and
// everybody is admitted within the steps that those who may go before take.
void Run::check_order(const StepPlan& plan) {
  const int64_t ageing_us = traffic_.config().ageing_us;
  const std::set<RequestId> passed = check_passed_over(plan);
  for (const sched::Admission& admission : plan.admitted) {
    if (admission.choice > 0) continue;
    const auto admitted = waiting_.extract(admission.request);
    if (admitted.empty()) {
      blame("a request is admitted twice");
      continue;
    }
    const Waiting& first = admitted.mapped();
    for (auto& [id, other] : waiting_) {
      const int64_t lead = (other.priority - first.priority) * ageing_us + other.debt_us;
      if (first.arrival_us <= other.arrival_us + lead) continue;
      if (passed.contains(id)) {
        other.steps_allowed += work_.at(admission.request);
        continue;
      }
      blame(fmt::format("request {} overtakes {}, which came {} us before",
                        value(admission.request), value(id), first.arrival_us - other.arrival_us));
    }
  }
  for (auto& [id, entry] : waiting_) {
    if (++entry.steps <= entry.steps_allowed) continue;
    blame(fmt::format("request {} has waited for {} steps", value(id), entry.steps));
  }
}

// Who is passed over waits for a block that this plan's rows fill, or for its request's first
// sequence. Hashes of answers are not known here.
std::set<RequestId> Run::check_passed_over(const StepPlan& plan) {
  std::set<sched::BlockHash> filled;
  bool answers = false;
  const int64_t block = traffic_.config().block_tokens;
  for (const sched::SequenceStep& step : plan.sequences) {
    const auto& hashes = requests_.at(request_of_.at(step.sequence)).block_hashes;
    for (int64_t i = step.first_position / block; i < (step.first_position + step.rows) / block;
         i++) {
      const bool prompt = std::cmp_less(i, hashes.size());
      if (prompt) filled.insert(hashes[static_cast<size_t>(i)]);
      answers = answers || !prompt;
    }
  }
  std::set<RequestId> admitted, passed;
  for (const sched::Admission& admission : plan.admitted) admitted.insert(admission.request);
  for (const RequestId id : scheduler_.passed_over()) {
    if (!waiting_.contains(id) || admitted.contains(id)) continue;
    passed.insert(id);
    if (answers) continue;
    const auto& wanted = requests_.at(id).block_hashes;
    const bool soon = std::ranges::any_of(
        wanted, [&filled](const sched::BlockHash& hash) { return filled.contains(hash); });
    if (!soon) blame(fmt::format("request {} is passed over without a reason", value(id)));
  }
  return passed;
}

// With static batching no more start than there are places, until all of them are done.
void Run::check_batch(const sched::StepInput& input, const StepPlan& plan) {
  for (const sched::StepResult& result : input.completions) {
    for (const sched::SequenceResult& entry : result.sequences) {
      if (entry.finished) running_.erase(entry.sequence);
    }
  }
  std::set<RequestId> over(plan.cancelled.begin(), plan.cancelled.end());
  for (const sched::Refusal& refusal : plan.refused) over.insert(refusal.request);
  std::erase_if(running_,
                [&](sched::SequenceId running) { return over.contains(request_of_.at(running)); });
  for (const sched::SequenceId id : plan.preempted) running_.erase(id);
  if (running_.empty()) batch_starts_ = 0;
  batch_starts_ += std::ssize(plan.admitted);
  for (const sched::Admission& admission : plan.admitted) running_.insert(admission.sequence);
  for (const sched::SequenceStep& step : plan.sequences) running_.insert(step.sequence);
  if (traffic_.config().batching == sched::Batching::kStatic &&
      batch_starts_ > traffic_.config().max_sequences) {
    blame("a sequence joins a batch that is full");
  }
}

// With reserved blocks a sequence gets all of them with its first rows, and never another one's.
void Run::check_reserved(const StepPlan& plan) {
  const sched::SchedulerConfig& config = traffic_.config();
  int64_t blocks = 0;
  for (const sched::SequenceStep& step : plan.sequences) {
    if (step.first_position > 0) continue;
    const sched::Request& request = requests_.at(request_of_.at(step.sequence));
    const int64_t positions = std::max(config.reserve_tokens, request.positions());
    blocks += std::ssize(config.groups) * ((positions - 1) / config.block_tokens + 1);
  }
  if (blocks != std::ssize(plan.allocated)) blame("blocks are not reserved at the start");
  const bool taken = !plan.preempted.empty() && outcome_.limits == 0;
  if (taken || !plan.copies.empty()) blame("reserved blocks are taken or shared");
}

// A frame comes back only after the last plan that reads it.
void Run::check_freed(const StepPlan& plan) {
  std::set<std::pair<size_t, int64_t>> freed;
  for (const sched::BlockPlace& place : plan.freed) {
    freed.emplace(static_cast<size_t>(place.group), place.frame);
  }
  for (const StepPlan& other : in_flight_) {
    for (const sched::SequenceStep& step : other.sequences) {
      for (size_t g = 0; g < step.frames.size(); g++) {
        for (const int64_t frame : step.frames[g]) {
          if (freed.contains({g, frame})) {
            blame(fmt::format("a block is freed under plan {}", value(other.id)));
          }
        }
      }
    }
  }
}

void Run::check_the_end() {
  if (shadow_.ended() + over_ != sent_) {
    blame(fmt::format("{} of {} requests ended", shadow_.ended() + over_, sent_));
  }
  for (int g = 0; g < scheduler_.blocks().groups(); g++) {
    if (scheduler_.blocks().live_blocks(g) != 0) blame("blocks are lost");
  }
}

}  // namespace

Outcome simulate(uint64_t seed, sched::Plant plant) { return Run(seed, plant).go(); }

}  // namespace strata::sim
