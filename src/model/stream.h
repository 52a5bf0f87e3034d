// Weights of which some units stay on the disk: residents are loaded here, the others come when the
// forward pass leases them. What is resident is decided above (placement).
#pragma once

#include <memory>
#include <string>

#include "base/compute_pool.h"
#include "base/env.h"
#include "base/status.h"
#include "device/device.h"
#include "memory/weight_store.h"
#include "model/spec.h"
#include "model/weights.h"

namespace strata::model {

/// All must outlive the weights.
struct StreamSetup {
  Env& env;
  device::Device& device;
  memory::MemoryAccount& account;
  ComputePool& pool;
  const ModelSpec& spec;
  WeightFiles files;
  const WeightPlan& plan;
};

/// The plan's units as they lie in the files; `folder`: of a checkpoint, where its files are.
Result<std::unique_ptr<const memory::UnitSource>> make_unit_source(
    const StreamSetup& setup, const std::string& folder, void (*pack)(const tensor::PackArgs&));

/// Loads the residents of `config` and starts streaming the other units of `source`, which are
/// those of the plan's cut. Memory is charged to the account.
Result<Weights> stream_weights(const StreamSetup& setup,
                               std::unique_ptr<const memory::UnitSource> source,
                               memory::StoreConfig config, const LoadOptions& options);

/// The unit's tensors can be read through `weights` for as long as the lease lives. At once, and
/// without a lease, where it is in memory. Not for the head.
Result<memory::Lease> lease_unit(Weights& weights, size_t unit, const memory::StopCheck& stop);

/// How many parts the head comes in: one where it is in memory.
size_t head_parts(const Weights& weights);

/// Rows of the head's matrix, from `first_row` on, for as long as the lease lives. The final norm
/// is always in memory.
struct LeasedHead {
  memory::Lease lease;
  tensor::PackedMatrix matrix;
  int64_t first_row = 0;
};
Result<LeasedHead> lease_head(const Weights& weights, size_t part, const memory::StopCheck& stop);

}  // namespace strata::model
