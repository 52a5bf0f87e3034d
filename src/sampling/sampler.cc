// The order of things for one row: logprobs of the row as it came, processors, choice, row as it
// was.
#include "sampling/sampler.h"

#include <fmt/core.h>

#include <cmath>

#include "base/check.h"
#include "kernels/fp_mode.h"
#include "sampling/filters.h"
#include "sampling/mask.h"
#include "sampling/processors.h"
#include "sampling/random.h"

namespace strata::sampling {
namespace {

std::unexpected<Status> broken_row(float largest) {
  return fail(Code::kInvalidData, "the model's largest logit", fmt::format("{}", largest),
              "a finite number", "the weights are damaged, or overflow in this --dtype");
}

std::unexpected<Status> no_token_left() {
  return fail(
      Code::kInvalidArgument, "no token is left to choose from", {}, "at least one",
      "allowed_token_ids, bad_words, min_tokens and the grammar together exclude all of them");
}

// The logits of allowed ids side by side, where the request names some; what a grammar bans among
// the logits is -infinity.
std::span<const float> allowed(std::span<const float> logits, const DecodeState& state,
                               SamplerScratch& scratch) {
  const std::vector<int32_t>& ids = state.request().allowed_ids;
  if (ids.empty() && state.guide() == nullptr) return logits;
  if (ids.empty()) {
    mask_row(logits, state, scratch.gathered);
    return scratch.gathered;
  }
  scratch.gathered.clear();
  for (const int32_t id : ids) {
    const bool banned = state.guide() != nullptr && !mask_allows(state, id);
    scratch.gathered.push_back(banned ? -INFINITY : logits[static_cast<size_t>(id)]);
  }
  return scratch.gathered;
}

// Of the processed row.
Result<int32_t> choose(std::span<const float> logits, const DecodeState& state,
                       SamplerScratch& scratch) {
  const std::vector<int32_t>& ids = state.request().allowed_ids;
  const Row row = look_at(allowed(logits, state, scratch), scratch);
  if (row.largest == -INFINITY) return no_token_left();
  if (!std::isfinite(row.largest)) return broken_row(row.largest);
  const SamplingParams& params = state.params();
  int32_t index = 0;
  if (static_cast<float>(params.temperature) == 0) {
    index = most_likely(row);
  } else {
    const double u = uniform(params.seed, state.choice(), static_cast<uint64_t>(state.position()));
    index = filter_and_draw(row, params, u, scratch);
  }
  return ids.empty() ? index : ids[static_cast<size_t>(index)];
}

}  // namespace

Result<Sampled> sample(std::span<float> logits, const DecodeState& state, SamplerScratch& scratch) {
  const text::Guide* guide = state.guide();
  CHECK(guide == nullptr || guide->has_mask(), "prepare_mask() comes before sample()");
  if (guide != nullptr && guide->failure() != nullptr) {
    return std::unexpected(Status(*guide->failure()).with_context("structured output"));
  }
  const kernels::FpModeScope mode;
  apply_processors(logits, state, scratch);
  const bool changed =
      !scratch.undo.empty() || !state.request().allowed_ids.empty() || guide != nullptr;
  const Result<int32_t> token = choose(logits, state, scratch);
  undo_processors(logits, scratch);
  const std::optional<int64_t> wanted = state.params().logprobs;
  if (token && !wanted) return Sampled{.token = *token};
  const Row row = look_at(logits, scratch);
  // A row of the model's that nothing can be chosen from is not the request's fault.
  if (!token && (!changed || !std::isfinite(row.largest))) return broken_row(row.largest);
  if (!token) return std::unexpected(token.error());
  return Sampled{.token = *token, .logprobs = logprobs_of(row, *token, *wanted, scratch)};
}

}  // namespace strata::sampling
