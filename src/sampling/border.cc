// A sample of the weights tells between which two keys the border nearly surely lies. One pass sums
// what is before and packs what is between, and again, until few are left to sort. Where the
// samples misled, or sums would depend on their order, all of the row is cut into bins, and the bin
// with the border is sorted.
#include "sampling/border.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace strata::sampling {
namespace {

constexpr size_t kBlock = kernels::kLogitBlock;
constexpr float kLowest = std::numeric_limits<float>::lowest();

// From so many on, a sample and a pass cost less than bins of all.
constexpr size_t kManyToNarrow = 4096;
constexpr size_t kFewToNarrow = 256;
constexpr size_t kFirstSample = 160, kNextSample = 128;
// Times the mean weight.
constexpr double kHeavy = 6;
// In standard deviations: one sample in 2,000 misleads.
constexpr double kMargin = 3.5;
constexpr size_t kBins = 1024;
// From so many on, bins cost less than sorting.
constexpr size_t kManyInBin = 128;
// Keys closer to each other cannot be told apart by bins.
constexpr float kLeastSpread = 1e-30f;

struct Range {
  float low, high;
};

// Whether numbers, the least of them `least`, together at most `most`, are multiples of what their
// sum rounds to: then they may be added in any order.
bool adds_exactly(float least, double most) {
  return std::isinf(least) || std::ilogb(least) - 23 >= std::ilogb(most) - 52;
}

size_t groups_of(size_t count) { return (count + kBlock - 1) / kBlock; }

class Search {
 public:
  explicit Search(SamplerScratch& scratch)
      : passes_(*scratch.passes), pool_(scratch.pool), sorted_(scratch.candidates) {}

  bool narrow(const Weighed& all, double share);
  void take_all(const Weighed& all);
  std::optional<Border> find(double share, bool exactly);

 private:
  Weighed weigh_pool();
  bool has_heavy_ones(const Weighed& left);
  Weighed split_first(const Weighed& all, double share);
  void take_by_weight(const Weighed& from, size_t size);
  void take_by_place(const Weighed& from, size_t size);
  Range range_of_share(double part);
  void split(const Weighed& from, const int32_t* places, Range range);
  Range spread() const;
  bool is_exact() const;
  bool pass_bins(Range range, double share);
  std::optional<Border> walk(double share);

