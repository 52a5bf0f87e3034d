// Where units of weights lie on disk, as plain byte ranges: what a pack's header or a model
// folder's index comes to. Filled above (model); memory reads by it and knows no tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace strata::memory {

/// A run of bytes in a file that belongs to one unit.
struct UnitPiece {
  size_t file = 0;  // into UnitSource::paths
  uint64_t offset = 0;
  int64_t bytes = 0;
};

struct StoredUnit {
  std::string name;                       // for errors: "layer 3 gate"
  std::vector<UnitPiece> pieces = {};     // in the order in which they are read
  std::optional<uint64_t> checksum = {};  // of the pieces one behind the other
  int64_t bytes = 0;                      // in compute layout
  size_t parts = 1;                       // that it is streamed in; 0: it never is
};

/// A unit as it was read: its pieces, each somewhere in memory.
using RawUnit = std::span<const std::span<const std::byte>>;

/// Shared by threads; every method is const and thread-safe.
class UnitSource {
 public:
  virtual ~UnitSource() = default;
  virtual const std::vector<std::string>& paths() const = 0;
  virtual const std::vector<StoredUnit>& units() const = 0;
  /// What is streamed as one: of each unit in turn its parts, which together are its bytes. A part
  /// has no checksum of its own.
  virtual const std::vector<StoredUnit>& parts() const { return units(); }
  /// True where a part is one piece that is its compute layout already.
  virtual bool ready_made() const = 0;
  /// Writes a part's compute layout to `out` (StoredUnit::bytes) on the caller's threads; only
  /// where it is not ready-made.
  virtual Result<void> finish(size_t part, RawUnit raw, std::span<std::byte> out) const = 0;
};

}  // namespace strata::memory
