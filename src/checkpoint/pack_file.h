// A pack opened for reading: header, table and documents checked, units read on
// demand, each against its checksum. What its tensors mean is the model's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "checkpoint/pack_format.h"

namespace strata::checkpoint {

/// Whether the file begins as packs do.
bool is_pack(const ReadableFile& file);

/// Immutable after open(); every method may be called from many threads at once. Holds its file
/// open.
class PackFile {
 public:
  /// `name` starts every error. Reads header, table and documents and compares their checksums; of
  /// the units only what the table says of them is checked. An unfinished pack is kInvalidData, a
  /// newer version kUnsupported.
  static Result<PackFile> open(Env& env, const std::string& path, const std::string& name);

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }
  /// Documents by name only.
  const PackContents& contents() const { return table_.contents; }
  const std::vector<PackUnit>& units() const { return table_.contents.units; }
  const ReadableFile& file() const { return *file_; }

  Result<std::vector<NamedDocument>> read_documents() const;

  /// Fills `out` (the unit's padded bytes) from the file and compares the checksum. `on_read` is
  /// called now and then with bytes read since the last call.
  Result<void> read_unit(size_t unit, std::span<std::byte> out,
                         const std::function<void(int64_t)>& on_read = {}) const;

  /// Reads a unit once through a small window and compares its checksum, as read_unit().
  Result<void> check_unit(size_t unit) const;

  /// Where the bytes of a unit from `at` on go: as many as are read next, at least one, none beyond
  /// the unit's padded bytes.
  using PlaceBytes = std::function<std::span<std::byte>(uint64_t at)>;
  /// They are there.
  using TakeBytes = std::function<void(uint64_t at, std::span<std::byte> bytes)>;
  /// Reads a unit from its first byte to its last, piece by piece, and compares its checksum.
  Result<void> walk_unit(size_t unit, const PlaceBytes& place, const TakeBytes& take) const;

  /// The failure where bytes of a unit do not have its checksum.
  Status damaged(size_t unit) const;

 private:
  PackFile() = default;
  Result<void> read_front(const PackHeader& header);
  Result<std::string> read_text(uint64_t offset, uint64_t bytes) const;

  std::string name_;
  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  PackTable table_;
  uint64_t documents_offset_ = 0;
};

}  // namespace strata::checkpoint
