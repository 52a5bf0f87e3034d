// See pack_source.h.
#include "model/pack_source.h"

#include "base/check.h"

namespace strata::model {

PackSource::PackSource(const checkpoint::PackFile& pack, const UnitCut& cut) : paths_{pack.path()} {
  for (const checkpoint::PackUnit& unit : pack.units()) {
    const auto bytes = static_cast<int64_t>(unit.padded_bytes);
    units_.push_back({.name = unit.name,
                      .pieces = {{0, unit.offset, bytes}},
                      .checksum = unit.checksum,
                      .bytes = bytes});
  }
  if (cut.units.front().kind == UnitKind::kEmbedding) units_.front().parts = 0;
  parts_.assign(units_.begin() + (units_.front().parts == 0 ? 1 : 0), units_.end() - 1);
  memory::StoredUnit& head = units_.back();
  head.parts = cut.head_parts.size();
  for (const HeadPart& part : cut.head_parts) {
    const bool last = &part == &cut.head_parts.back();
    const int64_t bytes = last ? head.bytes - part.offset : part.bytes;  // with what pads the unit
    parts_.push_back(
        {.name = head.name,
         .pieces = {{0, head.pieces[0].offset + static_cast<uint64_t>(part.offset), bytes}},
         .bytes = bytes});
  }
}

Result<void> PackSource::finish(size_t, memory::RawUnit, std::span<std::byte>) const {
  CHECK(false, "units of a pack are ready-made");
  return {};
}

}  // namespace strata::model
