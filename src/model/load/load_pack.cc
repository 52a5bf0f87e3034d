// A unit is one thread's work, since its checksum goes from its first byte to its last. One that
// lies in memory as in the file is read into its place; of others a staging buffer, which stays in
// the thread's L2 cache, takes some panels at a time.
#include "model/load/load_pack.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "model/load/load_progress.h"
#include "model/relay.h"
#include "tensor/exponent_coding.h"

namespace strata::model {
namespace {

// Where bytes of a unit in the file go.
struct Piece {
  uint64_t end = 0;         // in the file's unit; the piece begins where the last one ends
  std::byte* to = nullptr;  // null: nowhere, they are zeros between tensors
  int64_t panel_bytes = 0;  // of the coded panels that it is; 0: it goes as it is
  int64_t k = 0;            // their depth
};

struct alignas(64) Line {
  std::byte bytes[64];
};
using Staging = std::vector<Line>;

class Expander {
 public:
  Expander(const checkpoint::PackUnit& found, const WeightPlan& plan, const UnitPlace& place) {
    for (size_t i = 0; i < found.tensors.size(); i++) {
      const checkpoint::PackTensor& tensor = found.tensors[i];
      const UnitItem& item = place.unit->items[i];
      add({.end = tensor.offset});
      std::byte* const to = place.base + item.offset;
      if (tensor.bytes == static_cast<uint64_t>(item.bytes)) {
        add({.end = tensor.offset + tensor.bytes, .to = to});
      } else {
        add_panels(tensor, *plan.items[item.tensor].spec, to);
      }
    }
    add({.end = found.padded_bytes});
  }

  std::span<std::byte> room(uint64_t at, Staging& staging) {
    if (at == pieces_[next_].end) next_++;
    const Piece& piece = pieces_[next_];
    uint64_t size = piece.end - at;
    if (piece.panel_bytes == 0) size = std::min<uint64_t>(size, kStagingBytes);
    if (piece.panel_bytes == 0 && piece.to != nullptr) return {piece.to + (at - begin()), size};
    if (staging.size() * sizeof(Line) < size) staging.resize((size + 63) / sizeof(Line));
    return {staging.data()->bytes, size};
  }

  void take(std::span<const std::byte> bytes, tensor::ExpandFn expand) const {
    const Piece& piece = pieces_[next_];
    if (piece.panel_bytes == 0) return;
    const int64_t chunks = tensor::round_up(piece.k, tensor::kChunk) / tensor::kChunk;
    for (int64_t panel = 0; panel < std::ssize(bytes) / piece.panel_bytes; panel++) {
      expand({bytes.data() + panel * piece.panel_bytes, piece.panel_bytes, chunks, 0, chunks,
              piece.to + panel * packed_bytes(piece.k)});
    }
  }

 private:
  uint64_t begin() const { return next_ == 0 ? 0 : pieces_[next_ - 1].end; }

  void add(const Piece& piece) {
    if (piece.end > (pieces_.empty() ? 0 : pieces_.back().end)) pieces_.push_back(piece);
  }

  void add_panels(const checkpoint::PackTensor& tensor, const TensorSpec& spec, std::byte* to) {
    const int64_t panels = tensor::round_up(spec.rows, tensor::kPanel) / tensor::kPanel;
    const int64_t size = static_cast<int64_t>(tensor.bytes) / panels;
    CHECK(tensor::is_coded_panel_size(spec.cols, size), "a pack that was not bound");
    const int64_t step = std::max<int64_t>(1, kStagingBytes / size);
    for (int64_t panel = 0; panel < panels; panel += step) {
      const int64_t end = std::min(panels, panel + step);
      add({.end = tensor.offset + static_cast<uint64_t>(end * size),
           .to = to + panel * packed_bytes(spec.cols),
           .panel_bytes = size,
           .k = spec.cols});
    }
  }

  // Of a panel.
  static int64_t packed_bytes(int64_t k) {
    return tensor::packed_elements(tensor::kPanel, k) *
           tensor::element_bytes(tensor::ProductKind::kBf16);
  }

  std::vector<Piece> pieces_;
  size_t next_ = 0;
};

class PackLoader {
 public:
  PackLoader(const checkpoint::PackFile& pack, const WeightPlan& plan,
             std::span<const UnitPlace> places, const LoadOptions& options)
      : pack_(pack),
        plan_(plan),
        places_(places),
        options_(options),
        progress_(options.progress, plan.read_bytes) {}

  Result<void> run(ComputePool& pool) {
    staging_.resize(static_cast<size_t>(pool.threads()));
    pool.run(static_cast<int64_t>(places_.size()), [&](int64_t unit, int thread) {
      if (progress_.stopped()) return;
      const auto index = static_cast<size_t>(unit);
      const auto loaded =
          lies_the_same(index) ? read(index) : expand(index, staging_[static_cast<size_t>(thread)]);
      if (!loaded) progress_.stop(loaded.error());
    });
    return progress_.finish();
  }

 private:
  bool lies_the_same(size_t unit) const {
    const auto same = [](const checkpoint::PackTensor& tensor, const UnitItem& item) {
      return tensor.offset == static_cast<uint64_t>(item.offset) &&
             tensor.bytes == static_cast<uint64_t>(item.bytes);
    };
    const checkpoint::PackUnit& found = pack_.units()[unit];
    const WeightUnit& wanted = *places_[unit].unit;
    return found.padded_bytes == static_cast<uint64_t>(wanted.padded_bytes) &&
           std::ranges::equal(found.tensors, wanted.items, same);
  }

  Result<void> read(size_t unit) {
    const UnitPlace& place = places_[unit];
    return pack_.read_unit(unit, {place.base, static_cast<size_t>(place.unit->padded_bytes)},
                           [&](int64_t bytes) { progress_.add(bytes); });
  }

  Result<void> expand(size_t unit, Staging& staging) {
    Expander expander(pack_.units()[unit], plan_, places_[unit]);
    return pack_.walk_unit(
        unit, [&](uint64_t at) { return expander.room(at, staging); },
        [&](uint64_t, std::span<std::byte> bytes) {
          expander.take(bytes, options_.expand);
          progress_.add(static_cast<int64_t>(bytes.size()));
        });
  }

  const checkpoint::PackFile& pack_;
  const WeightPlan& plan_;
  std::span<const UnitPlace> places_;
  const LoadOptions& options_;
  std::vector<Staging> staging_;  // one per thread
  LoadProgress progress_;
};

}  // namespace

Result<void> load_pack_units(const checkpoint::PackFile& pack, const WeightPlan& plan,
                             std::span<const UnitPlace> places, ComputePool& pool,
                             const LoadOptions& options) {
  return PackLoader(pack, plan, places, options).run(pool);
}

}  // namespace strata::model
