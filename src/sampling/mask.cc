// A word of the mask is 32 logits: most words of a mask are all ones or all zeros.
#include "sampling/mask.h"

#include <algorithm>
#include <cmath>

namespace strata::sampling {
namespace {

constexpr size_t kWord = 32;

void copy_word(std::span<const float> logits, uint32_t word, float* out) {
  if (word == UINT32_MAX) {
    std::ranges::copy(logits, out);
    return;
  }
  for (size_t i = 0; i < logits.size(); i++) {
    out[i] = ((word >> i) & 1) != 0 ? logits[i] : -INFINITY;
  }
}

}  // namespace

bool mask_allows(const DecodeState& state, int32_t id) {
  const text::Guide& guide = *state.guide();
  if (std::ranges::binary_search(state.request().end_ids, id)) return guide.may_end();
  return guide.allows(id);
}

void mask_row(std::span<const float> logits, const DecodeState& state, std::vector<float>& masked) {
  masked.assign(logits.size(), -INFINITY);
  const std::span<const uint32_t> mask = state.guide()->mask();
  for (size_t word = 0; word < mask.size(); word++) {
    if (mask[word] == 0) continue;
    const size_t first = word * kWord;
    const size_t count = std::min(kWord, logits.size() - first);
    copy_word(logits.subspan(first, count), mask[word], masked.data() + first);
  }
  for (const int32_t id : state.request().end_ids) {
    const auto at = static_cast<size_t>(id);
    masked[at] = mask_allows(state, id) ? logits[at] : -INFINITY;
  }
}

}  // namespace strata::sampling
