// Draws in a fixed order: times first, then lengths.
#include "apps/bench/serve/load_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "base/line_reader.h"

namespace strata::apps {
namespace {

constexpr int64_t kAnyLength = 1 << 24;

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
