// Peak probes: what this machine's memory and arithmetic units give right now, measured with the
// same pool and pages that the kernels use. Benchmarks quote shares of them; `doctor` prints them.
// They take a second or so each and run no model code.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/compute_pool.h"
#include "base/status.h"
#include "kernels/kernel_table.h"

namespace strata::kernels {

/// Arithmetic units that a product can run on.
enum class PeakUnit { kFma256, kFma512, kDotBf16, kAmxBf16 };

std::string_view peak_unit_name(PeakUnit unit);

/// The fastest unit of this CPU for a bf16 product that kernels up to `limit` may use; kUnavailable
/// where there is none of the list.
Result<PeakUnit> best_bf16_unit(Isa limit = Isa::kAmx);

/// Operations per second (a multiply-add is 2) with all threads of the pool on registers or L1,
/// random finite operands: on zeros a core clocks higher than it ever does on data. Median of
/// `repeats` runs of about 0.2 s.
Result<double> peak_rate(ComputePool& pool, PeakUnit unit, int repeats);

/// Bytes per second of reading `data` from front to back with all threads of the pool, in 1 MiB
/// pieces claimed from a counter. Median of `repeats` passes; `data` should be far larger than the
/// caches, on huge pages, and written before.
double read_bandwidth(ComputePool& pool, std::span<const std::byte> data, int repeats);

}  // namespace strata::kernels
