// One row a metric.
#include "server/metrics/metric_table.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata::server {
namespace {

using Stats = engine::EngineStats;
using Answers = engine::AnswerStats;
using Sched = sched::SchedulerStats;
using engine::GroupStats;
using Engine = Scrape::Engine;
constexpr auto kGauge = MetricKind::kGauge;
constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kHistogram = MetricKind::kHistogram;

int64_t blocks_of(const GroupStats& group) {
  return group.used_blocks + group.cached_blocks + group.free_blocks;
}

// Of the group that is the fullest: where one has none left, sequences wait.
double kv_usage(const Stats& stats) {
  double most = 0;
  for (const GroupStats& group : stats.groups) {
    const auto all = static_cast<double>(std::max<int64_t>(1, blocks_of(group)));
    most = std::max(most, static_cast<double>(group.used_blocks) / all);
  }
  return most;
}

template <auto kMember>
void number(const Engine& engine, Samples& out) {
  out.add(engine.stats.*kMember);
}

template <auto kMember>
void of_scheduler(const Engine& engine, Samples& out) {
  out.add(engine.stats.scheduler.*kMember);
}

template <auto kMember>
void of_answers(const Engine& engine, Samples& out) {
  out.add(engine.stats.answers.*kMember);
}

void usage(const Engine& engine, Samples& out) { out.add(kv_usage(engine.stats)); }

void waiting_by_reason(const Engine& engine, Samples& out) {
  const sched::WaitingCounts& counts = engine.stats.waiting_for;
  out.add(counts.capacity, {{"reason", "capacity"}});
  out.add(counts.blocks, {{"reason", "blocks"}});
  out.add(counts.shared_block, {{"reason", "shared_block"}});
  out.add(counts.budget, {{"reason", "budget"}});
}

void endings(const Engine& engine, Samples& out) {
  for (size_t i = 0; i < engine::kEndings; i++) {
    const std::string_view name = engine::ending_name(static_cast<engine::Ending>(i));
    out.add(engine.stats.answers.endings[i], {{"finished_reason", std::string(name)}});
  }
}

void cache_config(const Engine& engine, Samples& out) {
  const auto& groups = engine.stats.groups;
  const int64_t blocks = groups.empty() ? 0 : blocks_of(groups.front());
  out.add(int64_t{1}, {{"block_size", fmt::format("{}", engine.block_tokens)},
                       {"num_gpu_blocks", fmt::format("{}", blocks)},
                       {"enable_prefix_caching", engine.prefix_caching ? "True" : "False"}});
}

void kv_blocks(const Engine& engine, Samples& out) {
  for (size_t g = 0; g < engine.stats.groups.size(); g++) {
    const GroupStats& group = engine.stats.groups[g];
    const std::string number = fmt::format("{}", g);
    const auto add = [&](const char* state, int64_t blocks) {
      out.add(blocks, {{"group", number}, {"state", state}});
    };
    add("exclusive", group.used_blocks - group.shared_blocks);
    add("shared", group.shared_blocks);
    add("cached", group.cached_blocks);
    add("free", group.free_blocks);
  }
}

void memory_by_tag(const Engine& engine, Samples& out) {
  for (const engine::MemoryUse& use : engine.stats.memory) out.add(use.bytes, {{"tag", use.tag}});
}

void weights_by_tier(const Engine& engine, Samples& out) {
  out.add(engine.stats.resident_weight_bytes, {{"tier", "ram"}});
  out.add(engine.stats.streamed_weight_bytes, {{"tier", "disk"}});
}

void ring_read(const Engine& engine, Samples& out) {
  out.add(engine.stats.ring ? engine.stats.ring->read_bytes : 0);
}

void ring_waits(const Engine& engine, Samples& out) {
  out.add(engine.stats.ring ? engine.stats.ring->waits : 0);
}

void ring_waited(const Engine& engine, Samples& out) {
  out.add(engine.stats.ring ? engine.stats.ring->waited_s : 0.0);
}

void step_time(const Engine& engine, Samples& out) {
  for (size_t i = 0; i < engine::kPhases; i++) {
    const std::string_view name = engine::phase_name(static_cast<engine::Phase>(i));
    out.add(engine.stats.phases[i].sum_us * 1e-6, {{"phase", std::string(name)}});
  }
}

void host_cpu(const Engine& engine, Samples& out) { out.add(engine.stats.host_cpu_us * 1e-6); }

void longest_phase(const Engine& engine, Samples& out) {
  for (size_t i = 0; i < engine::kPhases; i++) {
    const std::string_view name = engine::phase_name(static_cast<engine::Phase>(i));
    out.add(engine.stats.phases[i].max_us * 1e-6, {{"phase", std::string(name)}});
  }
}

void age(const Engine& engine, Samples& out) { out.add(engine.age_s); }

void ready(const Scrape& scrape, Samples& out) { out.add(int64_t{scrape.ready}); }
void loaded(const Scrape& scrape, Samples& out) { out.add(scrape.loaded_share); }
void silence(const Scrape& scrape, Samples& out) { out.add(scrape.silent_s); }
void connections(const Scrape& scrape, Samples& out) { out.add(scrape.http.connections()); }
void sent(const Scrape& scrape, Samples& out) { out.add(scrape.http.sent_bytes()); }

void answers_by_status(const Scrape& scrape, Samples& out) {
  for (size_t status = 0; status < HttpCounts::kStatuses; status++) {
    const int64_t count = scrape.http.answers(status);
    if (count > 0 || status == 200) out.add(count, {{"status", fmt::format("{}", status)}});
  }
}

void limited_by_reason(const Scrape& scrape, Samples& out) {
  for (size_t i = 0; i < kLimitReasons; i++) {
    const auto reason = static_cast<LimitReason>(i);
    const int64_t count = scrape.key_limits == nullptr ? 0 : scrape.key_limits->refused(reason);
    out.add(count, {{"reason", std::string(limit_reason_name(reason))}});
  }
}

constexpr Metric kMetrics[] = {
    // What dashboards and autoscalers made for vLLM query.
    {"vllm:num_requests_running", kGauge, "Sequences that run", "", false, number<&Stats::running>},
    {"vllm:num_requests_waiting", kGauge, "Sequences that wait for a place, blocks or rows", "",
     false, number<&Stats::waiting>},
    {"vllm:num_requests_waiting_by_reason", kGauge,
     "The same by what they waited for in the last step", "reason", false, waiting_by_reason},
    {"vllm:kv_cache_usage_perc", kGauge,
     "Share of KV blocks that sequences hold, 0 to 1; of the fullest group", "", false, usage},
    {"vllm:gpu_cache_usage_perc", kGauge, "Old name of vllm:kv_cache_usage_perc", "", true, usage},
    {"vllm:num_preemptions_total", kCounter, "Sequences that gave way to others and started over",
     "", false, of_scheduler<&Sched::preemptions>},
    {"vllm:prefix_cache_queries_total", kCounter,
     "Prompt tokens that were looked up in the prefix cache", "", false, number<&Stats::tokens_in>},
    {"vllm:prefix_cache_hits_total", kCounter, "Of these, tokens that were found and not computed",
     "", false, number<&Stats::hit_tokens>},
    {"vllm:gpu_prefix_cache_queries_total", kCounter, "Old name of vllm:prefix_cache_queries_total",
     "", true, number<&Stats::tokens_in>},
    {"vllm:gpu_prefix_cache_hits_total", kCounter, "Old name of vllm:prefix_cache_hits_total", "",
     true, number<&Stats::hit_tokens>},
    {"vllm:prompt_tokens_total", kCounter, "Tokens of prompts whose first answer has started", "",
     false, number<&Stats::tokens_in>},
    {"vllm:generation_tokens_total", kCounter, "Tokens of answers", "", false,
     number<&Stats::tokens_out>},
    {"vllm:request_success_total", kCounter,
     "Answers that ended, by reason: stop, length, abort (cancelled, or the client went) or error",
     "finished_reason", false, endings},
    {"vllm:time_to_first_token_seconds", kHistogram,
     "From the request to the first token of an answer", "", false,
     of_answers<&Answers::first_token>},
    {"vllm:inter_token_latency_seconds", kHistogram,
     "Between tokens of an answer; tokens of one step share its time", "", false,
     of_answers<&Answers::between_tokens>},
    {"vllm:time_per_output_token_seconds", kHistogram,
     "Old name of vllm:inter_token_latency_seconds", "", true,
     of_answers<&Answers::between_tokens>},
    {"vllm:request_time_per_output_token_seconds", kHistogram,
     "Mean time between the tokens of an answer", "", false, of_answers<&Answers::per_token>},
    {"vllm:e2e_request_latency_seconds", kHistogram,
     "From the request to the last token of an answer", "", false, of_answers<&Answers::whole>},
    {"vllm:request_queue_time_seconds", kHistogram, "From the request to the start of an answer",
     "", false, of_answers<&Answers::queue>},
    {"vllm:request_prefill_time_seconds", kHistogram,
     "From the start of an answer to its first token", "", false, of_answers<&Answers::prefill>},
    {"vllm:request_decode_time_seconds", kHistogram,
     "From the first token of an answer to its last", "", false, of_answers<&Answers::decode>},
    {"vllm:request_inference_time_seconds", kHistogram,
     "From the start of an answer to its last token", "", false, of_answers<&Answers::inference>},
    {"vllm:request_prompt_tokens", kHistogram, "Tokens of the prompt of each answer", "", false,
     of_answers<&Answers::prompt_tokens>},
    {"vllm:request_generation_tokens", kHistogram, "Tokens of each answer", "", false,
     of_answers<&Answers::tokens>},
    {"vllm:request_max_num_generation_tokens", kHistogram,
     "Tokens of the longest answer to each prompt", "", false, of_answers<&Answers::most_tokens>},
    {"vllm:request_params_max_tokens", kHistogram, "max_tokens of each prompt", "", false,
     of_answers<&Answers::max_tokens>},
    {"vllm:request_params_n", kHistogram, "n of each prompt", "", false,
     of_answers<&Answers::choices>},
    {"vllm:iteration_tokens_total", kHistogram, "Rows of each step", "", false,
     of_answers<&Answers::step_rows>},
    {"vllm:cache_config_info", kGauge, "1; what the KV cache is like stands in the labels",
     "block_size, num_gpu_blocks, enable_prefix_caching", false, cache_config},
    // Ours: the engine.
    {"strata:stats_age_seconds", kGauge,
     "How old the engine's numbers are: more than a second where it does not answer", "", false,
     age},
    {"strata:kv_blocks", kGauge,
     "KV blocks by state: held by one sequence, by several, by the prefix cache alone, or free",
     "group, state", false, kv_blocks},
    {"strata:kv_waste_share", kGauge,
     "Of the bytes that sequences held, those that no token filled, over the time of steps", "",
     false, number<&Stats::kv_waste_share>},
    {"strata:kv_slab_waste_bytes", kGauge, "Bytes of slabs that no block can use", "", false,
     number<&Stats::slab_waste_bytes>},
    {"strata:forks_total", kCounter, "Sequences that started on the blocks of another", "", false,
     of_scheduler<&Sched::forks>},
    {"strata:block_copies_total", kCounter, "Blocks copied because a shared one was to be written",
     "", false, of_scheduler<&Sched::block_copies>},
    {"strata:drafts_total", kCounter, "Tokens that speculation guessed", "", false,
     of_scheduler<&Sched::drafts>},
    {"strata:accepted_drafts_total", kCounter, "Of these, the model's own", "", false,
     of_scheduler<&Sched::accepted_drafts>},
    {"strata:requests_total", kCounter, "Prompts whose first answer has started", "", false,
     number<&Stats::requests>},
    {"strata:mean_running", kGauge, "Sequences that ran, over the time of steps", "", false,
     number<&Stats::mean_running>},
    {"strata:steps_total", kCounter, "Steps with rows", "", false, number<&Stats::steps>},
    {"strata:rows_total", kCounter, "Rows of these steps", "", false, number<&Stats::rows>},
    {"strata:step_seconds_total", kCounter, "Time of steps by part", "phase", false, step_time},
    {"strata:host_cpu_seconds_total", kCounter,
     "Processor time of the engine's thread outside of the forward, sampling and guesses", "",
     false, host_cpu},
    {"strata:step_longest_seconds", kGauge, "The longest time of each part in a step", "phase",
     false, longest_phase},
    {"strata:memory_bytes", kGauge, "Memory by what it is for", "tag", false, memory_by_tag},
    {"strata:memory_ceiling_bytes", kGauge, "What the process may hold, 0 where that is unknown",
     "", false, number<&Stats::ceiling_bytes>},
    {"strata:resident_bytes", kGauge, "What the system says the process holds", "", false,
     number<&Stats::rss_bytes>},
    {"strata:weights_bytes", kGauge,
     "Weights by where they live; those on disk are read in every pass", "tier", false,
     weights_by_tier},
    {"strata:weights_read_bytes_total", kCounter, "Weights read from the disk", "", false,
     ring_read},
    {"strata:weights_waits_total", kCounter, "Times that a pass waited for the disk", "", false,
     ring_waits},
    {"strata:weights_waited_seconds_total", kCounter, "Time that passes waited for the disk", "",
     false, ring_waited},
    // Ours: the server.
    {"strata:ready", kGauge, "1 while requests are taken", "", false, nullptr, ready},
    {"strata:loaded_share", kGauge, "How much of the weights has been loaded, 0 to 1", "", false,
     nullptr, loaded},
    {"strata:engine_silent_seconds", kGauge,
     "How long an engine with work has neither computed nor read anything; see --stall-timeout", "",
     false, nullptr, silence},
    {"strata:http_connections", kGauge, "Open connections", "", false, nullptr, connections},
    {"strata:http_requests_total", kCounter,
     "Requests answered by status; 499: the client went first", "status", false, nullptr,
     answers_by_status},
    {"strata:rate_limited_total", kCounter,
     "Requests refused because of their key's limits: requests a minute, tokens a minute, requests "
     "at a time",
     "reason", false, nullptr, limited_by_reason},
    {"strata:http_sent_bytes_total", kCounter, "Bytes of answers, heads and all", "", false,
     nullptr, sent},
};

std::string rows_of(std::string_view prefix, bool old_names) {
  std::string text = "\n| name | kind | labels | meaning |\n|---|---|---|---|\n";
  for (const Metric& metric : kMetrics) {
    if (metric.old_name != old_names || !metric.name.starts_with(prefix)) continue;
    text += fmt::format("| `{}` | {} | {} | {} |\n", metric.name, kind_name(metric.kind),
                        metric.labels, metric.help);
  }
  return text;
}

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

std::string metrics_text(const Scrape& scrape) {
  Samples out({{"model_name", scrape.model_name}, {"engine", "0"}});
  for (const Metric& metric : kMetrics) {
    if (metric.old_name && !scrape.old_names) continue;
    if (metric.from_engine != nullptr && scrape.engine == nullptr) continue;
    out.begin(metric.name, metric.kind, metric.help);
    if (metric.from_engine != nullptr) {
      metric.from_engine(*scrape.engine, out);
    } else {
      metric.from_server(scrape, out);
    }
  }
  return out.take();
}

std::string metrics_document() {
  return "# Metrics\n\nGenerated from the table in `src/server/metrics/metric_table.cc`; a test "
         "checks that it is up to date\n"
         "(`STRATA_UPDATE_DOCS=1 build/dev/metrics_test` rewrites it).\n\n"
         "`GET /metrics` answers in Prometheus' text format. It asks for a key where the server "
         "has "
         "keys. Every sample has the\nlabels `model_name` and `engine`. Times are in seconds, and "
         "an answer is one of a prompt's `n`. What comes from the engine\nis there once the model "
         "is, and is as of its last step: where no step ends for a second the last numbers are "
         "given, with\ntheir age.\n\n## Names that dashboards for vLLM query\n" +
         rows_of("vllm:", false) + "\n## Strata's own\n" + rows_of("strata:", false) +
         "\n## Old names, with `--metrics-old-names`\n" + rows_of("vllm:", true);
}

}  // namespace strata::server
