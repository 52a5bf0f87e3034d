// A pack's units as memory streams them: each is one piece of the file, ready to be computed with,
// and has a checksum. Reads nothing itself.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/pack_file.h"
#include "memory/unit_source.h"
#include "model/units.h"

namespace strata::model {

/// Of a pack that has been bound (bind_pack), so that its units are those of the plan.
class PackSource : public memory::UnitSource {
 public:
  PackSource(const checkpoint::PackFile& pack, const UnitCut& cut);

  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<memory::StoredUnit>& units() const override { return units_; }
  const std::vector<memory::StoredUnit>& parts() const override { return parts_; }
  bool ready_made() const override { return true; }
  Result<void> finish(size_t part, memory::RawUnit raw, std::span<std::byte> out) const override;

 private:
  std::vector<std::string> paths_;
  std::vector<memory::StoredUnit> units_;
  std::vector<memory::StoredUnit> parts_;
};

}  // namespace strata::model
