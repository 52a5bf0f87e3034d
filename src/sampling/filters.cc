// Filters as thresholds in one total order: no full sort. Until a filter cuts, the row itself
// stands for its candidates (two vector passes); after it a short list does, or, where most ids are
// left of a flat row, their ids and weights. Sums are f32 by the fixed tree in groups of
// kLogitBlock, groups in double, in order of ids.
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
// And 256 within one of these.
constexpr size_t kFineBins = 256;
constexpr size_t fine_bin_of(float x) {
  return (std::bit_cast<uint32_t>(x) >> (kBinShift - 8)) % kFineBins;
}
// From so many on, finer bins cost less than sorting.
constexpr size_t kManyInBin = 64;

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
    if (params_.top_p < 1 && left_ == Left::kRow) {
      cut_top_p_of_row();
    } else if (params_.top_p < 1) {
      cut_top_p(params_.top_p * sum_list());
    }
    if (params_.typical_p < 1) cut_typical_p();
    if (left_ == Left::kList) sum_list();
    const size_t index = index_at(u);
    if (left_ == Left::kRow) return static_cast<int32_t>(index);
    return left_ == Left::kIds ? scratch_.ids[index] : candidates_[index].id;
  }

 private:
  enum class Left : uint8_t {
    kRow,   // every id: weights and sums are by id
    kIds,   // scratch_.ids, with weights and sums beside them
    kList,  // candidates_
  };

  void take();
  float least_of_min_p() const;
  void weigh_row();
  void weigh_list();
  void sum_groups();
  double sum_list();
  double total() const;
  void list_all();
  bool cut_top_p(double share);
  void cut_top_p_of_row();
  void keep_ids(const Candidate& last);
  void cut_typical_p();
  template <class Order>
  std::optional<Candidate> last_of_share(double share, const Order& order);
  template <class Order>
  double pass_fine_bins(double mass, double share, double in_bin, const Order& order);
  size_t index_at(double u) const;

  const Row& row_;
  const SamplingParams& params_;
  SamplerScratch& scratch_;
  std::vector<Candidate>& candidates_;
  float temperature_;
  Left left_ = Left::kList;
};

// What is cut by its share, in which order: bins rise with the order, finer ones within a bin too.
struct ListByWeight {
  const std::vector<Candidate>& list;
  size_t size() const { return list.size(); }
  float weight(size_t i) const { return list[i].weight; }
  size_t bin(size_t i) const { return bin_of(1.0f) - bin_of(list[i].weight); }
  Candidate candidate(size_t i) const { return list[i]; }
  static size_t fine_bin(const Candidate& c) { return kFineBins - 1 - fine_bin_of(c.weight); }
  static bool less(const Candidate& a, const Candidate& b) { return before(a, b); }
};

// A logit that is no number has no weight, so it is never the last one.
struct RowByWeight : ListByWeight {
  const Row& row;
  const std::vector<float>& weights;
  size_t size() const { return weights.size(); }
  float weight(size_t i) const { return weights[i]; }
  size_t bin(size_t i) const { return bin_of(1.0f) - bin_of(weights[i]); }
  Candidate candidate(size_t i) const {
    return {.logit = row.logits[i], .weight = weights[i], .id = static_cast<int32_t>(i)};
  }
};

struct ListByDeviation : ListByWeight {
  size_t bin(size_t i) const { return bin_of(list[i].deviation); }
  static size_t fine_bin(const Candidate& c) { return fine_bin_of(c.deviation); }
  static bool less(const Candidate& a, const Candidate& b) {
    return a.deviation < b.deviation || (a.deviation == b.deviation && a.id < b.id);
  }
};

// Whether numbers of these may be added in any order: `first` and all of `rest`, positive, the
// least of them `least`, together at most `most`, are multiples of what the sum rounds to.
bool adds_exactly(double first, float least, double most) {
  const int rounds_to = std::ilogb(most) - 52;
  const double units = std::ldexp(first, -rounds_to);
  return std::ilogb(least) - 23 >= rounds_to && units == std::trunc(units);
}

