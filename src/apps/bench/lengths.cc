// Rows of a table, and draws from a generator of fixed definition.
#include "apps/bench/lengths.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

namespace strata::apps {
namespace {

constexpr uint64_t kMaxFileBytes = 64 << 20;
constexpr int64_t kMostTokens = 1 << 24;
constexpr double kLeastDrawn = 4, kMostDrawn = 2048;
constexpr std::string_view kLognormal = "lognormal:";

std::optional<int64_t> length_of(std::string_view text) {
  int64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || length < 1 || length > kMostTokens) return {};
  return length;
}

Result<sched::ModelRequest> read_row(std::string_view row, const std::string& where) {
  const size_t comma = row.find(',');
  const auto prompt = length_of(row.substr(0, comma));
  const auto answer =
      comma == std::string_view::npos ? std::nullopt : length_of(row.substr(comma + 1));
  if (prompt && answer) return sched::ModelRequest{*prompt, *answer};
  return fail(Code::kInvalidData, where, std::string(row.substr(0, 60)),
              "two numbers of tokens >= 1 with a comma between");
}

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

}  // namespace

Result<std::vector<sched::ModelRequest>> read_lengths(Env& env, const std::string& path,
                                                      int64_t requests, int64_t max_model_len) {
  const std::string text = TRY(env.read_small_file(path, kMaxFileBytes));
  std::vector<sched::ModelRequest> read;
  int64_t line = 0;
  for (size_t at = 0; at < text.size() && std::cmp_less(read.size(), requests);) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view row = std::string_view(text).substr(at, end - at);
    at = end + 1;
    line++;
    if (row.empty() || row.starts_with('#')) continue;
    const std::string where = fmt::format("{}:{}", path, line);
    const sched::ModelRequest request = TRY(read_row(row, where));
    const int64_t tokens = request.prompt_tokens + request.max_tokens;
    if (tokens > max_model_len) {
      return fail(Code::kInvalidData, where, fmt::format("{} tokens", tokens),
                  fmt::format("at most {}", max_model_len), "raise --max-model-len");
    }
    read.push_back(request);
  }
  if (std::cmp_equal(read.size(), requests)) return read;
  return fail(Code::kInvalidData, path, fmt::format("{} rows", read.size()),
              fmt::format("{} or more", requests), "lower --requests");
}

Result<LengthSpec> parse_length_spec(const std::string& flag, std::string_view text) {
  if (text.starts_with(kLognormal)) {
    const auto lognormal = lognormal_of(text.substr(kLognormal.size()));
    if (lognormal) return LengthSpec{.lognormal = lognormal};
    return fail(Code::kInvalidArgument, flag, fmt::format("\"{}\"", text), "lognormal:MEAN:SIGMA");
  }
  const size_t colon = text.find(':');
  const auto least = length_of(text.substr(0, colon));
  const auto most = colon == std::string_view::npos ? least : length_of(text.substr(colon + 1));
  if (least && most && *least <= *most) return LengthSpec{.least = *least, .most = *most};
  return fail(Code::kInvalidArgument, flag, std::string(text),
              "two numbers of tokens like 32:512, one, or lognormal:MEAN:SIGMA");
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
    // The remainder's bias is below 2^-39.
    return spec.least +
           static_cast<int64_t>(next() % static_cast<uint64_t>(spec.most - spec.least + 1));
  }
  // The mean of a lognormal is exp(mu + sigma^2 / 2).
  const auto [mean, sigma] = *spec.lognormal;
  const double mu = std::log(mean) - sigma * sigma / 2;
  return std::llround(std::clamp(std::exp(mu + sigma * normal()), kLeastDrawn, kMostDrawn));
}

std::vector<sched::ModelRequest> draw_lengths(int64_t requests, const LengthSpec& prompt,
                                              const LengthSpec& answer, uint64_t seed) {
  LoadRandom random(seed);
  std::vector<sched::ModelRequest> drawn;
  for (int64_t i = 0; i < requests; i++) {
    const int64_t prompt_tokens = random.length(prompt);
    drawn.push_back({.prompt_tokens = prompt_tokens, .max_tokens = random.length(answer)});
  }
  return drawn;
}

}  // namespace strata::apps
