// Reads the RoPE part of a config.json in its old (rope_theta, rope_scaling) and new
// (rope_parameters) form.
#pragma once

#include "base/status.h"
#include "model/config_reader.h"
#include "model/spec.h"

namespace strata::model {

/// Fields that the kind does not use keep their defaults, so both forms of one config give equal
/// specs.
Result<RopeSpec> read_rope(const ConfigReader& reader, int64_t head_dim, int64_t max_position);

}  // namespace strata::model
