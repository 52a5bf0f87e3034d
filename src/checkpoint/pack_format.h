// The bytes of a pack (docs/design/offload.md), both ways: a header of fixed size, the front (a
// table, the model's documents, the units' checksums), then the units. What is read is believed in
// nothing: every number is checked before it is used. Reads and writes no file, knows no model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata::checkpoint {

inline constexpr std::string_view kPackMagic = "STRATAPK";
inline constexpr uint32_t kPackVersion = 1;
inline constexpr uint64_t kPackHeaderBytes = 4096;

struct PackTensor {
  std::string name;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // from the unit's start
  uint64_t bytes = 0;

  bool operator==(const PackTensor&) const = default;
};

/// A piece of the file that is read as one.
struct PackUnit {
  std::string name;
  uint64_t offset = 0;        // from the start of the file; a multiple of PackContents::alignment
  uint64_t bytes = 0;         // to the end of its last tensor
  uint64_t padded_bytes = 0;  // with the zeros behind it: a multiple of the alignment
  uint64_t checksum = 0;      // XXH3 of the padded bytes
  std::vector<PackTensor> tensors;
};

/// A text file of the model's folder, by its name there.
struct NamedDocument {
  std::string name;
  std::string text;
};

/// All that a pack says besides the weights' bytes.
struct PackContents {
  std::string layout;           // compute layout of the tensors
  std::string weights;          // "bf16": product kind
  int64_t numerics = 0;         // version of docs/design/numerics.md
  int64_t tensor_parallel = 1;  // ranks that the tensors are divided over
  uint64_t fingerprint = 0;     // of the model that it was made from
  uint64_t alignment = 0;
  std::vector<PackUnit> units;
  std::vector<NamedDocument> documents;
};

struct PackHeader {
  uint64_t file_bytes = 0;
  uint64_t table_bytes = 0;
  uint64_t document_bytes = 0;
  uint64_t units = 0;
  uint64_t data_offset = 0;  // of the first unit
  uint64_t alignment = 0;
  uint64_t fingerprint = 0;
  uint64_t front_checksum = 0;  // of [kPackHeaderBytes, data_offset); 0 while unfinished
  bool finished = false;

  /// Of the checksums, 8 bytes for each unit.
  uint64_t checksums_offset() const;
  bool operator==(const PackHeader&) const = default;
};

/// kPackHeaderBytes of it.
std::string encode_header(const PackHeader& header);

/// `bytes`: the file's first ones, kPackHeaderBytes where it has as many. `name` starts every
/// error. kInvalidData for another file, a short or a damaged header, kUnsupported for another
/// version. Does not look whether the numbers fit the file, nor whether the pack is finished.
Result<PackHeader> decode_header(std::string_view bytes, std::string_view name);

/// A pack's first `data_offset` bytes before any unit is written: header, table, documents,
/// checksums of zero.
struct PackFront {
  PackHeader header;  // unfinished
  std::string bytes;
};

/// `contents.units` count their offsets from the first unit.
PackFront encode_front(const PackContents& contents);

/// kInvalidData where the header's numbers contradict each other or the file's size, or are beyond
/// what any model has; for an unfinished pack what to do about it.
Result<void> check_header(const PackHeader& header, uint64_t file_bytes, std::string_view name);

/// The table of a pack whose header has been checked, with offsets from the start of the file,
/// without checksums and texts: `documents` get their names, `document_bytes` their sizes in the
/// same order.
struct PackTable {
  PackContents contents;
  std::vector<uint64_t> document_bytes;
};
Result<PackTable> decode_table(std::string_view json, const PackHeader& header);

}  // namespace strata::checkpoint
