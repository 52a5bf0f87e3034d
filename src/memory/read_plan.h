// A unit's pieces as requests to a read queue: whole disk blocks into a place in memory, cut to a
// size that keeps many under way. Pure arithmetic; ring.cc runs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory/unit_source.h"

namespace strata::memory {

struct PlannedRead {
  size_t file = 0;
  uint64_t offset = 0;  // in the file; all three are multiples of kDirectBlock
  int64_t at = 0;       // in the unit's place
  int64_t bytes = 0;
  int64_t needed = 0;  // less than `bytes` where a piece ends inside the last block
};

/// How a unit is read into its place: neighbouring pieces share reads, others get their own blocks.
struct UnitReadPlan {
  std::vector<PlannedRead> reads;     // ascending in `at`, without gaps
  std::vector<int64_t> piece_starts;  // of each piece, in the place
  int64_t place_bytes = 0;            // a multiple of kDirectBlock
};

/// `request_bytes`: a multiple of kDirectBlock.
UnitReadPlan plan_reads(const StoredUnit& unit, int64_t request_bytes);

}  // namespace strata::memory
