// Sorting and adding up.
#include "apps/bench/serve/load_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>

namespace strata::apps {
namespace {

struct Line {
  std::string_view label;
  std::string_view key;
  int digits = 2;
};

constexpr Line kCounts[] = {
    {"requests answered", "completed", 0},
    {"requests failed", "failed", 0},
    {"seconds", "duration"},
    {"most at once", "max_concurrent_requests", 0},
    {"prompt tokens", "total_input_tokens", 0},
    {"generated tokens", "total_output_tokens", 0},
    {"requests/s", "request_throughput"},
    {"generated tokens/s", "output_throughput", 1},
    {"all tokens/s", "total_token_throughput", 1},
};
constexpr Line kGoodput = {"requests/s within the SLO", "request_goodput"};

struct Measure {
  std::string_view label;
  std::string_view key;
};
constexpr Measure kMeasures[] = {{"first token (TTFT)", "ttft"},
                                 {"per token (TPOT)", "tpot"},
                                 {"between tokens (ITL)", "itl"},
                                 {"end to end (E2EL)", "e2el"}};
constexpr Measure kRefusal = {"until a refusal (429, 503)", "refusal"};
constexpr double kLate = 50;  // milliseconds behind --rate that are worth a line
constexpr std::string_view kStatistics[] = {"mean", "p50", "p90", "p99", "max"};

// Of times in seconds, in milliseconds.
void add_statistics(Json& report, std::string_view key, std::vector<double> values) {
  std::ranges::sort(values);
  const auto count = static_cast<double>(std::max<size_t>(1, values.size()));
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto add = [&](std::string_view name, double seconds) {
    report[fmt::format("{}_{}_ms", name, key)] = seconds * 1e3;
  };
  add("mean", mean);
  add("std", std::sqrt(squares / count));
  add("median", percentile(values, 0.5));
  add("p50", percentile(values, 0.5));
  add("p90", percentile(values, 0.9));
  add("p99", percentile(values, 0.99));
  add("max", values.empty() ? 0 : values.back());
}

bool within(const RequestOutcome& outcome, const Slo& slo) {
  const auto keeps = [](const std::optional<double>& limit_ms, double seconds) {
    return !limit_ms || seconds * 1e3 <= *limit_ms;
  };
  return keeps(slo.ttft_ms, outcome.ttft_s()) && keeps(slo.tpot_ms, outcome.per_token_s()) &&
         keeps(slo.e2el_ms, outcome.whole_s());
}

// What is one value for each answer.
struct Columns {
  std::vector<double> ttft, tpot, itl, e2el, start;
  std::vector<int64_t> prompts, answers;
  Json gaps = Json::array();
};

Columns columns_of(const LoadRun& run) {
  Columns made;
  for (const RequestOutcome& outcome : run.outcomes) {
    if (!outcome.good()) continue;
    made.ttft.push_back(outcome.ttft_s());
    if (outcome.answer_tokens > 1) made.tpot.push_back(outcome.per_token_s());
    made.itl.insert(made.itl.end(), outcome.gaps_s.begin(), outcome.gaps_s.end());
    made.e2el.push_back(outcome.whole_s());
    made.start.push_back(outcome.start_s);
    made.prompts.push_back(outcome.prompt_tokens);
    made.answers.push_back(outcome.answer_tokens);
    made.gaps.push_back(outcome.gaps_s);
  }
  return made;
}

void add_errors(Json& report, const LoadRun& run) {
  std::map<std::string, int64_t> kinds;
  Json details = Json::object();
  for (const RequestOutcome& outcome : run.outcomes) {
    if (outcome.good()) continue;
    if (kinds[outcome.error]++ == 0) details[outcome.error] = outcome.detail;
  }
  report["errors"] = Json::object();
  for (const auto& [kind, count] : kinds) report["errors"][kind] = count;
  report["error_details"] = std::move(details);
}

// A server that has too much to do says so with these: what counts then is how soon.
void add_refusals(Json& report, const LoadRun& run) {
  std::vector<double> times;
  for (const RequestOutcome& outcome : run.outcomes) {
    const bool refused = outcome.error == "http 429" || outcome.error == "http 503";
    if (refused) times.push_back(outcome.end_s - outcome.start_s);
  }
  report["refused"] = times.size();
  add_statistics(report, kRefusal.key, std::move(times));
}

double longest_delay_s(const LoadRun& run) {
  double most = 0;
  for (const RequestOutcome& outcome : run.outcomes) most = std::max(most, outcome.delay_s);
  return most;
}

bool has_refusals(const Json& report) { return report.value("refused", 0) > 0; }

std::vector<Measure> measures(bool with_refusals) {
  std::vector<Measure> made(std::begin(kMeasures), std::end(kMeasures));
  if (with_refusals) made.push_back(kRefusal);
  return made;
}

std::string number(const Json& report, const Line& line) {
  return fmt::format("{:.{}f}", report.value(std::string(line.key), 0.0), line.digits);
}

std::string statistic_key(std::string_view statistic, std::string_view measure) {
  return fmt::format("{}_{}_ms", statistic, measure);
}

std::string change(double before, double after) {
  return before == 0 ? "-" : fmt::format("{:+.1f} %", 100 * (after / before - 1));
}

Result<std::string> compared(const Json& before, const Json& after, const Line& line) {
  const double old = TRY(get_double(before, line.key));
  const double now = TRY(get_double(after, line.key));
  return fmt::format("{:<28}{:>14.{}f}{:>14.{}f}{:>12}\n", line.label, old, line.digits, now,
                     line.digits, change(old, now));
}

}  // namespace

Result<Slo> parse_slo(std::string_view text) {
  Slo slo;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t colon = std::min(part.find(':'), part.size());
    const std::string_view name = part.substr(0, colon);
    const std::string_view value = part.substr(std::min(colon + 1, part.size()));
    double ms = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
    std::optional<double>* limit = name == "ttft"   ? &slo.ttft_ms
                                   : name == "tpot" ? &slo.tpot_ms
                                   : name == "e2el" ? &slo.e2el_ms
                                                    : nullptr;
    const bool whole = error == std::errc() && stop == value.data() + value.size();
    if (limit == nullptr || !whole || !(ms > 0)) {
      return fail(Code::kInvalidArgument, "--slo", fmt::format("\"{}\"", part),
                  "ttft:MS, tpot:MS or e2el:MS, with commas between");
    }
    *limit = ms;
  }
  return slo;
}

