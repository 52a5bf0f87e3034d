// How fast this machine computes a model's layers: a few of them run through the real forward pass,
// with made-up weights, at several counts of rows. Between a spec and the prices of cost.h. Reads
// no weights and promises nothing of the disk.
#pragma once

#include "base/compute_pool.h"
#include "base/env.h"
#include "base/status.h"
#include "device/device.h"
#include "kernels/kernel_table.h"
#include "model/spec.h"
#include "model/weights.h"
#include "placement/cost.h"

namespace strata::placement {

/// All must outlive the call.
struct ComputeProbeArgs {
  Env& env;  // its clock
  device::Device& device;
  ComputePool& pool;
  const kernels::KernelTable& table;
  const model::ModelSpec& spec;
  const model::WeightPlan& plan;
};

/// Layers that are run: all, or as many as come to so many bytes.
inline constexpr int64_t kProbeBytes = 256 << 20;
/// Rows of a pass at which they are run.
inline constexpr int64_t kProbeRows[] = {1, 4, 16, 64, 256};

/// How many of the plan's layers are run.
int64_t probed_layers(const model::WeightPlan& plan);

/// Fills in what is computed (compute, ram_bytes_per_s) and, where the weights lie in a folder,
/// relay_bytes_per_s; the disk stays unknown. About two seconds. Takes memory of `device` for as
/// long as it measures: weights of kProbeBytes or the largest part of a layer, the same once more
/// for a folder, and activations of 256 rows.
Result<CostTable> probe_compute(const ComputeProbeArgs& args);

}  // namespace strata::placement
