// Reading and computing overlap, so a pass takes the longer of the two; where the ring is full
// while others compute, the disk idles, and that time is added to its own.
#include "placement/cost.h"

#include <algorithm>
#include <cmath>

namespace strata::placement {
namespace {

// A small read takes a disk with many of them under way about as long as so much of a large one.
constexpr int64_t kLeastRead = 64 << 10;

// A streamed unit, or part of one, and what is computed from its lease on until the next streamed
// one is wanted.
struct Stretch {
  double read_bytes = 0;
  double held_s = 0;  // its place in the ring is taken
  double free_s = 0;  // what follows, its place free again
};

class PassSum {
 public:
  PassSum(const PassShape& shape, const PassLoad& load, const CostTable& costs)
      : shape_(shape), load_(load), costs_(costs) {}

  PassCost sum() {
    for (size_t i = 0; i < shape_.units.size(); i++) add(i);
    // The pass goes around: what comes before its first streamed unit follows on the last one.
    if (!stretches_.empty()) stretches_.back().free_s += before_first_s_;
    if (load_.kv_bytes > 0) {
      cost_.compute_s += static_cast<double>(load_.kv_bytes) / costs_.ram_bytes_per_s;
    }
    for (const Stretch& stretch : stretches_) cost_.idle_s += idle_s(stretch);
    return cost_;
  }

 private:
  double compute_s(const UnitFacts& unit) const {
    if (unit.use == UnitUse::kGathered) return 0;
    const int64_t rows = unit.use == UnitUse::kLogits ? load_.logit_rows : load_.rows;
    return static_cast<double>(unit.bytes) * costs_.s_per_byte(rows);
  }

  void add(size_t index) {
    const UnitFacts& unit = shape_.units[index];
    if (unit.use == UnitUse::kLogits && load_.logit_rows == 0) return;  // passed over
    const double computed = compute_s(unit);
    cost_.compute_s += computed;
    if (shape_.resident[index]) {
      (stretches_.empty() ? before_first_s_ : stretches_.back().free_s) += computed;
      return;
    }
    cost_.read_s += gathered_s(unit);
    if (unit.use == UnitUse::kGathered) return;
    const auto read = static_cast<double>(unit.read_bytes);
    cost_.read_s += read / costs_.disk_bytes_per_s;
    const double relaid =
        shape_.relaid ? static_cast<double>(unit.bytes) / costs_.relay_bytes_per_s : 0;
    cost_.relay_s += relaid;
    const auto most = static_cast<double>(unit.most_read_bytes());
    const double parts = most > 0 ? std::ceil(read / most) : 1;
    const Stretch part{.read_bytes = read / parts,
                       .held_s = (shape_.relaid ? relaid : computed) / parts,
                       .free_s = (shape_.relaid ? computed : 0) / parts};
    stretches_.insert(stretches_.end(), static_cast<size_t>(parts), part);
  }

  // Of a row for each of the pass's; never more than the whole table.
  double gathered_s(const UnitFacts& unit) const {
    if (unit.row_bytes == 0) return 0;
    const int64_t rows = load_.rows * std::max(unit.row_bytes, kLeastRead);
    return static_cast<double>(std::min(rows, unit.bytes)) / costs_.disk_bytes_per_s;
  }

  // Of a disk that the consumer waits for: the ring then holds no more than the unit of the stretch
  // when that begins, and fills while it is computed.
  double idle_s(const Stretch& stretch) const {
    const double ring_s = static_cast<double>(shape_.ring_bytes) / costs_.disk_bytes_per_s;
    const double beside_s = ring_s - stretch.read_bytes / costs_.disk_bytes_per_s;
    const double read_s =
        std::min(std::min(stretch.held_s, std::max(0.0, beside_s)) + stretch.free_s, ring_s);
    return stretch.held_s + stretch.free_s - read_s;
  }

  const PassShape& shape_;
  const PassLoad& load_;
  const CostTable& costs_;
  PassCost cost_;
  std::vector<Stretch> stretches_;
  double before_first_s_ = 0;
};

bool is_known(const PassShape& shape, const PassLoad& load, const CostTable& costs) {
  if (costs.compute.empty() || (load.kv_bytes > 0 && costs.ram_bytes_per_s <= 0)) return false;
  if (std::ranges::count(shape.resident, false) == 0) return true;
  return costs.disk_bytes_per_s > 0 && (!shape.relaid || costs.relay_bytes_per_s > 0);
}

}  // namespace

double CostTable::s_per_byte(int64_t rows) const {
  if (compute.empty()) return 0;
  if (rows <= compute.front().rows || compute.size() == 1) return compute.front().s_per_byte;
  size_t upper = 1;
  while (upper + 1 < compute.size() && compute[upper].rows < rows) upper++;
  const ComputePrice &a = compute[upper - 1], &b = compute[upper];
  const double slope = (b.s_per_byte - a.s_per_byte) / static_cast<double>(b.rows - a.rows);
  return std::max(a.s_per_byte + slope * static_cast<double>(rows - a.rows), 0.0);
}

std::optional<PassCost> pass_cost(const PassShape& shape, const PassLoad& load,
                                  const CostTable& costs) {
  if (!is_known(shape, load, costs)) return std::nullopt;
  return PassSum(shape, load, costs).sum();
}

}  // namespace strata::placement
