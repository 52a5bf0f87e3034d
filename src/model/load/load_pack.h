// Units of a pack into memory, whole: as they lie in the file, or with coded matrices expanded.
#pragma once

#include <span>

#include "base/compute_pool.h"
#include "checkpoint/pack_file.h"
#include "model/weights.h"

namespace strata::model {

/// `places`: of all the plan's units, in their order. A matrix that the plan holds packed and the
/// pack coded is expanded on the way (expanded_plan()). Needs a panel of the largest such matrix a
/// thread. Failures name file and unit.
Result<void> load_pack_units(const checkpoint::PackFile& pack, const WeightPlan& plan,
                             std::span<const UnitPlace> places, ComputePool& pool,
                             const LoadOptions& options);

}  // namespace strata::model
