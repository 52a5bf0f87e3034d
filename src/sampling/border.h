// Where a share of weights ends in an order that nobody sorts: below top_p and typical_p, which
// differ in their keys only. It knows no requests, and leaves the row as it is.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "sampling/row.h"

namespace strata::sampling {

/// In the order (key down, place up), a place being the index. No weight is above 1 or below 0; the
/// key of one above 0 is finite. May refer to anything but scratch's pool and its candidates.
struct Weighed {
  std::span<const float> keys;
  std::span<const float> weights;
  std::span<const float> sums;  // of weights by blocks of kLogitBlock
  double total = 0;             // of these
};

struct Border {
  float key = 0;
  size_t place = 0;
  friend bool operator==(const Border&, const Border&) = default;
};

/// The last one that belongs to the share: the first at which the running sum of weights, in
/// double, reaches it. nullopt: it never does.
std::optional<Border> border_of_share(const Weighed& all, double share, SamplerScratch& scratch);

}  // namespace strata::sampling
