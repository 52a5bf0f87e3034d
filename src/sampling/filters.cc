// Filters as thresholds in one total order: no full sort. Until a filter cuts, the row itself
// stands for its candidates (two vector passes); after it a short list does. Sums are f32 by the
// fixed tree in groups of kLogitBlock, groups in double, in order of ids.
#include "sampling/filters.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "kernels/ref/math.h"

namespace strata::sampling {
namespace {

constexpr size_t kBlock = kernels::kLogitBlock;

// Above this a vector pass over the row is cheaper than one exp after the other.
constexpr size_t kManyCandidates = 4096;

// Sixteen bins per power of two.
constexpr int kBinShift = 19;
constexpr size_t bin_of(float x) { return std::bit_cast<uint32_t>(x) >> kBinShift; }
constexpr size_t kBins = bin_of(INFINITY) + 1;

class Filter {
 public:
  Filter(const Row& row, const SamplingParams& params, SamplerScratch& scratch)
      : row_(row),
        params_(params),
        scratch_(scratch),
        candidates_(scratch.candidates),
        temperature_(static_cast<float>(params.temperature)) {}

  int32_t draw(double u) {
    take();
    if (params_.top_p < 1 && whole_) {
      cut_top_p_of_row();
    } else if (params_.top_p < 1) {
      cut_top_p(params_.top_p * sum_list());
    }
    if (params_.typical_p < 1) cut_typical_p();
    if (!whole_) sum_list();
    const size_t index = index_at(u);
    return whole_ ? static_cast<int32_t>(index) : candidates_[index].id;
  }

 private:
  void take();
  float least_of_min_p() const;
  void weigh_row();
  void weigh_list();
  double sum_list();
  double total() const;
  void list_all();
  bool cut_top_p(double share);
  void cut_top_p_of_row();
  void cut_typical_p();
  template <class Bin, class Less>
  std::optional<Candidate> last_of_share(double share, Bin bin, Less less);
  size_t index_at(double u) const;

  const Row& row_;
  const SamplingParams& params_;
  SamplerScratch& scratch_;
  std::vector<Candidate>& candidates_;
  float temperature_;
  bool whole_ = false;  // every id is left: weights and sums are by id, candidates_ means nothing
};

// min_p and top_k keep the first so many of one order, so it does not matter which goes first.
void Filter::take() {
  const size_t ids = row_.logits.size();
  const bool cuts = params_.top_k > 0 && std::cmp_less(params_.top_k, ids);
  if (!cuts && params_.min_p == 0) {
    whole_ = true;
    weigh_row();
    return;
  }
  const size_t most = cuts ? static_cast<size_t>(params_.top_k) : ids;
  take_most_likely(row_, most, least_of_min_p(), scratch_);
  weigh_list();
  std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < params_.min_p; });
}

// A logit that is surely too small for what min_p keeps: the exact test is that of the weight.
float Filter::least_of_min_p() const {
  if (params_.min_p == 0) return -INFINITY;
  const float distance = -kernels::log_f32(static_cast<float>(params_.min_p));
  return row_.largest - temperature_ * (distance * 1.001f + 0.001f) -
         std::abs(row_.largest) * 1e-6f;
}

void Filter::weigh_row() {
  const size_t ids = row_.logits.size();
  scratch_.weights.resize(ids);
  scratch_.sums.resize((ids + kBlock - 1) / kBlock);
  scratch_.passes->weights({.x = row_.logits.data(),
                            .n = static_cast<int64_t>(ids),
                            .max = row_.largest,
                            .temperature = temperature_,
                            .out = scratch_.weights.data(),
                            .sums = scratch_.sums.data()});
}

void Filter::weigh_list() {
  const bool many = candidates_.size() > kManyCandidates;
  if (many) weigh_row();
  for (Candidate& c : candidates_) {
    c.weight = many ? scratch_.weights[static_cast<size_t>(c.id)]
                    : kernels::exp_f32((c.logit - row_.largest) / temperature_);
  }
}

// The list's weights and their sums by groups; returns their total.
double Filter::sum_list() {
  const size_t count = candidates_.size();
  scratch_.weights.resize(count);
  scratch_.sums.resize((count + kBlock - 1) / kBlock);
  for (size_t group = 0; group < scratch_.sums.size(); group++) {
    float partial[16] = {};
    for (size_t i = group * kBlock; i < std::min(count, (group + 1) * kBlock); i++) {
      scratch_.weights[i] = candidates_[i].weight;
      partial[i % 16] += candidates_[i].weight;
    }
    scratch_.sums[group] = kernels::fold_tree(partial);
  }
  return total();
}

