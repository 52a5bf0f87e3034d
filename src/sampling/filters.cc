// Filters as thresholds in one total order: no full sort. What is left is the row itself or a list
// of ids, with weights and their sums beside it; each cut is a pass that packs. Sums are f32 by the
// fixed tree in groups of kLogitBlock, groups in double, in order of ids.
#include "sampling/filters.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/ref/math.h"
#include "sampling/border.h"

namespace strata::sampling {
namespace {

constexpr size_t kBlock = kernels::kLogitBlock;

// Above this a vector pass over the row is cheaper than one exp after the other.
constexpr size_t kManyCandidates = 4096;

class Filter {
 public:
  Filter(const Row& row, const SamplingParams& params, SamplerScratch& scratch)
      : row_(row),
        params_(params),
        scratch_(scratch),
        temperature_(static_cast<float>(params.temperature)) {}

  int32_t draw(double u) {
    take();
    if (params_.top_p < 1) cut_top_p();
    if (params_.typical_p < 1) cut_typical_p();
    const size_t index = index_at(u);
    return is_row_ ? static_cast<int32_t>(index) : scratch_.ids[index];
  }

 private:
  void take();
  float least_of_min_p() const;
  void weigh(std::span<const float> logits, float* powers);
  void weigh_list();
  // Whether typical_p finds in scratch_.keys what the row's weights are powers of e of.
  bool has_powers() const { return is_row_ && params_.typical_p < 1 && params_.top_p == 1; }
  void sum_groups();
  double total() const;
  const float* keys_by_logit();
  Weighed weighed(const float* keys, double all) const;
  void cut_top_p();
  bool cut_to_most_likely(double share);
  size_t list_candidates();
  void cut_typical_p();
  void keep(const float* keys, const Border& last);
  void keep_in_place(const float* keys, const Border& last);
  float weight_at(size_t index) const;
  size_t pack(const float* keys, size_t begin, size_t end, float low, size_t at);
  size_t index_at(double u) const;

