// Runs of neighbouring pieces are widened to whole blocks, then cut into requests.
#include "memory/read_plan.h"

#include <algorithm>

#include "base/read_queue.h"

namespace strata::memory {
namespace {

constexpr uint64_t kBlock = kDirectBlock;

uint64_t block_floor(uint64_t offset) { return offset / kBlock * kBlock; }
uint64_t block_ceil(uint64_t offset) { return block_floor(offset + kBlock - 1); }

// A run of a file without gaps that matter: pieces that touch, or whose gap is within a block.
struct Run {
  size_t file = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
};

void cut(const Run& run, int64_t request_bytes, UnitReadPlan& plan) {
  const uint64_t last = block_ceil(run.end);
  for (uint64_t offset = block_floor(run.begin); offset < last;) {
    const uint64_t bytes = std::min<uint64_t>(last - offset, static_cast<uint64_t>(request_bytes));
    plan.reads.push_back({.file = run.file,
                          .offset = offset,
                          .at = plan.place_bytes,
                          .bytes = static_cast<int64_t>(bytes),
                          .needed = static_cast<int64_t>(std::min(bytes, run.end - offset))});
    plan.place_bytes += static_cast<int64_t>(bytes);
    offset += bytes;
  }
}

}  // namespace

UnitReadPlan plan_reads(const StoredUnit& unit, int64_t request_bytes) {
  UnitReadPlan plan;
  Run run;
  int64_t run_place = 0;
  for (const UnitPiece& piece : unit.pieces) {
    const uint64_t end = piece.offset + static_cast<uint64_t>(piece.bytes);
    const bool joins = run.end != 0 && piece.file == run.file && piece.offset >= run.end &&
                       piece.offset <= block_ceil(run.end);
    if (!joins) {
      cut(run, request_bytes, plan);
      run = {piece.file, piece.offset, end};
      run_place = plan.place_bytes;
    }
    run.end = end;
    plan.piece_starts.push_back(run_place +
                                static_cast<int64_t>(piece.offset - block_floor(run.begin)));
  }
  cut(run, request_bytes, plan);
  return plan;
}

}  // namespace strata::memory
