// Draws in a fixed order: times first, then lengths.
#include "apps/bench/serve/load_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <numbers>

#include "apps/line_reader.h"

namespace strata::apps {
namespace {

constexpr double kLeastDrawn = 4, kMostDrawn = 2048;
constexpr std::string_view kLognormal = "lognormal:";
constexpr int64_t kAnyLength = 1 << 24;

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

std::optional<LengthSpec::Lognormal> lognormal_of(std::string_view text) {
  const size_t colon = std::min(text.find(':'), text.size() - 1);
  const auto mean = number_of(text.substr(0, colon)), sigma = number_of(text.substr(colon + 1));
  if (!mean || !sigma || *mean < 1 || *mean > 1e6 || *sigma < 0 || *sigma > 10) return {};
  return LengthSpec::Lognormal{*mean, *sigma};
}

// A row is a body, or a line of a batch file with one.
Result<Json> body_of(const LineReader::Line& line, const std::string& path) {
  const std::string where = fmt::format("{}:{}", path, line.number);
  Json row = TRY(parse_json_object(line.text, where));
  if (const Json* body = find_member(row, "body"); body != nullptr && body->is_object()) {
    row = Json(*body);
  }
  if (row.contains("messages") || row.contains("prompt")) return row;
  return fail(Code::kInvalidData, where, "neither", "\"messages\" or \"prompt\"");
}

Result<std::vector<Json>> read_dataset(Env& env, const std::string& path) {
  std::vector<Json> bodies;
  LineReader reader = TRY(LineReader::open(env, path));
  while (const auto line = TRY(reader.next())) {
    if (line->too_long) return std::unexpected(line_too_long().with_context(path));
    bodies.push_back(TRY(body_of(*line, path)));
  }
  if (bodies.empty()) return fail(Code::kInvalidData, path, "no row", "a body a line");
  return bodies;
}

void set_times(std::vector<PlannedRequest>& plan, const LoadPlanArgs& args, LoadRandom& random) {
  if (!args.rate) return;
  double at = 0;
  for (PlannedRequest& request : plan) {
    request.at_s = at;
    at += random.gamma(args.burstiness) / *args.rate;
  }
}

}  // namespace

Result<LengthSpec> parse_length_spec(const std::string& flag, std::string_view text) {
  if (!text.starts_with(kLognormal)) return LengthSpec{TRY(parse_length_range(flag, text))};
  const auto lognormal = lognormal_of(text.substr(kLognormal.size()));
  if (lognormal) return LengthSpec{.range = {}, .lognormal = lognormal};
  return fail(Code::kInvalidArgument, flag, fmt::format("\"{}\"", text), "lognormal:MEAN:SIGMA");
}

double LoadRandom::uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }

double LoadRandom::normal() {
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

// Marsaglia and Tsang, A simple method for generating gamma variables; a shape below 1 by that of
// one above it.
double LoadRandom::gamma(double shape) {
  if (shape < 1) {
    const double above = gamma(shape + 1) * (shape + 1);
    return above * std::pow(uniform(), 1 / shape) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal(), v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(uniform()) < x * x / 2 + d - d * v + d * std::log(v)) {
      return d * v / shape;
    }
  }
}

int64_t LoadRandom::length(const LengthSpec& spec) {
  if (!spec.lognormal) {
    const auto values = static_cast<double>(spec.range.most - spec.range.least + 1);
    return spec.range.least + static_cast<int64_t>(uniform() * values);
  }
  // The mean of a lognormal is exp(mu + sigma^2 / 2).
  const auto [mean, sigma] = *spec.lognormal;
  const double mu = std::log(mean) - sigma * sigma / 2;
  return std::llround(std::clamp(std::exp(mu + sigma * normal()), kLeastDrawn, kMostDrawn));
}

Result<std::vector<PlannedRequest>> plan_load(Env& env, const LoadPlanArgs& args) {
  LoadRandom random(args.seed);
  std::vector<PlannedRequest> plan(static_cast<size_t>(args.requests));
  set_times(plan, args, random);
  std::vector<Json> bodies;
  std::vector<sched::ModelRequest> lengths;
  if (!args.dataset.empty()) bodies = TRY(read_dataset(env, args.dataset));
  if (!args.lengths.empty())
    lengths = TRY(read_lengths(env, args.lengths, args.requests, kAnyLength));
  for (size_t i = 0; i < plan.size(); i++) {
    PlannedRequest& request = plan[i];
    request.seed = random.next();
    request.prompt_tokens = random.length(args.prompt);
    request.answer_tokens = random.length(args.answer);
    if (!lengths.empty()) {
      const sched::ModelRequest& row = lengths[i];
      request.prompt_tokens = row.prompt_tokens;
      request.answer_tokens = row.max_tokens;
    }
    if (!bodies.empty()) request.body = bodies[i % bodies.size()];
  }
  return plan;
}

std::string words(int64_t count, uint64_t seed) {
  constexpr const char* kWords[] = {
      "river",   "stone",  "light",  "winter", "garden", "letter", "window", "silver",
      "morning", "bread",  "ocean",  "story",  "paper",  "summer", "music",  "forest",
      "yellow",  "market", "horse",  "cloud",  "table",  "friend", "island", "candle",
      "road",    "number", "dinner", "glass",  "night",  "water",  "child",  "mountain"};
  LoadRandom random(seed);
  std::string text;
  for (int64_t i = 0; i < count; i++) {
    if (i > 0) text += ' ';
    text += kWords[random.next() % std::size(kWords)];
  }
  return text;
}

}  // namespace strata::apps