  const Row& row_;
  const SamplingParams& params_;
  SamplerScratch& scratch_;
  float temperature_;
  bool is_row_ = true;  // every id is left, or scratch_.ids
  size_t count_ = 0;    // left; scratch_.weights and sums are of these
  struct {
    const float* keys = nullptr;  // none: all of the weights count
    kernels::LogitBorder border = {};
  } held_;  // what of the weights counts; the sums have it already
};

size_t groups_of(size_t count) { return (count + kBlock - 1) / kBlock; }

// The next number that arithmetic without denormals tells from `x`.
float next_above(float x) {
  if (x == 0) return std::numeric_limits<float>::min();
  return std::bit_cast<float>(std::bit_cast<int32_t>(x) + (x > 0 ? 1 : -1));
}

// min_p and top_k keep the first so many of one order, so it does not matter which goes first.
void Filter::take() {
  const size_t ids = row_.logits.size();
  const bool cuts = params_.top_k > 0 && std::cmp_less(params_.top_k, ids);
  if (!cuts && params_.min_p == 0) {
    if (has_powers()) grow(scratch_.keys, ids);
    weigh(row_.logits, has_powers() ? scratch_.keys.data() : nullptr);
    return;
  }
  const size_t most = cuts ? static_cast<size_t>(params_.top_k) : ids;
  take_most_likely(row_, most, least_of_min_p(), scratch_);
  weigh_list();
}

// A logit that is surely too small for what min_p keeps: the exact test is that of the weight.
float Filter::least_of_min_p() const {
  if (params_.min_p == 0) return -INFINITY;
  const float distance = -kernels::log_f32(static_cast<float>(params_.min_p));
  return row_.largest - temperature_ * (distance * 1.001f + 0.001f) -
         std::abs(row_.largest) * 1e-6f;
}

void Filter::weigh(std::span<const float> logits, float* powers) {
  count_ = logits.size();
  grow(scratch_.weights, count_);
  grow(scratch_.sums, groups_of(count_));
  scratch_.passes->weights({.x = logits.data(),
                            .n = static_cast<int64_t>(count_),
                            .max = row_.largest,
                            .temperature = temperature_,
                            .out = scratch_.weights.data(),
                            .sums = scratch_.sums.data(),
                            .powers = powers});
}

// Of the candidates those that min_p keeps. Where the row has been weighed, weights move up only.
void Filter::weigh_list() {
  const std::vector<Candidate>& candidates = scratch_.candidates;
  const bool many = candidates.size() > kManyCandidates;
  if (many) weigh(row_.logits, nullptr);
  grow(scratch_.weights, candidates.size());
  grow(scratch_.ids, candidates.size());
  is_row_ = false;
  count_ = 0;
  for (const Candidate& c : candidates) {
    const float weight = many ? scratch_.weights[static_cast<size_t>(c.id)]
                              : kernels::exp_f32((c.logit - row_.largest) / temperature_);
    if (weight < params_.min_p) continue;
    scratch_.weights[count_] = weight;
    scratch_.ids[count_++] = c.id;
  }
  sum_groups();
}

void Filter::sum_groups() {
  grow(scratch_.sums, groups_of(count_));
  scratch_.passes->block_sums(scratch_.weights.data(), static_cast<int64_t>(count_),
                              scratch_.sums.data());
}

double Filter::total() const {
  double sum = 0;
  for (size_t group = 0; group < groups_of(count_); group++) sum += scratch_.sums[group];
  return sum;
}

const float* Filter::keys_by_logit() {
  if (is_row_) return row_.logits.data();
  grow(scratch_.keys, count_);
  for (size_t i = 0; i < count_; i++)
    scratch_.keys[i] = row_.logits[static_cast<size_t>(scratch_.ids[i])];
  return scratch_.keys.data();
}

Weighed Filter::weighed(const float* keys, double all) const {
  return {.keys = {keys, count_},
          .weights = std::span(scratch_.weights).first(count_),
          .sums = std::span(scratch_.sums).first(groups_of(count_)),
          .total = all};
}

void Filter::cut_top_p() {
  const double all = total(), share = params_.top_p * all;
  if (is_row_ && cut_to_most_likely(share)) return;
  const float* keys = keys_by_logit();
  const auto last = border_of_share(weighed(keys, all), share, scratch_);
  if (last) keep(keys, *last);
}

// A share is mostly held by few: those are tried first. No weight is above 1.
bool Filter::cut_to_most_likely(double share) {
  for (const size_t most : {size_t{128}, size_t{1024}}) {
    if (2 * most > row_.maxima.size() || static_cast<double>(most) < share) continue;
    take_most_likely(row_, most, -INFINITY, scratch_);
    const size_t taken = list_candidates();
    const Weighed list{.keys = std::span(scratch_.keys).first(taken),
                       .weights = std::span(scratch_.weights).subspan(count_, taken),
                       .sums = {}};
    const auto last = border_of_share(list, share, scratch_);
    if (!last) continue;
    // Behind the row's weights there is room for these only, so they move to the front.
    std::ranges::copy(list.weights, scratch_.weights.begin());
    is_row_ = false;
    count_ = taken;
    keep(scratch_.keys.data(), *last);
    return true;
  }
  return false;
}

// Their logits, ids and, behind those of the row, weights: the row stays until they hold the share.
size_t Filter::list_candidates() {
  const size_t taken = scratch_.candidates.size();
  grow(scratch_.keys, taken);
  grow(scratch_.ids, taken);
  grow(scratch_.weights, count_ + taken);
  for (size_t i = 0; i < taken; i++) {
    const Candidate& c = scratch_.candidates[i];
    scratch_.keys[i] = c.logit;
    scratch_.ids[i] = c.id;
    scratch_.weights[count_ + i] = scratch_.weights[static_cast<size_t>(c.id)];
  }
  return taken;
}

// Meister et al., "Locally typical sampling" (TACL 2023): how far a token's surprise is from the
// expected one. The normaliser's log is in both and cancels. Powers are surprises below 0.
void Filter::cut_typical_p() {
  if (!has_powers()) {
    const float* logits = keys_by_logit();
    grow(scratch_.keys, count_);
    weigh({logits, count_}, scratch_.keys.data());
  }
  float* keys = scratch_.keys.data();
  const float* weights = scratch_.weights.data();
  const auto count = static_cast<int64_t>(count_);
  const double all = total();
  const double mean = scratch_.passes->sum_products(weights, keys, count) / all;
  scratch_.passes->deviations(weights, count, mean, keys);
  const auto last = border_of_share(weighed(keys, all), params_.typical_p * all, scratch_);
  if (last) keep_in_place(keys, *last);
}

// Leaves what is not behind `last` in the order of the keys.
void Filter::keep(const float* keys, const Border& last) {
  grow(scratch_.ids, count_);
  const size_t upto = last.place + 1;
  const size_t first = pack(keys, 0, upto, last.key, 0);
  count_ = first + pack(keys, upto, count_, next_above(last.key), first);
  is_row_ = false;
  sum_groups();
}

// The same for the last filter, after which nobody counts what is left: cheaper than packing.
void Filter::keep_in_place(const float* keys, const Border& last) {
  held_ = {keys, {last.key, next_above(last.key), static_cast<int64_t>(last.place)}};
  scratch_.passes->held_sums(keys, scratch_.weights.data(), static_cast<int64_t>(count_),
                             held_.border, scratch_.sums.data());
}

float Filter::weight_at(size_t index) const {
  const bool held =
      held_.keys == nullptr || held_.border.holds(held_.keys[index], static_cast<int64_t>(index));
  return held ? scratch_.weights[index] : 0;
}

// To `at` those of begin .. end whose key is at least `low`; returns how many.
size_t Filter::pack(const float* keys, size_t begin, size_t end, float low, size_t at) {
  float* weights = scratch_.weights.data();
  int32_t* ids = scratch_.ids.data();
  const kernels::LogitSplit made = scratch_.passes->split({.keys = keys + begin,
                                                           .weights = weights + begin,
                                                           .ids = is_row_ ? nullptr : ids + begin,
                                                           .first_id = static_cast<int32_t>(begin),
                                                           .n = static_cast<int64_t>(end - begin),
                                                           .low = low,
                                                           .high = INFINITY,
                                                           .packed_weights = weights + at,
                                                           .packed_ids = ids + at});
  return static_cast<size_t>(made.packed);
}

// Where the running sum passes u times the total.
size_t Filter::index_at(double u) const {
  const double target = u * total();
  double mass = 0;
  size_t group = 0;
  while (group < groups_of(count_) && mass + scratch_.sums[group] <= target)
    mass += scratch_.sums[group++];
  // Rounding may leave the group's own weights below its sum, and the target at the total: then it
  // is the last one before that weighs something.
  const size_t end = std::min(count_, (group + 1) * kBlock);
  size_t last = end;
  for (size_t i = group * kBlock; i < end; i++) {
    const float weight = weight_at(i);
    mass += weight;
    if (weight > 0) last = i;
    if (mass > target && last == i) return i;
  }
  if (last < end) return last;
  last = std::min(count_, group * kBlock) - 1;
  while (weight_at(last) == 0) last--;
  return last;
}

}  // namespace

int32_t filter_and_draw(const Row& row, const SamplingParams& params, double u,
                        SamplerScratch& scratch) {
  return Filter(row, params, scratch).draw(u);
}

}  // namespace strata::sampling
