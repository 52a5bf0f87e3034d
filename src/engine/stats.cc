// The field list and its two readers.
#include "engine/stats.h"

#include <fmt/core.h>

namespace strata::engine {
namespace {

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

struct Field {
  std::string_view name;
  Json (*read)(const EngineStats& stats);
};

constexpr Field kFields[] = {
    {"running", [](const EngineStats& s) { return Json(s.running); }},
    {"waiting", [](const EngineStats& s) { return Json(s.waiting); }},
    {"waiting_capacity", [](const EngineStats& s) { return Json(s.waiting_for.capacity); }},
    {"waiting_blocks", [](const EngineStats& s) { return Json(s.waiting_for.blocks); }},
    {"waiting_shared_block", [](const EngineStats& s) { return Json(s.waiting_for.shared_block); }},
    {"waiting_budget", [](const EngineStats& s) { return Json(s.waiting_for.budget); }},
    {"rss_bytes", [](const EngineStats& s) { return Json(s.rss_bytes); }},
    {"slab_waste_bytes", [](const EngineStats& s) { return Json(s.slab_waste_bytes); }},
    {"steps", [](const EngineStats& s) { return Json(s.steps); }},
    {"rows", [](const EngineStats& s) { return Json(s.rows); }},
    {"requests", [](const EngineStats& s) { return Json(s.requests); }},
    {"tokens_in", [](const EngineStats& s) { return Json(s.tokens_in); }},
    {"tokens_out", [](const EngineStats& s) { return Json(s.tokens_out); }},
    {"prefix_hit_tokens", [](const EngineStats& s) { return Json(s.hit_tokens); }},
    {"prefix_hit_share",
     [](const EngineStats& s) { return Json(share(s.hit_tokens, s.tokens_in)); }},
    {"prefix_best_tokens",
     [](const EngineStats& s) { return s.best_hit_tokens ? Json(*s.best_hit_tokens) : Json(); }},
    {"prefix_best_share",
     [](const EngineStats& s) {
       return s.best_hit_tokens ? Json(share(*s.best_hit_tokens, s.tokens_in)) : Json();
     }},
    {"preemptions", [](const EngineStats& s) { return Json(s.scheduler.preemptions); }},
    {"solo_starts", [](const EngineStats& s) { return Json(s.scheduler.solo_starts); }},
    {"forks", [](const EngineStats& s) { return Json(s.scheduler.forks); }},
    {"block_copies", [](const EngineStats& s) { return Json(s.scheduler.block_copies); }},
    {"drafts", [](const EngineStats& s) { return Json(s.scheduler.drafts); }},
    {"accepted_drafts", [](const EngineStats& s) { return Json(s.scheduler.accepted_drafts); }},
    {"mean_running", [](const EngineStats& s) { return Json(s.mean_running); }},
    {"kv_waste_share", [](const EngineStats& s) { return Json(s.kv_waste_share); }},
    {"host_us", [](const EngineStats& s) { return Json(s.host_us()); }},
    {"host_cpu_us", [](const EngineStats& s) { return Json(s.host_cpu_us); }},
    {"total_us", [](const EngineStats& s) { return Json(s.total_us()); }},
    {"weights_read_bytes",
     [](const EngineStats& s) { return s.ring ? Json(s.ring->read_bytes) : Json(0); }},
    {"weights_waits", [](const EngineStats& s) { return s.ring ? Json(s.ring->waits) : Json(0); }},
    {"weights_waited_s",
     [](const EngineStats& s) { return s.ring ? Json(s.ring->waited_s) : Json(0.0); }},
    {"price_step_us", [](const EngineStats& s) { return Json(s.step_us); }},
    {"price_row_us", [](const EngineStats& s) { return Json(s.row_us); }},
    {"price_context_us", [](const EngineStats& s) { return Json(s.context_us); }},
};

Json groups_json(const EngineStats& stats) {
  Json groups = Json::array();
  for (const GroupStats& group : stats.groups) {
    groups.push_back({{"used_blocks", group.used_blocks},
                      {"shared_blocks", group.shared_blocks},
                      {"cached_blocks", group.cached_blocks},
                      {"free_blocks", group.free_blocks},
                      {"window", group.window},
                      {"block_bytes", group.block_bytes}});
  }
  return groups;
}

Json passes_json(const EngineStats& stats) {
  Json passes = Json::array();
  for (const PassGroup& group : stats.passes) {
    const auto count = static_cast<double>(group.passes);
    passes.push_back({{"rows", group.rows},
                      {"steps", group.passes},
                      {"mean_us", group.seconds * 1e6 / count},
                      {"mean_context", static_cast<double>(group.context) / count}});
  }
  return passes;
}

}  // namespace

std::string_view phase_name(Phase phase) {
  constexpr std::string_view kNames[] = {"schedule", "prepare", "forward", "sample",
                                         "text",     "draft",   "record"};
  return kNames[static_cast<size_t>(phase)];
}

double EngineStats::total_us() const {
  double sum = 0;
  for (const PhaseTime& phase : phases) sum += phase.sum_us;
  return sum;
}

double EngineStats::host_us() const {
  double sum = 0;
  for (size_t i = 0; i < kPhases; i++) {
    if (is_host_work(static_cast<Phase>(i))) sum += phases[i].sum_us;
  }
  return sum;
}

Json to_json(const EngineStats& stats) {
  Json json = Json::object();
  for (const Field& field : kFields) json[std::string(field.name)] = field.read(stats);
  for (size_t i = 0; i < kPhases; i++) {
    const std::string_view name = phase_name(static_cast<Phase>(i));
    json[fmt::format("{}_us", name)] = stats.phases[i].sum_us;
    json[fmt::format("{}_max_us", name)] = stats.phases[i].max_us;
  }
  json["groups"] = groups_json(stats);
  json["steps_by_rows"] = passes_json(stats);
  json["memory_bytes"] = Json::object();
  for (const MemoryUse& use : stats.memory) json["memory_bytes"][use.tag] = use.bytes;
  return json;
}

std::string summary(const EngineStats& stats) {
  const double seconds = stats.total_us() * 1e-6;
  std::string line = fmt::format(
      "{} requests, {} tokens in, {} out in {:.1f} s of steps ({:.1f} out/s, {:.1f} running)",
      stats.requests, stats.tokens_in, stats.tokens_out, seconds,
      seconds > 0 ? static_cast<double>(stats.tokens_out) / seconds : 0, stats.mean_running);
  line += fmt::format("; {:.1f} % of prompts from the cache",
                      100 * share(stats.hit_tokens, stats.tokens_in));
  if (stats.best_hit_tokens) {
    line +=
        fmt::format(" of {:.1f} % possible", 100 * share(*stats.best_hit_tokens, stats.tokens_in));
  }
  if (stats.ring) {
    line += fmt::format("; {} of weights read, {:.1f} s waited for",
                        memory::format_bytes(stats.ring->read_bytes), stats.ring->waited_s);
  }
  return line + fmt::format("; {} preemptions, {:.1f} % of KV unused, {:.1f} % of time on the host",
                            stats.scheduler.preemptions, 100 * stats.kv_waste_share,
                            seconds > 0 ? 100 * stats.host_us() / stats.total_us() : 0);
}

}  // namespace strata::engine
