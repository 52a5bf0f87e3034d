// See pack_source.h.
#include "model/pack_source.h"

#include "base/check.h"
#include "base/checksum.h"

namespace strata::model {

PackSource::PackSource(const checkpoint::PackFile& pack) : paths_{pack.path()} {
  for (const checkpoint::PackUnit& unit : pack.units()) {
    const auto bytes = static_cast<int64_t>(unit.padded_bytes);
    units_.push_back({.name = unit.name,
                      .pieces = {{0, unit.offset, bytes}},
                      .checksum = unit.checksum,
                      .bytes = bytes});
  }
}

Result<void> PackSource::finish(size_t, memory::RawUnit, std::span<std::byte>) const {
  CHECK(false, "units of a pack are ready-made");
  return {};
}

uint64_t PackSource::checksum(memory::RawUnit raw) const { return checksum_of(raw.front()); }

}  // namespace strata::model
