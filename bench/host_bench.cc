// What a step costs beside the forward and the sampler's passes: every part of decode steps of N
// sequences, medians and maxima, and the price of a block's name and of finding it again.
//
//   host_bench MODEL [--sequences 16,256] [--steps 64] [--prompt 64] [--threads N]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/env.h"
#include "bench.h"
#include "engine/block_chain.h"
#include "engine/engine.h"
#include "sched/scheduler.h"

namespace strata::engine {
namespace {

using bench::median;
using bench::Options;

std::vector<int32_t> random_ids(int64_t count, uint64_t state, int64_t vocab) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; i++) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    ids.push_back(static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocab)));
  }
  return ids;
}

Result<void> submit_all(Engine& engine, const Options& options, int64_t sequences, int64_t steps) {
  const int64_t vocab = engine.worker().model().spec().vocab;
  const auto prompt = static_cast<int64_t>(options.number("prompt", 64));
  for (int64_t i = 0; i < sequences; i++) {
    GenerateRequest request;
    request.prompt = random_ids(prompt, static_cast<uint64_t>(i) + 1, vocab);
    // Prompts take steps of their own before all of them decode together.
    request.max_tokens = steps + prompt * sequences / 128 + 8;
    request.sampling.temperature = 0;
    TRY(engine.submit(std::move(request), [](const Update&) {}));
  }
  return {};
}

// Steps in which every sequence decodes and nothing else happens.
Result<void> measure_steps(Engine& engine, const Options& options, int64_t sequences) {
  const auto wanted = static_cast<int64_t>(options.number("steps", 64));
  TRY(submit_all(engine, options, sequences, wanted));
  std::array<std::vector<double>, kPhases> parts;
  std::vector<double> host, all;
  EngineStats before = engine.stats();
  for (bool more = true; more;) {
    more = engine.step();
    const EngineStats after = engine.stats();
    const bool decode = after.rows - before.rows == sequences && after.running == sequences &&
                        before.running == sequences;
    for (size_t i = 0; decode && i < kPhases; i++) {
      parts[i].push_back(after.phases[i].sum_us - before.phases[i].sum_us);
    }
    if (decode) host.push_back(after.host_us() - before.host_us());
    if (decode) all.push_back(after.total_us() - before.total_us());
    before = after;
  }
  if (host.empty()) return fail(Code::kInvalidArgument, "--steps", {}, "more: none was a decode");
  fmt::print("{:>4} sequences, {} steps of {:.0f} us: host {:.0f} us (max {:.0f}) =", sequences,
             host.size(), median(all), median(host), std::ranges::max(host));
  for (size_t i = 0; i < kPhases; i++) {
    fmt::print(" {} {:.0f}", phase_name(static_cast<Phase>(i)), median(parts[i]));
  }
  fmt::print("\n");
  return {};
}

double us_since(int64_t start) { return static_cast<double>(real_env().now_ns() - start) * 1e-3; }

constexpr int64_t kBlocks = 512;  // of a prompt
constexpr int64_t kPrompts = 64;

void measure_hashing() {
  const std::vector<int32_t> ids = random_ids(kBlocks * 32, 7, 128'256);
  std::vector<double> us;
  for (int repeat = 0; repeat < 20; repeat++) {
    const int64_t start = real_env().now_ns();
    BlockChain chain(ChainKey::random(), "", 32);
    const size_t hashes = chain.extend(ids).size();
    us.push_back(us_since(start) / static_cast<double>(hashes));
  }
  fmt::print("hashing: {:.3f} us a block of 32 tokens\n", median(us));
}

// Prompts of 512 blocks, all of them cached but the last: a start looks each up and takes it.
Result<void> measure_lookup() {
  auto scheduler =
      TRY(sched::Scheduler::create({.max_sequences = 1,
                                    .max_batched_tokens = kBlocks * 32,
                                    .prefill_chunk = kBlocks * 32,
                                    .max_logit_rows = 1,
                                    .slabs = kPrompts * kBlocks / 64 + 16,
                                    .groups = {{.frames_per_slab = 64, .window = 0}}}));
  std::vector<double> us;
  std::vector<sched::StepResult> completions;
  for (int64_t i = 0; i < 2 * kPrompts; i++) {
    const ChainKey key{.low = 1, .high = static_cast<uint64_t>(i % kPrompts)};
    BlockChain chain(key, "", 32);
    sched::StepInput input{
        .arrivals = {{.id = static_cast<sched::RequestId>(i + 1),
                      .prompt_tokens = kBlocks * 32,
                      .max_tokens = 2,
                      .block_hashes = chain.extend(random_ids(kBlocks * 32, 7, 128'256))}},
        .completions = completions};
    const int64_t start = real_env().now_ns();
    const sched::StepPlan plan = scheduler.schedule(input);
    if (i >= kPrompts) us.push_back(us_since(start) / kBlocks);
    const sched::SequenceId id = plan.sequences[0].sequence;
    completions = {{plan.id, {{id, {1}, sched::FinishReason::kStop, {}}}}};
  }
  if (scheduler.stats().cached_tokens != kPrompts * (kBlocks - 1) * 32) {
    return fail(Code::kInvalidData, "the prompts were not cached");
  }
  fmt::print("look-up, taking and giving back: {:.3f} us a block\n", median(us));
  return {};
}

Result<void> run(const std::string& model, const Options& options) {
  const MachineFacts facts = look_at_machine(real_env());
  const auto opened = TRY(OpenedModel::open(real_env(), model, "", model::WeightDtype::kAuto));
  for (const int64_t sequences : options.list("sequences", "16,256")) {
    EngineConfig config{.max_num_seqs = sequences, .max_model_len = 1024};
    if (const double threads = options.number("threads", 0); threads > 0) {
      config.threads = static_cast<int64_t>(threads);
    }
    const auto resolved = TRY(resolve(config, facts, opened->spec(), opened->plan()));
    const auto engine =
        TRY(Engine::create(real_env(), *opened, resolved, {.threads = resolved.threads}));
    TRY(measure_steps(*engine, options, sequences));
  }
  measure_hashing();
  return measure_lookup();
}

}  // namespace
}  // namespace strata::engine

int main(int argc, char** argv) {
  return strata::bench::guarded([&] {
    if (argc < 2) {
      fmt::print(stderr, "usage: host_bench MODEL [--sequences 16,256] [--steps N] [--prompt N]\n");
      return 2;
    }
    const auto done = strata::engine::run(argv[1], strata::bench::Options(argc - 1, argv + 1));
    if (!done) fmt::print(stderr, "{}\n", done.error().message());
    return done ? 0 : 1;
  });
}
