// The k-th largest of the blocks' maxima is a logit that k others reach or are: the k most likely
// are among those not below it, and these lie in the few blocks whose maximum is not.
#include "sampling/row.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace strata::sampling {
namespace {

constexpr size_t kBlock = kernels::kLogitBlock;

// Most of what is passed to it is below `least`.
void take_block(const Row& row, size_t block, float least, std::vector<Candidate>& out) {
  const size_t end = std::min(row.logits.size(), (block + 1) * kBlock);
  for (size_t i = block * kBlock; i < end; i++) {
    if (!(row.logits[i] >= least)) continue;
    out.push_back({.logit = row.logits[i], .id = static_cast<int32_t>(i)});
  }
}

float kth_largest(std::span<const float> values, size_t k, std::vector<float>& ranked) {
  ranked.assign(values.begin(), values.end());
  const auto kth = ranked.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(ranked.begin(), kth, ranked.end(), std::greater<>());
  return *kth;
}

}  // namespace

Row look_at(std::span<const float> logits, SamplerScratch& scratch) {
  std::vector<float>& maxima = scratch.maxima;
  maxima.resize((logits.size() + kBlock - 1) / kBlock);
  scratch.passes->block_max(logits.data(), static_cast<int64_t>(logits.size()), maxima.data());
  float largest = -INFINITY;
  for (const float max : maxima) largest = max > largest ? max : largest;
  return {logits, maxima, largest};
}

int32_t most_likely(const Row& row) {
  size_t block = 0;
  while (row.maxima[block] != row.largest) block++;
  size_t id = block * kBlock;
  while (row.logits[id] != row.largest) id++;
  return static_cast<int32_t>(id);
}

void take_most_likely(const Row& row, size_t most, float floor, SamplerScratch& scratch) {
  std::vector<Candidate>& out = scratch.candidates;
  out.clear();
  if (most == 0) return;
  float least = floor;
  if (most <= row.maxima.size())
    least = std::max(least, kth_largest(row.maxima, most, scratch.ranked));
  for (size_t block = 0; block < row.maxima.size(); block++) {
    if (row.maxima[block] >= least) take_block(row, block, least, out);
  }
  if (out.size() <= most) return;
  const auto end = out.begin() + static_cast<std::ptrdiff_t>(most);
  std::nth_element(out.begin(), end - 1, out.end(), before);
  out.erase(end, out.end());
  std::ranges::sort(out, {}, &Candidate::id);
}

}  // namespace strata::sampling
