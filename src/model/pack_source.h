// A pack's units as memory streams them: each is one piece of the file, ready to be computed with,
// and has a checksum. Reads nothing itself.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/pack_file.h"
#include "memory/unit_source.h"

namespace strata::model {

/// Of a pack that has been bound (bind_pack), so that its units are those of the plan.
class PackSource : public memory::UnitSource {
 public:
  explicit PackSource(const checkpoint::PackFile& pack);

  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<memory::StoredUnit>& units() const override { return units_; }
  bool ready_made() const override { return true; }
  Result<void> finish(size_t unit, memory::RawUnit raw, std::span<std::byte> out) const override;
  uint64_t checksum(memory::RawUnit raw) const override;

 private:
  std::vector<std::string> paths_;
  std::vector<memory::StoredUnit> units_;
};

}  // namespace strata::model
