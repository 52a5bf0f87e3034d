// Ranges, one check a field.
#include "sampling/params.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace strata::sampling {
namespace {

Result<void> check_range(const std::string& name, double value, bool inside,
                         const std::string& range) {
  if (inside) return {};
  return fail(Code::kInvalidArgument, name, fmt::format("{}", value), range);
}

Result<void> check_count(const std::string& name, size_t count, size_t most, const char* things) {
  if (count <= most) return {};
  return fail(Code::kInvalidArgument, name, fmt::format("{} {}", count, things),
              fmt::format("at most {}", most));
}

Result<void> check_id(const std::string& name, int64_t id, int64_t vocab) {
  if (id >= 0 && id < vocab) return {};
  return fail(Code::kInvalidArgument, name, fmt::format("{}", id),
              fmt::format("a token id from 0 to {}", vocab - 1));
}

Result<void> check_ids(const std::string& name, const std::vector<int32_t>& ids, int64_t vocab) {
  for (size_t i = 0; i < ids.size(); i++)
    TRY(check_id(fmt::format("{}[{}]", name, i), ids[i], vocab));
  return {};
}

Result<void> check_filters(const SamplingParams& p) {
  TRY(check_range("temperature", p.temperature, p.temperature >= 0 && p.temperature <= 100,
                  "0 to 100"));
  TRY(check_range("top_k", static_cast<double>(p.top_k), p.top_k >= -1, "-1 or 0 (off) or more"));
  TRY(check_range("top_p", p.top_p, p.top_p > 0 && p.top_p <= 1, "more than 0, at most 1"));
  TRY(check_range("min_p", p.min_p, p.min_p >= 0 && p.min_p <= 1, "0 to 1"));
  TRY(check_range("typical_p", p.typical_p, p.typical_p > 0 && p.typical_p <= 1,
                  "more than 0, at most 1"));
  return {};
}

Result<void> check_penalties(const SamplingParams& p) {
  // Beyond these the penalised logits are no f32 numbers any more.
  TRY(check_range("repetition_penalty", p.repetition_penalty,
                  p.repetition_penalty >= 1e-6 && p.repetition_penalty <= 1e6, "1e-6 to 1e6"));
  TRY(check_range("presence_penalty", p.presence_penalty, std::abs(p.presence_penalty) <= 2,
                  "-2 to 2"));
  TRY(check_range("frequency_penalty", p.frequency_penalty, std::abs(p.frequency_penalty) <= 2,
                  "-2 to 2"));
  return {};
}

Result<void> check_logit_bias(const SamplingParams& p, int64_t vocab) {
  TRY(check_count("logit_bias", p.logit_bias.size(), kMaxLogitBias, "ids"));
  std::set<int32_t> seen;
  for (const auto& [id, bias] : p.logit_bias) {
    TRY(check_id("logit_bias", id, vocab));
    TRY(check_range(fmt::format("logit_bias[{}]", id), bias, std::abs(bias) <= 100, "-100 to 100"));
    if (seen.insert(id).second) continue;
    return fail(Code::kInvalidArgument, "logit_bias", fmt::format("id {} twice", id),
                "each id once");
  }
  return {};
}

Result<void> check_bad_words(const SamplingParams& p, int64_t vocab) {
  TRY(check_count("bad_words", p.bad_words.size(), kMaxBadWords, "words"));
  for (size_t i = 0; i < p.bad_words.size(); i++) {
    const std::string name = fmt::format("bad_words[{}]", i);
    if (p.bad_words[i].empty()) {
      return fail(Code::kInvalidArgument, name, "no token", "at least one");
    }
    TRY(check_count(name, p.bad_words[i].size(), kMaxBadWordTokens, "tokens"));
    TRY(check_ids(name, p.bad_words[i], vocab));
  }
  return {};
}

Result<void> check_stops(const SamplingParams& p, const ParamLimits& limits) {
  TRY(check_count("stop", p.stop.size(), kMaxStops, "texts"));
  for (size_t i = 0; i < p.stop.size(); i++) {
    const std::string name = fmt::format("stop[{}]", i);
    if (p.stop[i].empty()) return fail(Code::kInvalidArgument, name, "an empty text", "some text");
    TRY(check_count(name, p.stop[i].size(), kMaxStopBytes, "bytes"));
  }
  return check_range("min_tokens", static_cast<double>(p.min_tokens),
                     p.min_tokens >= 0 && p.min_tokens <= limits.max_tokens,
                     fmt::format("0 to max_tokens ({})", limits.max_tokens));
}

Result<void> check_logprobs(const char* name, const std::optional<int64_t>& count) {
  const int64_t wanted = count.value_or(0);
  return check_range(name, static_cast<double>(wanted), wanted >= 0 && wanted <= kMaxLogprobs,
                     fmt::format("0 to {}", kMaxLogprobs));
}

Result<void> check_grammar(const SamplingParams& p, int64_t vocab) {
  if (!p.grammar || p.grammar->vocab() == vocab) return {};
  return fail(Code::kInvalidArgument, "the grammar's vocabulary",
              fmt::format("{} ids", p.grammar->vocab()), fmt::format("the model's {}", vocab));
}

}  // namespace

Result<void> validate(const SamplingParams& params, const ParamLimits& limits) {
  TRY(check_filters(params));
  TRY(check_penalties(params));
  TRY(check_logit_bias(params, limits.vocab));
  TRY(check_ids("stop_token_ids", params.stop_token_ids, limits.vocab));
  TRY(check_ids("allowed_token_ids", params.allowed_token_ids, limits.vocab));
  TRY(check_bad_words(params, limits.vocab));
  TRY(check_stops(params, limits));
  TRY(check_grammar(params, limits.vocab));
  TRY(check_logprobs("logprobs", params.logprobs));
  return check_logprobs("prompt_logprobs", params.prompt_logprobs);
}

}  // namespace strata::sampling
