// One function a part of the table; text and JSON from the same fields.
#include "apps/plan/table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "memory/account.h"
#include "placement/probe_cache.h"

namespace strata::apps {
namespace {

using engine::Forecast;
using engine::PassForecast;
using memory::format_bytes;
using placement::Bottleneck;

constexpr std::string_view kUnknownSpeed = "not known: not everything it takes was measured";

std::string_view bottleneck_name(const placement::PassCost& cost) {
  return cost.bottleneck() == Bottleneck::kDisk ? "disk" : "computing";
}

// "0.93 s", "4.1 ms".
std::string format_seconds(double seconds) {
  return seconds >= 0.1 ? fmt::format("{:.2f} s", seconds)
                        : fmt::format("{:.3g} ms", seconds * 1e3);
}

std::string format_speed(double tokens_per_s) {
  return tokens_per_s < 100 ? fmt::format("{:.3g} tokens/s", tokens_per_s)
                            : fmt::format("{:.0f} tokens/s", tokens_per_s);
}

std::string speed(const PassForecast& pass) {
  return fmt::format("{} a pass, {}", format_seconds(pass.cost.pass_s()),
                     format_speed(pass.tokens_per_s()));
}

std::string_view plural(int64_t count) { return count == 1 ? "" : "s"; }

std::string explained(const PassForecast& pass) {
  const placement::PassCost& cost = pass.cost;
  const bool disk = cost.bottleneck() == Bottleneck::kDisk;
  std::string text =
      fmt::format("{}; {} is the bottleneck (", speed(pass), disk ? "the disk" : "computing");
  if (cost.read_s > 0) text += fmt::format("reading {}, ", format_seconds(cost.read_s));
  if (disk && cost.idle_s > 0.01 * cost.read_s) {
    text += fmt::format("the disk waits {} for room in the ring, ", format_seconds(cost.idle_s));
  }
  text += fmt::format("computing {}", format_seconds(cost.compute_s));
  if (cost.relay_s > 0) text += fmt::format(", re-laying {}", format_seconds(cost.relay_s));
  return text + ")";
}

std::string ceiling(const Forecast& made) {
  const int64_t sum = made.memory_sum();
  if (made.ceiling_bytes == 0) return fmt::format("{}, no ceiling", format_bytes(sum));
  const int64_t left = std::max<int64_t>(0, made.ceiling_bytes - sum);
  return fmt::format("{} of a ceiling of {}, {} left over", format_bytes(sum),
                     format_bytes(made.ceiling_bytes), format_bytes(left));
}

std::string note_on(std::string_view tag, const Forecast& made) {
  if (tag == "weights") {
    return fmt::format("{} of {} units stay in memory", made.residents, made.units);
  }
  if (tag == "KV") {
    return fmt::format("{} blocks, {} tokens: {} sequence{} of {} at once", made.kv_blocks,
                       made.kv_tokens, made.full_sequences, plural(made.full_sequences),
                       made.max_model_len);
  }
  if (tag == "text") return "at most, for prompts and answers";
  if (tag == "program") return "at most, for what no tag counts";
  return "";
}

std::string on_disk(const Forecast& made) {
  if (made.disk_bytes == 0 && made.row_bytes == 0)
    return "nothing is read once the model is loaded";
  std::string text;
  if (made.disk_bytes > 0) {
    text = fmt::format("{} of weights, read in every pass", format_bytes(made.disk_bytes));
  }
  if (made.row_bytes == 0) return text;
  return text + fmt::format("{}rows of the embedding, gathered: {} a token",
                            text.empty() ? "" : "; ", format_bytes(made.row_bytes));
}

// What a pass reads, for the lines of a run.
std::string read_text(const Forecast& made) {
  std::string text;
  if (made.disk_bytes > 0) {
    text = fmt::format(", {} are read in every pass", format_bytes(made.disk_bytes));
  }
  if (made.row_bytes == 0) return text;
  return text + fmt::format(", rows of the embedding are gathered ({} a token)",
                            format_bytes(made.row_bytes));
}

std::string source_text(const engine::PriceSource& source) {
  if (source.unix_time_s == 0) return fmt::format("{}: {}", source.name, source.what);
  return fmt::format("{}: {}; {}{}", source.name, source.what,
                     placement::format_time(source.unix_time_s),
                     source.cached ? ", kept from an earlier run" : "");
}

// What a GiB more changes: residents, and the speed of one sequence.
std::string gain(const Forecast& made, const Forecast& wider) {
  std::string text =
      fmt::format("{} more unit{} in memory, {} more KV blocks", wider.residents - made.residents,
                  plural(wider.residents - made.residents), wider.kv_blocks - made.kv_blocks);
  if (!made.one || !wider.one) return text;
  return text + fmt::format("; one sequence: {} ({:.2f} times as fast)", speed(*wider.one),
                            wider.one->tokens_per_s() / made.one->tokens_per_s());
}

Json pass_json(const PassForecast& pass) {
  return {{"sequences", pass.sequences},         {"seconds", pass.cost.pass_s()},
          {"tokens_per_s", pass.tokens_per_s()}, {"bottleneck", bottleneck_name(pass.cost)},
          {"read_s", pass.cost.read_s},          {"ring_full_s", pass.cost.idle_s},
          {"compute_s", pass.cost.compute_s},    {"relay_s", pass.cost.relay_s}};
}

Json optional_pass(const std::optional<PassForecast>& pass) {
  return pass ? pass_json(*pass) : Json();
}

Json forecast_json(const Forecast& made) {
  Json by_tag = Json::object();
  for (const engine::MemoryUse& use : made.memory) by_tag[use.tag] = use.bytes;
  return {{"ceiling_bytes", made.ceiling_bytes},
          {"memory_bytes", std::move(by_tag)},
          {"memory_sum_bytes", made.memory_sum()},
          {"disk_bytes", {{"weights", made.disk_bytes}}},
          {"units", made.units},
          {"residents", made.residents},
          {"streamed_bytes", made.disk_bytes},
          {"embedding_row_bytes", made.row_bytes},
          {"ring_bytes", made.ring_bytes},
          {"kv_blocks", made.kv_blocks},
          {"kv_tokens", made.kv_tokens},
          {"max_model_len", made.max_model_len},
          {"full_sequences", made.full_sequences},
          {"context_tokens", made.context},
          {"one_sequence", optional_pass(made.one)},
          {"full_batch", optional_pass(made.batch)},
          {"as_pack", optional_pass(made.as_pack)}};
}

Json prices_json(const engine::Calibration& prices) {
  const auto known = [](double value) { return value > 0 ? Json(value) : Json(); };
  Json compute = Json::array();
  for (const placement::ComputePrice& price : prices.costs.compute) {
    compute.push_back({{"rows", price.rows}, {"s_per_byte", price.s_per_byte}});
  }
  Json sources = Json::array();
  for (const engine::PriceSource& source : prices.sources) {
    const bool measured = source.unix_time_s != 0;
    sources.push_back(
        {{"name", source.name},
         {"what", source.what},
         {"measured", measured ? Json(placement::format_time(source.unix_time_s)) : Json()},
         {"cached", source.cached}});
  }
  return {{"disk_bytes_per_s", known(prices.costs.disk_bytes_per_s)},
          {"ram_bytes_per_s", known(prices.costs.ram_bytes_per_s)},
          {"relay_bytes_per_s", known(prices.costs.relay_bytes_per_s)},
          {"compute", std::move(compute)},
          {"sources", std::move(sources)}};
}

std::string memory_list(const std::vector<engine::MemoryUse>& uses) {
  std::string text;
  for (const engine::MemoryUse& use : uses) {
    if (use.bytes == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", use.tag, format_bytes(use.bytes));
  }
  return text;
}

std::string speeds_line(const Forecast& made) {
  if (!made.one || !made.batch) return fmt::format("speed {}", kUnknownSpeed);
  std::string text =
      fmt::format("one sequence {} ({})", speed(*made.one), bottleneck_name(made.one->cost));
  if (made.batch->sequences == 1) return text;
  return text + fmt::format(", {} sequences {} ({})", made.batch->sequences, speed(*made.batch),
                            bottleneck_name(made.batch->cost));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> plan_rows(const PlanTable& table) {
  const Forecast& made = table.forecast;
  std::vector<std::pair<std::string, std::string>> rows = {{"memory", ceiling(made)}};
  for (const engine::MemoryUse& use : made.memory) {
    if (use.bytes == 0) continue;
    rows.emplace_back("  " + use.tag,
                      fmt::format("{:<9} {}", format_bytes(use.bytes), note_on(use.tag, made)));
  }
  rows.emplace_back("disk", on_disk(made));
  rows.emplace_back("one sequence", made.one ? explained(*made.one) : std::string(kUnknownSpeed));
  if (made.batch && made.batch->sequences > 1) {
    rows.emplace_back(fmt::format("{} sequences", made.batch->sequences), explained(*made.batch));
  }
  if (made.as_pack && made.one) {
    rows.emplace_back(
        "as a pack",
        fmt::format("{} ({:.2f} times as fast: `strata convert` re-lays once)",
                    speed(*made.as_pack), made.as_pack->tokens_per_s() / made.one->tokens_per_s()));
  }
  rows.emplace_back("one more GiB",
                    table.one_more_gib ? gain(made, *table.one_more_gib) : "changes nothing");
  if (made.one) {
    rows.emplace_back("context", fmt::format("{} tokens behind each sequence", made.context));
  }
  for (const engine::PriceSource& source : table.prices.sources) {
    rows.emplace_back(&source == &table.prices.sources.front() ? "measured" : "",
                      source_text(source));
  }
  return rows;
}

Json plan_json(const PlanTable& table) {
  Json json = forecast_json(table.forecast);
  json["one_more_gib"] = table.one_more_gib ? forecast_json(*table.one_more_gib) : Json();
  json["prices"] = prices_json(table.prices);
  Json decisions = Json::array();
  for (const engine::Decision& decision : table.config.decisions) {
    decisions.push_back(
        {{"name", decision.name}, {"value", decision.value}, {"reason", decision.reason}});
  }
  json["decisions"] = std::move(decisions);
  return json;
}

std::vector<std::string> plan_lines(const PlanTable& table) {
  const Forecast& made = table.forecast;
  const std::string memory = fmt::format("plan: {} ({})", ceiling(made), memory_list(made.memory));
  if (made.disk_bytes == 0 && made.row_bytes == 0) {
    if (!made.one) return {memory};
    return {fmt::format("{}; {}", memory, speeds_line(made))};
  }
  std::vector<std::string> lines = {
      memory,
      fmt::format("plan: {} of {} units stay in memory{}; KV for {} sequence{} of {} tokens",
                  made.residents, made.units, read_text(made), made.full_sequences,
                  plural(made.full_sequences), made.max_model_len),
      fmt::format("plan: {}", speeds_line(made))};
  for (const engine::PriceSource& source : table.prices.sources) {
    lines.push_back(fmt::format("plan: measured {}", source_text(source)));
  }
  return lines;
}

std::vector<std::string> outcome_lines(const engine::Engine& engine,
                                       const engine::OpenedModel& opened,
                                       const placement::CostTable& costs) {
  const engine::EngineStats stats = engine.stats();
  const auto predicted =
      engine::predicted_s(stats, engine::PassPrices(engine.config(), opened, costs));
  std::vector<std::string> lines;
  if (predicted) {
    const auto passes = static_cast<double>(stats.steps);
    const double measured = stats.total_us() * 1e-6;
    const auto tokens = static_cast<double>(stats.tokens_out);
    lines.push_back(fmt::format(
        "plan: {} passes; predicted {} each, {}; measured {} each, {} ({:+.0f} % of time)",
        stats.steps, format_seconds(*predicted / passes), format_speed(tokens / *predicted),
        format_seconds(measured / passes), format_speed(tokens / measured),
        100 * (measured / *predicted - 1)));
  }
  if (!engine.config().placement.streams()) return lines;
  std::string text;
  for (const engine::MemoryUse& use :
       engine::make_forecast(engine.config(), opened, costs).memory) {
    const auto found = std::ranges::find(stats.memory, use.tag, &engine::MemoryUse::tag);
    if (found == stats.memory.end()) continue;
    text += fmt::format("{}{} {} / {}", text.empty() ? "" : ", ", use.tag, format_bytes(use.bytes),
                        format_bytes(found->bytes));
  }
  lines.push_back(fmt::format("plan: memory planned / held: {}", text));
  return lines;
}

}  // namespace strata::apps
