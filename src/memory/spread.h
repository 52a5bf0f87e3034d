// Which units stay in memory when not all can: a pure decision over sizes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::memory {

/// As many bytes resident as `budget` allows, evenly over the depth, so that between any two
/// streamed units the disk has about the same time. `units`: bytes of each. Nothing that still fits
/// is left out.
std::vector<bool> spread_residents(std::span<const int64_t> units, int64_t budget);

}  // namespace strata::memory
