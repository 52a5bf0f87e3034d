// Rotation frequencies of every RoPE regime and the cosine and sine tables made from them at load.
// The values follow Transformers 5 (modeling_rope_utils), operation by operation, with powers,
// logarithms, sines and cosines of our own.
#pragma once

#include <cstdint>
#include <vector>

#include "base/compute_pool.h"
#include "base/status.h"
#include "device/device.h"
#include "model/spec.h"

namespace strata::model {

struct RopeFrequencies {
  std::vector<float> inv_freq;  // [rotary_dim / 2]
  float attention_factor = 1;   // multiplies cosine and sine
};

/// `max_model_len` matters to the dynamic regime only, whose frequencies it fixes.
RopeFrequencies rope_frequencies(const RopeSpec& spec, int64_t max_model_len);

struct RopeTables {
  device::Buffer memory;
  const float* cos = nullptr;  // [max_model_len][rotary_dim / 2], in memory
  const float* sin = nullptr;
  int64_t rotary_dim = 0;
};

/// Bytes of the tables of one regime.
int64_t rope_table_bytes(const RopeSpec& spec, int64_t max_model_len);

/// Work items of 64 positions over `pool`.
Result<RopeTables> build_rope_tables(device::Device& device, const RopeSpec& spec,
                                     int64_t max_model_len, ComputePool& pool);

}  // namespace strata::model
