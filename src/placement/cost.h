// What one pass over a model's units takes, in closed form: prices as measured, and the sum that
// follows from them for a placement. Between calibration (engine/plan/calibrate.h) and whoever
// predicts or compares plans. Measures nothing and moves nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace strata::placement {

/// Which rows of a pass are computed with a unit.
enum class UnitUse : uint8_t {
  kRows,      // all of them: a layer's part
  kLogits,    // those whose logits are wanted: the head
  kGathered,  // none: rows of it are looked up, and it is never read as a whole
};

/// A unit as far as its place and its time are concerned; in the order of the pass.
struct UnitFacts {
  int64_t bytes = 0;       // in memory
  int64_t read_bytes = 0;  // as the disk has it, whole blocks
  UnitUse use = UnitUse::kRows;
  /// Of the largest part that it is streamed in, in memory and in a place in the ring; 0 = the
  /// whole.
  int64_t part_bytes = 0;
  int64_t part_read_bytes = 0;
  /// Where tokens' rows are looked up in it: what gathering them from the disk takes in memory, and
  /// reads for a token. 0 = no row is looked up.
  int64_t gather_bytes = 0;
  int64_t row_bytes = 0;

  /// What the ring and the memory for re-laying must hold at once.
  int64_t most_bytes() const { return part_bytes > 0 ? part_bytes : bytes; }
  int64_t most_read_bytes() const { return part_read_bytes > 0 ? part_read_bytes : read_bytes; }
};

/// Time that a byte of weights takes in a pass of so many rows, with all threads.
struct ComputePrice {
  int64_t rows = 0;
  double s_per_byte = 0;
};

/// What things cost, as measured; 0 and empty = unknown. The greedy placement asks for no price.
struct CostTable {
  double disk_bytes_per_s = 0;             // reads as the ring makes them
  double ram_bytes_per_s = 0;              // keys and values, read by all threads
  double relay_bytes_per_s = 0;            // of a folder's unit into compute layout, by all threads
  std::vector<ComputePrice> compute = {};  // ascending in rows

  /// Between two measured counts of rows on a line; beyond the last on the last two's. 0 = unknown.
  double s_per_byte(int64_t rows) const;
};

/// What a pass streams, and through what.
struct PassShape {
  std::span<const UnitFacts> units;
  const std::vector<bool>& resident;  // of each unit
  int64_t ring_bytes = 0;
  bool relaid = false;  // a streamed unit is re-laid after the read: a folder's
};

/// What a pass computes.
struct PassLoad {
  int64_t rows = 1;
  int64_t logit_rows = 1;
  int64_t kv_bytes = 0;  // keys and values that its rows look at
};

enum class Bottleneck : uint8_t { kCompute, kDisk };

struct PassCost {
  double read_s = 0;     // the disk, for what is streamed
  double idle_s = 0;     // of the disk, where the ring is full: that a larger ring would save
  double compute_s = 0;  // all threads, re-laying apart
  double relay_s = 0;

  double disk_s() const { return read_s + idle_s; }
  double busy_s() const { return compute_s + relay_s; }
  double pass_s() const { return disk_s() > busy_s() ? disk_s() : busy_s(); }
  Bottleneck bottleneck() const {
    return disk_s() > busy_s() ? Bottleneck::kDisk : Bottleneck::kCompute;
  }
};

/// The closed form of docs/design/offload.md. nullopt where a price that the pass needs is unknown.
std::optional<PassCost> pass_cost(const PassShape& shape, const PassLoad& load,
                                  const CostTable& costs);

}  // namespace strata::placement
