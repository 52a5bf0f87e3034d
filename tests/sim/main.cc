// strata-sim --seeds FROM:TO [--plant BUG]: seeds FROM to TO - 1, side by side on all cores. Prints
// a line per violation and a last line "N seeds, N violations"; exit code 1 where there were any.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "sim/simulator.h"

namespace strata::sim {
namespace {

constexpr std::array<std::pair<std::string_view, sched::Plant>, 6> kPlants = {{
    {"none", sched::Plant::kNone},
    {"lost_decref", sched::Plant::kLostDecref},
    {"double_free", sched::Plant::kDoubleFree},
    {"no_ageing", sched::Plant::kNoAgeing},
    {"stale_prefix_hit", sched::Plant::kStalePrefixHit},
    {"early_free", sched::Plant::kEarlyFree},
}};

struct Args {
  uint64_t from = 0;
  uint64_t to = 0;
  sched::Plant plant = sched::Plant::kNone;
};

bool parse_number(std::string_view text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_seeds(std::string_view text, Args& args) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && parse_number(text.substr(0, colon), args.from) &&
         parse_number(text.substr(colon + 1), args.to) && args.from < args.to;
}

std::optional<Args> parse(const std::vector<std::string_view>& words) {
  Args args;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    const auto plant =
        std::ranges::find(kPlants, words[i + 1], &std::pair<std::string_view, sched::Plant>::first);
    if (words[i] == "--plant" && plant != kPlants.end()) {
      args.plant = plant->second;
    } else if (words[i] != "--seeds" || !parse_seeds(words[i + 1], args)) {
      return std::nullopt;
    }
  }
  if (words.size() % 2 != 0 || args.to == 0) return std::nullopt;
  return args;
}

struct Total {
  int64_t violations = 0;
  Outcome sum;
};

Total run_all(const Args& args) {
  Total total;
  std::mutex mutex;
  std::atomic<uint64_t> next = args.from;
  const auto work = [&] {
    for (uint64_t seed = next++; seed < args.to; seed = next++) {
      const Outcome outcome = simulate(seed, args.plant);
      const std::scoped_lock lock(mutex);
      total.sum.steps += outcome.steps;
      total.sum.requests += outcome.requests;
      total.sum.preemptions += outcome.preemptions;
      total.sum.solo_starts += outcome.solo_starts;
      total.sum.forks += outcome.forks;
      total.sum.cached_tokens += outcome.cached_tokens;
      total.sum.drafts += outcome.drafts;
      total.sum.accepted_drafts += outcome.accepted_drafts;
      total.sum.limits += outcome.limits;
      if (outcome.fault.empty()) continue;
      total.violations++;
      fmt::print("seed {}, step {}: {}\n", seed, outcome.steps, outcome.fault);
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); i++) threads.emplace_back(work);
  work();
  threads.clear();
  return total;
}

int run(const std::vector<std::string_view>& words) {
  const std::optional<Args> args = parse(words);
  if (!args) {
    fmt::print(stderr, "usage: strata-sim --seeds FROM:TO [--plant BUG], BUG one of");
    for (const auto& [name, plant] : kPlants) fmt::print(stderr, " {}", name);
    fmt::print(stderr, "\n");
    return 2;
  }
  const Total total = run_all(*args);
  const Outcome& sum = total.sum;
  fmt::print(
      "{} requests, {} steps, {} preemptions, {} starts alone, {} forks, {} tokens from the "
      "cache, {} drafts, {} of them right, {} limits of the pool\n",
      sum.requests, sum.steps, sum.preemptions, sum.solo_starts, sum.forks, sum.cached_tokens,
      sum.drafts, sum.accepted_drafts, sum.limits);
  fmt::print("{} seeds, {} violations\n", args->to - args->from, total.violations);
  return total.violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace strata::sim

int main(int argc, char** argv) { return strata::sim::run({argv + 1, argv + argc}); }