  const kernels::LogitsKernels& passes_;
  SamplerScratch::Pool& pool_;
  std::vector<Candidate>& sorted_;
  size_t count_ = 0;        // in the pool: those that may be the border
  double mass_ = 0;         // of those before all in the pool
  float least_ = INFINITY;  // of these, above 0
  bool is_within_ = false;  // the pool holds the border
};

// False: the border is not among those that are left.
bool Search::narrow(const Weighed& all, double share) {
  size_t before = all.keys.size();
  Weighed left = split_first(all, share);
  // Equal keys do not become fewer.
  while (mass_ < share && count_ > kFewToNarrow && 8 * count_ < 7 * before) {
    before = count_;
    if (has_heavy_ones(left)) {
      take_by_weight(left, kNextSample);
    } else {
      take_by_place(left, kNextSample);
    }
    split(left, pool_.places.data(), range_of_share((share - mass_) / left.total));
    left = weigh_pool();
  }
  return mass_ < share;
}

// Where the sample misled, the border lies beyond one end of its range.
Weighed Search::split_first(const Weighed& all, double share) {
  take_by_weight(all, kFirstSample);
  const Range range = range_of_share(share / all.total);
  split(all, nullptr, range);
  const bool is_above = mass_ >= share;
  const Weighed left = weigh_pool();
  if (!is_above && mass_ + left.total >= share) return left;
  mass_ = 0;
  least_ = INFINITY;
  split(all, nullptr,
        is_above ? Range{.low = range.high, .high = INFINITY}
                 : Range{.low = kLowest, .high = range.low});
  return weigh_pool();
}

// At equal steps of the running sum: each stands for the same weight, however few hold it.
void Search::take_by_weight(const Weighed& from, size_t size) {
  pool_.sample.clear();
  double before = 0;
  size_t block = 0;
  for (size_t i = 0; i < size; i++) {
    const double target = (static_cast<double>(i) + 0.5) / static_cast<double>(size) * from.total;
    while (block + 1 < from.sums.size() && before + from.sums[block] <= target)
      before += from.sums[block++];
    const size_t end = std::min(from.keys.size(), (block + 1) * kBlock);
    size_t place = block * kBlock;
    double sum = before + from.weights[place];
    while (place + 1 < end && sum <= target) sum += from.weights[++place];
    if (from.weights[place] > 0) pool_.sample.emplace_back(from.keys[place], 1.0f);
  }
}

// At equal steps of places, which is cheaper and does where weights are alike.
void Search::take_by_place(const Weighed& from, size_t size) {
  pool_.sample.clear();
  for (size_t i = 0; i < size; i++) {
    const size_t place = i * from.keys.size() / size;
    const float weight = from.weights[place];
    if (weight > 0) pool_.sample.emplace_back(from.keys[place], weight);
  }
}

Weighed Search::weigh_pool() {
  const size_t groups = groups_of(count_);
  grow(pool_.sums, groups);
  passes_.block_sums(pool_.weights.data(), static_cast<int64_t>(count_), pool_.sums.data());
  const auto sums = std::span<const float>(pool_.sums).first(groups);
  return {.keys = std::span(pool_.keys).first(count_),
          .weights = std::span(pool_.weights).first(count_),
          .sums = sums,
          .total = std::accumulate(sums.begin(), sums.end(), 0.0)};
}

// Whether few may hold so much that a sample by place would miss them.
bool Search::has_heavy_ones(const Weighed& left) {
  std::vector<float>& maxima = pool_.maxima;
  grow(maxima, left.sums.size());
  passes_.block_max(left.weights.data(), static_cast<int64_t>(count_), maxima.data());
  const float largest = std::ranges::max(std::span(maxima).first(left.sums.size()));
  return largest * static_cast<double>(count_) > kHeavy * left.total;
}

// Between which keys this part of the weights ends, by the sample.
Range Search::range_of_share(double part) {
  std::ranges::sort(pool_.sample, std::greater<>());
  double total = 0, squares = 0;
  for (const auto& [key, weight] : pool_.sample) {
    total += weight;
    squares += static_cast<double>(weight) * weight;
  }
  // As many of equal weight would tell as much.
  const double size = total * total / squares;
  const double margin = (1 + kMargin * std::sqrt(size * std::max(0.0, part * (1 - part)))) / size;
  Range range{.low = kLowest, .high = INFINITY};
  double mass = 0;
  for (const auto& [key, weight] : pool_.sample) {
    const double before = mass / total;
    mass += weight;
    if (before <= part - margin) range.high = key;
    if (before > part + margin) return {.low = key, .high = range.high};
  }
  return range;
}

void Search::split(const Weighed& from, const int32_t* places, Range range) {
  const size_t all = from.keys.size();
  grow(pool_.keys, all);
  grow(pool_.weights, all);
  grow(pool_.places, all);
  const kernels::LogitSplit made = passes_.split({.keys = from.keys.data(),
                                                  .weights = from.weights.data(),
                                                  .ids = places,
                                                  .n = static_cast<int64_t>(all),
                                                  .low = range.low,
                                                  .high = range.high,
                                                  .packed_keys = pool_.keys.data(),
                                                  .packed_weights = pool_.weights.data(),
                                                  .packed_ids = pool_.places.data()});
  count_ = static_cast<size_t>(made.packed);
  mass_ += made.above;
  least_ = std::min(least_, made.least);
}

void Search::take_all(const Weighed& all) {
  split(all, nullptr, {.low = kLowest, .high = INFINITY});
}

// nullopt: not among the pool's, or, where it must be found exactly, in doubt.
std::optional<Border> Search::find(double share, bool exactly) {
  while (count_ > kManyInBin) {
    const Range range = spread();
    if (!(range.high - range.low > kLeastSpread)) break;
    if (!pass_bins(range, share)) return std::nullopt;
    if (!is_exact()) break;
  }
  if (exactly && !is_exact()) return std::nullopt;
  return walk(share);
}

// Of keys that weigh something.
Range Search::spread() const {
  Range range{.low = INFINITY, .high = -INFINITY};
  for (size_t i = 0; i < count_; i++) {
    const float key = pool_.keys[i];
    const bool counts = pool_.weights[i] > 0;
    range.low = counts && key < range.low ? key : range.low;
    range.high = counts && key > range.high ? key : range.high;
  }
  return range;
}

bool Search::is_exact() const {
  float least = least_;
  double most = mass_;
  for (size_t i = 0; i < count_; i++) {
    const float weight = pool_.weights[i];
    least = weight > 0 && weight < least ? weight : least;
    most += weight;
  }
  return adds_exactly(least, most);
}

// Leaves the bin with the border; false: the pool does not hold it.
bool Search::pass_bins(Range range, double share) {
  const float scale = static_cast<float>(kBins) / (range.high - range.low);
  const auto bin_of = [&](float key) {
    const float bin = (range.high - key) * scale;
    return static_cast<size_t>(std::clamp(bin, 0.0f, static_cast<float>(kBins - 1)));
  };
  pool_.bins.assign(kBins, 0);
  for (size_t i = 0; i < count_; i++) pool_.bins[bin_of(pool_.keys[i])] += pool_.weights[i];
  size_t border = 0;
  while (border < kBins && mass_ + pool_.bins[border] < share) mass_ += pool_.bins[border++];
  if (border == kBins) return false;
  size_t kept = 0;
  for (size_t i = 0; i < count_; i++) {
    const float key = pool_.keys[i], weight = pool_.weights[i];
    const size_t bin = bin_of(key);
    least_ = bin < border && weight > 0 && weight < least_ ? weight : least_;
    if (bin != border) continue;
    pool_.keys[kept] = key;
    pool_.weights[kept] = weight;
    pool_.places[kept++] = pool_.places[i];
  }
  count_ = kept;
  is_within_ = true;
  return true;
}

std::optional<Border> Search::walk(double share) {
  sorted_.clear();
  for (size_t i = 0; i < count_; i++)
    sorted_.push_back({pool_.keys[i], pool_.weights[i], pool_.places[i]});
  // Equal ones are in order.
  if (!std::ranges::is_sorted(sorted_, before)) std::ranges::sort(sorted_, before);
  double mass = mass_;
  for (const Candidate& c : sorted_) {
    mass += c.weight;
    if (mass >= share) return Border{c.logit, static_cast<size_t>(c.id)};
  }
  // In another order than that of the bins, the same weights may add up to a little less.
  if (!is_within_ || sorted_.empty()) return std::nullopt;
  return Border{sorted_.back().logit, static_cast<size_t>(sorted_.back().id)};
}

}  // namespace

std::optional<Border> border_of_share(const Weighed& all, double share, SamplerScratch& scratch) {
  if (all.keys.size() >= kManyToNarrow) {
    Search search(scratch);
    if (search.narrow(all, share)) {
      const std::optional<Border> found = search.find(share, true);
      if (found) return found;
    }
  }
  Search search(scratch);
  search.take_all(all);
  return search.find(share, false);
}

}  // namespace strata::sampling
