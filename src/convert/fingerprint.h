// Tells one model to be converted from another, without reading it whole: what a pack was made
// from, and whether an unfinished one may be gone on with.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pack_format.h"
#include "model/weights.h"

namespace strata::convert {

/// XXH3 of the documents, of every tensor's name, dtype, shape and place, of 4 KiB at the start, in
/// the middle and at the end of each, and of the format that they are laid in, coded or not. A
/// change between the sampled bytes of a tensor, with all samples left as they were, is not seen.
Result<uint64_t> fingerprint_of(const std::vector<checkpoint::NamedDocument>& documents,
                                const checkpoint::Checkpoint& checkpoint,
                                const model::WeightPlan& plan, bool compress);

}  // namespace strata::convert
