// Which matrices of a model a pack holds coded (tensor/exponent_coding.h), and with how many
// escapes a panel. Reads all of the weights once; writes nothing.
#pragma once

#include <cstdint>
#include <functional>

#include "base/compute_pool.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "device/device.h"
#include "model/weights.h"

namespace strata::convert {

struct CodingOptions {
  model::LoadOptions load;
  /// Bytes looked at so far, and all.
  std::function<void(int64_t done, int64_t total)> progress = {};
};

/// The plan with its matrices coded where that takes a tenth less, all panels of a matrix with room
/// for the escapes of its worst; as it is where it is not of bf16. The same weights give the same
/// coding. Needs a window of memory (unit_stream.h).
Result<model::WeightPlan> choose_coding(device::Device& device,
                                        const checkpoint::Checkpoint& checkpoint,
                                        const model::WeightPlan& plan, ComputePool& pool,
                                        const CodingOptions& options);

}  // namespace strata::convert