double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - std::floor(at)) * (sorted[above] - sorted[below]);
}

Json report_json(const LoadRun& run, const Slo& slo) {
  const Columns columns = columns_of(run);
  const auto sum = [](const std::vector<int64_t>& values) {
    return std::accumulate(values.begin(), values.end(), int64_t{0});
  };
  const int64_t prompts = sum(columns.prompts), answers = sum(columns.answers);
  const double seconds = std::max(run.duration_s, 1e-9);
  const auto per_s = [seconds](int64_t count) { return static_cast<double>(count) / seconds; };
  const auto completed = std::ssize(columns.ttft);
  Json report = {{"model_id", run.model},
                 {"duration", run.duration_s},
                 {"completed", completed},
                 {"failed", std::ssize(run.outcomes) - completed},
                 {"interrupted", run.interrupted},
                 {"max_concurrent_requests", run.most_at_once},
                 {"total_input_tokens", prompts},
                 {"total_output_tokens", answers},
                 {"request_throughput", per_s(completed)},
                 {"output_throughput", per_s(answers)},
                 {"total_token_throughput", per_s(prompts + answers)}};
  if (slo.any()) {
    const int64_t good = std::ranges::count_if(run.outcomes, [&](const RequestOutcome& outcome) {
      return outcome.good() && within(outcome, slo);
    });
    report["request_goodput"] = per_s(good);
  }
  add_statistics(report, "ttft", columns.ttft);
  add_statistics(report, "tpot", columns.tpot);
  add_statistics(report, "itl", columns.itl);
  add_statistics(report, "e2el", columns.e2el);
  add_refusals(report, run);
  report["max_send_delay_ms"] = longest_delay_s(run) * 1e3;
  add_errors(report, run);
  report["input_lens"] = columns.prompts;
  report["output_lens"] = columns.answers;
  report["start_times"] = columns.start;
  report["ttfts"] = columns.ttft;
  report["itls"] = columns.gaps;
  report["e2els"] = columns.e2el;
  return report;
}

std::string report_table(const Json& report) {
  std::string text;
  for (const Line& line : kCounts) {
    text += fmt::format("{:<28}{:>14}\n", line.label, number(report, line));
  }
  if (report.contains(kGoodput.key)) {
    text += fmt::format("{:<28}{:>14}\n", kGoodput.label, number(report, kGoodput));
  }
  for (const auto& [kind, count] : report["errors"].items()) {
    text += fmt::format("{:<28}{:>14}  {}\n", fmt::format("  failed: {}", kind), count.dump(),
                        report["error_details"].value(kind, ""));
  }
  const double delay_ms = report.value("max_send_delay_ms", 0.0);
  if (delay_ms >= kLate) {
    text += fmt::format("{:<28}{:>14.0f}  this client had too little of a processor\n",
                        "sent late by up to, ms", delay_ms);
  }
  text += fmt::format("\n{:<28}", "milliseconds");
  for (const std::string_view statistic : kStatistics) text += fmt::format("{:>11}", statistic);
  for (const Measure& measure : measures(has_refusals(report))) {
    text += fmt::format("\n{:<28}", measure.label);
    for (const std::string_view statistic : kStatistics) {
      text += fmt::format("{:>11.2f}", report.value(statistic_key(statistic, measure.key), 0.0));
    }
  }
  return text + "\n";
}

Result<std::string> comparison_table(const Json& before, const Json& after) {
  std::string text = fmt::format("{:<28}{:>14}{:>14}{:>12}\n", "", "before", "this run", "change");
  for (const Line& line : kCounts) text += TRY(compared(before, after, line));
  if (before.contains(kGoodput.key) && after.contains(kGoodput.key)) {
    text += TRY(compared(before, after, kGoodput));
  }
  const bool counted = before.contains("refused");  // by a program of today
  for (const Measure& measure :
       measures(counted && (has_refusals(before) || has_refusals(after)))) {
    for (const std::string_view statistic : kStatistics) {
      const std::string key = statistic_key(statistic, measure.key);
      const std::string label = fmt::format("{} {}, ms", measure.key, statistic);
      text += TRY(compared(before, after, {.label = label, .key = key}));
    }
  }
  return text;
}

}  // namespace strata::apps
