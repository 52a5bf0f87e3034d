// Which units stay in memory when not all can: a pure decision over sizes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::memory {

struct UnitSize {
  int64_t bytes = 0;
  bool pinned = false;  // must be resident
};

/// As many bytes resident as `budget` allows, evenly over the depth, so that between any two
/// streamed units the disk has about the same time. Pinned units are resident whatever the budget.
/// Nothing that still fits is left out.
std::vector<bool> spread_residents(std::span<const UnitSize> units, int64_t budget);

}  // namespace strata::memory