// min_p and top_k keep the first so many of one order, so it does not matter which goes first.
void Filter::take() {
  const size_t ids = row_.logits.size();
  const bool cuts = params_.top_k > 0 && std::cmp_less(params_.top_k, ids);
  if (!cuts && params_.min_p == 0) {
    left_ = Left::kRow;
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

// The sums of scratch_.weights by groups.
void Filter::sum_groups() {
  const std::vector<float>& weights = scratch_.weights;
  scratch_.sums.resize((weights.size() + kBlock - 1) / kBlock);
  for (size_t group = 0; group < scratch_.sums.size(); group++) {
    const size_t end = std::min(weights.size(), (group + 1) * kBlock);
    float partial[16] = {};
    size_t i = group * kBlock;
    for (; i + 16 <= end; i += 16) {
      for (size_t lane = 0; lane < 16; lane++) partial[lane] += weights[i + lane];
    }
    for (size_t lane = 0; i < end; i++, lane++) partial[lane] += weights[i];
    scratch_.sums[group] = kernels::fold_tree(partial);
  }
}

// The list's weights and their sums by groups; returns their total.
double Filter::sum_list() {
  scratch_.weights.resize(candidates_.size());
  for (size_t i = 0; i < candidates_.size(); i++) scratch_.weights[i] = candidates_[i].weight;
  sum_groups();
  return total();
}

double Filter::total() const {
  double sum = 0;
  for (const float group : scratch_.sums) sum += group;
  return sum;
}

void Filter::list_all() {
  if (left_ == Left::kIds) {
    candidates_.clear();
    for (size_t i = 0; i < scratch_.ids.size(); i++) {
      const int32_t id = scratch_.ids[i];
      candidates_.push_back(
          {.logit = row_.logits[static_cast<size_t>(id)], .weight = scratch_.weights[i], .id = id});
    }
  } else if (left_ == Left::kRow) {
    take_most_likely(row_, row_.logits.size(), -INFINITY, scratch_);
    for (Candidate& c : candidates_) c.weight = scratch_.weights[static_cast<size_t>(c.id)];
  }
  left_ = Left::kList;
}

// The candidate at which, in its order, the sum of weights reaches `share`: whole bins are passed
// by their sums, only the one with the border is sorted. nullopt: it never does.
template <class Order>
std::optional<Candidate> Filter::last_of_share(double share, const Order& order) {
  std::vector<double>& bins = scratch_.bins;
  bins.assign(kBins, 0);
  for (size_t i = 0; i < order.size(); i++) bins[order.bin(i)] += order.weight(i);
  size_t bin = 0;
  double mass = 0;
  while (bin < kBins && mass + bins[bin] < share) mass += bins[bin++];
  if (bin == kBins) return std::nullopt;
  std::vector<Candidate>& sorted = scratch_.sorted;
  sorted.clear();
  for (size_t i = 0; i < order.size(); i++) {
    if (order.bin(i) == bin) sorted.push_back(order.candidate(i));
  }
  mass = pass_fine_bins(mass, share, bins[bin], order);
  std::ranges::sort(sorted, Order::less);
  for (const Candidate& c : sorted) {
    mass += c.weight;
    if (mass >= share) return c;
  }
  // Sorted, the same weights may add up to a little less.
  return sorted.back();
}

// Where a bin has many, and their sums are the same in any order: leaves those of the finer bin
// with the border, and returns the mass before it.
template <class Order>
double Filter::pass_fine_bins(double mass, double share, double in_bin, const Order&) {
  std::vector<Candidate>& members = scratch_.sorted;
  if (members.size() < kManyInBin) return mass;
  float least = INFINITY;
  for (const Candidate& c : members) least = std::min(least, c.weight);
  if (!(least > 0) || !adds_exactly(mass, least, mass + in_bin)) return mass;
  double bins[kFineBins] = {};
  for (const Candidate& c : members) bins[Order::fine_bin(c)] += c.weight;
  size_t bin = 0;
  while (bin + 1 < kFineBins && mass + bins[bin] < share) mass += bins[bin++];
  std::erase_if(members, [&](const Candidate& c) { return Order::fine_bin(c) != bin; });
  return mass;
}

// False, and nothing is cut, where the list does not hold the share.
bool Filter::cut_top_p(double share) {
  const std::optional<Candidate> last = last_of_share(share, ListByWeight{candidates_});
  if (last) std::erase_if(candidates_, [&](const Candidate& c) { return before(*last, c); });
  return last.has_value();
}

// A share is mostly held by few: the list grows until it holds it. No weight is above 1.
void Filter::cut_top_p_of_row() {
  const double share = params_.top_p * total();
  for (const size_t most : {size_t{128}, size_t{1024}}) {
    if (2 * most > row_.maxima.size() || static_cast<double>(most) < share) continue;
    take_most_likely(row_, most, -INFINITY, scratch_);
    for (Candidate& c : candidates_) c.weight = scratch_.weights[static_cast<size_t>(c.id)];
    left_ = cut_top_p(share) ? Left::kList : Left::kRow;
    if (left_ == Left::kList) return;
  }
  const auto last = last_of_share(share, RowByWeight{{candidates_}, row_, scratch_.weights});
  if (last) keep_ids(*last);
}

void Filter::keep_ids(const Candidate& last) {
  std::vector<float>& weights = scratch_.weights;
  std::vector<int32_t>& ids = scratch_.ids;
  ids.resize(weights.size());
  size_t kept = 0;
  // Every id is written, and stays if the next one is written behind it.
  const auto pass = [&](size_t begin, size_t end, const auto& keeps) {
    for (size_t i = begin; i < end; i++) {
      ids[kept] = static_cast<int32_t>(i);
      weights[kept] = weights[i];
      kept += keeps(row_.logits[i]) ? 1 : 0;
    }
  };
  const size_t border = static_cast<size_t>(last.id) + 1;
  pass(0, border, [&](float logit) { return logit >= last.logit; });
  pass(border, weights.size(), [&](float logit) { return logit > last.logit; });
  ids.resize(kept);
  weights.resize(kept);
  sum_groups();
  left_ = Left::kIds;
}

// Meister et al., "Locally typical sampling" (TACL 2023): how far a token's surprise is from the
// expected one. The normaliser's log is in both and cancels.
void Filter::cut_typical_p() {
  list_all();
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
  const double share = params_.typical_p * sum_list();
  const auto last = last_of_share(share, ListByDeviation{{candidates_}});
  if (last) {
    std::erase_if(candidates_, [&](const Candidate& c) { return ListByDeviation::less(*last, c); });
  }
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
