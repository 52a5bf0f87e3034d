// Filters as thresholds in one total order (logit down, id up): no full sort. Sums are double in a
// fixed order, exp is the kernels' own.
#include "sampling/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "kernels/fp_mode.h"
#include "kernels/ref/math.h"
#include "sampling/random.h"

namespace strata::sampling {
namespace {

using Candidate = SamplerScratch::Candidate;

// More likely first.
bool before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

Result<void> check_range(const char* name, double value, bool inside, const char* range) {
  if (inside) return {};
  return fail(Code::kInvalidArgument, name, fmt::format("{}", value), range);
}

// NaN never compares greater, so it is passed over; where nothing is greater than -infinity the
// first id comes back.
int32_t argmax(std::span<const float> logits) {
  size_t best = 0;
  float largest = -INFINITY;
  for (size_t i = 0; i < logits.size(); i++) {
    if (logits[i] > largest) {
      largest = logits[i];
      best = i;
    }
  }
  return static_cast<int32_t>(best);
}

void take_all(std::span<const float> logits, std::vector<Candidate>& out) {
  out.clear();
  for (size_t i = 0; i < logits.size(); i++) {
    if (logits[i] == logits[i]) out.push_back({logits[i], 0, static_cast<int32_t>(i)});
  }
}

// Keeps up to 2k candidates and cuts them to k when full; what does not beat the k-th of the last
// cut is skipped by one compare.
void take_top_k(std::span<const float> logits, size_t k, std::vector<Candidate>& out) {
  out.clear();
  float threshold = -INFINITY;
  const auto cut = [&] {
    const auto kth = out.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(out.begin(), kth - 1, out.end(), before);
    threshold = (kth - 1)->logit;
    out.erase(kth, out.end());
  };
  for (size_t i = 0; i < logits.size(); i++) {
    // An equal logit has a higher id than everything kept: it cannot be among the k unless they are
    // fewer.
    if (!(logits[i] > threshold) && out.size() >= k) continue;
    if (logits[i] != logits[i]) continue;
    out.push_back({logits[i], 0, static_cast<int32_t>(i)});
    if (out.size() == 2 * k) cut();
  }
  if (out.size() > k) cut();
  std::ranges::sort(out, {}, &Candidate::id);
}

// Weights relative to the largest logit; what weighs nothing leaves. Returns the sum in order of
// ids.
double weigh(std::vector<Candidate>& candidates, float largest, float temperature) {
  double total = 0;
  size_t kept = 0;
  for (const Candidate& candidate : candidates) {
    const float weight = kernels::exp_f32((candidate.logit - largest) / temperature);
    if (weight == 0) continue;
    total += weight;
    candidates[kept++] = {candidate.logit, weight, candidate.id};
  }
  candidates.resize(kept);
  return total;
}

// Sixteen bins per power of two, the largest weight (1) in bin 0.
constexpr int kBinShift = 19;
constexpr size_t kBins = (std::bit_cast<uint32_t>(1.0f) >> kBinShift) + 1;

size_t bin_of(float weight) { return kBins - 1 - (std::bit_cast<uint32_t>(weight) >> kBinShift); }

// The least likely candidate that top_p keeps: whole bins are passed by their mass, only the bin
// with the border is sorted.
Candidate last_of_top_p(double share_mass, SamplerScratch& scratch) {
  std::vector<double>& bins = scratch.bins;
  bins.assign(kBins, 0);
  for (const Candidate& candidate : scratch.candidates)
    bins[bin_of(candidate.weight)] += candidate.weight;
  size_t bin = 0;
  double mass = 0;
  size_t last_used = 0;
  for (; bin < kBins && mass + bins[bin] < share_mass; bin++) {
    mass += bins[bin];
    if (bins[bin] > 0) last_used = bin;
  }
  // Rounding may leave the sum of all bins below the share: then everything is kept.
  if (bin == kBins) bin = last_used;
  std::vector<Candidate>& sorted = scratch.sorted;
  sorted.clear();
  for (const Candidate& candidate : scratch.candidates) {
    if (bin_of(candidate.weight) == bin) sorted.push_back(candidate);
  }
  std::ranges::sort(sorted, before);
  for (const Candidate& candidate : sorted) {
    mass += candidate.weight;
    if (mass >= share_mass) return candidate;
  }
  return sorted.back();
}

// The candidate at which the running sum, in order of ids, passes `target`.
int32_t draw(const std::vector<Candidate>& candidates, double target) {
  double mass = 0;
  for (const Candidate& candidate : candidates) {
    mass += candidate.weight;
    if (mass > target) return candidate.id;
  }
  return candidates.back().id;
}

}  // namespace

Result<void> validate(const SamplingParams& params) {
  const auto [temperature, top_k, top_p, min_p, seed, choice] = params;
  TRY(check_range("temperature", temperature, temperature >= 0 && temperature <= 100, "0 to 100"));
  TRY(check_range("top_k", static_cast<double>(top_k), top_k >= 0, "0 (off) or more"));
  TRY(check_range("top_p", top_p, top_p > 0 && top_p <= 1, "more than 0, at most 1"));
  TRY(check_range("min_p", min_p, min_p >= 0 && min_p <= 1, "0 to 1"));
  return {};
}

Result<int32_t> sample(std::span<const float> logits, const SamplingParams& params,
                       int64_t position, SamplerScratch& scratch) {
  const kernels::FpModeScope mode;
  const int32_t best = argmax(logits);
  const float largest = logits[static_cast<size_t>(best)];
  if (!std::isfinite(largest)) {
    return fail(Code::kInvalidData, "the model's largest logit", fmt::format("{}", largest),
                "a finite number", "the weights are damaged, or overflow in this --dtype");
  }
  const auto temperature = static_cast<float>(params.temperature);
  if (temperature == 0) return best;

  std::vector<Candidate>& candidates = scratch.candidates;
  if (params.top_k > 0 && std::cmp_less(params.top_k, logits.size())) {
    take_top_k(logits, static_cast<size_t>(params.top_k), candidates);
  } else {
    take_all(logits, candidates);
  }
  double total = weigh(candidates, largest, temperature);
  if (params.top_p < 1) {
    const Candidate last = last_of_top_p(params.top_p * total, scratch);
    std::erase_if(candidates, [&](const Candidate& c) { return before(last, c); });
  }
  if (params.min_p > 0) {
    // The most likely weighs 1.
    std::erase_if(candidates, [&](const Candidate& c) { return c.weight < params.min_p; });
  }
  total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  const double u = uniform(params.seed, params.choice, static_cast<uint64_t>(position));
  return draw(candidates, u * total);
}

}  // namespace strata::sampling