double Filter::total() const {
  double sum = 0;
  for (const float group : scratch_.sums) sum += group;
  return sum;
}

void Filter::list_all() {
  take_most_likely(row_, row_.logits.size(), -INFINITY, scratch_);
  for (Candidate& c : candidates_) c.weight = scratch_.weights[static_cast<size_t>(c.id)];
}

// The candidate at which, in the order of `less`, the sum of weights reaches `share`: whole bins
// are passed by their sums, only the one with the border is sorted. nullopt: it never does.
template <class Bin, class Less>
std::optional<Candidate> Filter::last_of_share(double share, Bin bin_at, Less less) {
  std::vector<double>& bins = scratch_.bins;
  bins.assign(kBins, 0);
  for (const Candidate& c : candidates_) bins[bin_at(c)] += c.weight;
  size_t bin = 0;
  double mass = 0;
  while (bin < kBins && mass + bins[bin] < share) mass += bins[bin++];
  if (bin == kBins) return std::nullopt;
  std::vector<Candidate>& sorted = scratch_.sorted;
  sorted.clear();
  for (const Candidate& c : candidates_) {
    if (bin_at(c) == bin) sorted.push_back(c);
  }
  std::ranges::sort(sorted, less);
  for (const Candidate& c : sorted) {
    mass += c.weight;
    if (mass >= share) return c;
  }
  // Sorted, the same weights may add up to a little less.
  return sorted.back();
}

// False, and nothing is cut, where the list does not hold the share.
bool Filter::cut_top_p(double share) {
  const auto bin_at = [](const Candidate& c) { return bin_of(1.0f) - bin_of(c.weight); };
  const std::optional<Candidate> last = last_of_share(share, bin_at, before);
  if (last) std::erase_if(candidates_, [&](const Candidate& c) { return before(*last, c); });
  return last.has_value();
}

// A share is mostly held by few: the list grows until it holds it.
void Filter::cut_top_p_of_row() {
  const double share = params_.top_p * total();
  whole_ = false;
  for (const size_t most : {size_t{128}, size_t{1024}}) {
    if (2 * most > row_.maxima.size()) continue;
    take_most_likely(row_, most, -INFINITY, scratch_);
    for (Candidate& c : candidates_) c.weight = scratch_.weights[static_cast<size_t>(c.id)];
    if (cut_top_p(share)) return;
  }
  list_all();
  whole_ = !cut_top_p(share);
}

// Meister et al., "Locally typical sampling" (TACL 2023): how far a token's surprise is from the
// expected one. The normaliser's log is in both and cancels.
void Filter::cut_typical_p() {
  if (std::exchange(whole_, false)) list_all();
  std::erase_if(candidates_, [](const Candidate& c) { return c.weight == 0; });
  const auto surprise = [&](const Candidate& c) {
    return static_cast<double>((row_.largest - c.logit) / temperature_);
  };
  double weights = 0, expected = 0;
  for (const Candidate& c : candidates_) {
    weights += c.weight;
    expected += c.weight * surprise(c);
  }
  expected /= weights;
  for (Candidate& c : candidates_)
    c.deviation = static_cast<float>(std::abs(surprise(c) - expected));
  const auto less = [](const Candidate& a, const Candidate& b) {
    return a.deviation < b.deviation || (a.deviation == b.deviation && a.id < b.id);
  };
  const double share = params_.typical_p * sum_list();
  const auto last =
      last_of_share(share, [](const Candidate& c) { return bin_of(c.deviation); }, less);
  if (last) std::erase_if(candidates_, [&](const Candidate& c) { return less(*last, c); });
}

// Where the running sum passes u times the total.
size_t Filter::index_at(double u) const {
  const double target = u * total();
  double mass = 0;
  size_t group = 0;
  while (group < scratch_.sums.size() && mass + scratch_.sums[group] <= target)
    mass += scratch_.sums[group++];
  // Rounding may leave the group's own weights below its sum, and the target at the total: then it
  // is the last one before that weighs something.
  const size_t end = std::min(scratch_.weights.size(), (group + 1) * kBlock);
  size_t last = end;
  for (size_t i = group * kBlock; i < end; i++) {
    mass += scratch_.weights[i];
    if (scratch_.weights[i] > 0) last = i;
    if (mass > target && last == i) return i;
  }
  if (last < end) return last;
  last = std::min(scratch_.weights.size(), group * kBlock) - 1;
  while (scratch_.weights[last] == 0) last--;
  return last;
}

}  // namespace

int32_t filter_and_draw(const Row& row, const SamplingParams& params, double u,
                        SamplerScratch& scratch) {
  return Filter(row, params, scratch).draw(u);
}

}  // namespace strata::sampling
