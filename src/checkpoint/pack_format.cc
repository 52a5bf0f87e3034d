// Numbers are stored with the least significant byte first.
#include "checkpoint/pack_format.h"

#include <bit>
#include <cstring>
#include <span>

#include "base/checksum.h"
#include "base/json.h"

namespace strata::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "packs are read where they lie");

// Beyond any model: what is refused before memory is taken for it.
constexpr uint64_t kMaxTableBytes = 16 << 20;
constexpr size_t kMaxTableValues = 400'000;
constexpr uint64_t kMaxDocumentBytes = 160 << 20;
constexpr uint64_t kMaxUnits = 1 << 17;
constexpr uint64_t kMaxAlignment = 1 << 30;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 46;
constexpr uint64_t kMinAlignment = 4096;

constexpr std::string_view kConvertAgain =
    "convert the model again, or get a whole copy of the file";

// The header as it lies in the file; zeros follow, and its checksum in the last eight bytes.
struct StoredHeader {
  char magic[8];
  uint32_t version;
  uint32_t finished;
  uint64_t file_bytes;
  uint64_t table_bytes;
  uint64_t document_bytes;
  uint64_t units;
  uint64_t data_offset;
  uint64_t alignment;
  uint64_t fingerprint;
  uint64_t front_checksum;
};
constexpr size_t kSumOffset = kPackHeaderBytes - sizeof(uint64_t);

uint64_t round_up(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

uint64_t sum_of_header(std::string_view bytes) {
  return checksum_of(std::as_bytes(std::span(bytes.substr(0, kSumOffset))));
}

std::unexpected<Status> damaged(std::string_view name, std::string problem) {
  return fail(Code::kInvalidData, std::string(name) + ": " + std::move(problem), {}, {},
              std::string(kConvertAgain));
}

std::string hex(uint64_t value) {
  std::string text(16, '0');
  for (size_t i = 0; i < 16; i++) text[15 - i] = "0123456789abcdef"[value >> (4 * i) & 15];
  return text;
}

Json to_json(const PackUnit& unit) {
  Json tensors = Json::array();
  for (const PackTensor& tensor : unit.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"shape", tensor.shape},
                       {"offset", tensor.offset},
                       {"bytes", tensor.bytes}});
  }
  return {{"name", unit.name},
          {"offset", unit.offset},
          {"bytes", unit.bytes},
          {"tensors", std::move(tensors)}};
}

std::string encode_table(const PackContents& contents) {
  Json units = Json::array(), documents = Json::array();
  for (const PackUnit& unit : contents.units) units.push_back(to_json(unit));
  for (const NamedDocument& document : contents.documents) {
    documents.push_back({{"name", document.name}, {"bytes", document.text.size()}});
  }
  return Json{{"layout", contents.layout},
              {"weights", contents.weights},
              {"numerics", contents.numerics},
              {"tensor_parallel", contents.tensor_parallel},
              {"fingerprint", hex(contents.fingerprint)},
              {"documents", std::move(documents)},
              {"units", std::move(units)}}
      .dump();
}

// One unit or tensor behind the last, inside what holds it.
Result<void> check_range(uint64_t offset, uint64_t bytes, uint64_t from, uint64_t end) {
  if (offset >= from && offset <= end && bytes <= end - offset) return {};
  return fail(Code::kInvalidData, "bytes " + std::to_string(offset) + " to " +
                                      std::to_string(offset + bytes) +
                                      (offset < from ? " overlap those before" : " lie outside"));
}

Result<uint64_t> get_size(const Json& object, std::string_view key) {
  return static_cast<uint64_t>(TRY(get_int(object, key, 0, int64_t{kMaxFileBytes})));
}

Result<PackTensor> read_tensor(const Json& json, uint64_t from, uint64_t end) {
  PackTensor tensor;
  tensor.name = TRY(get_string(json, "name"));
  tensor.shape = TRY(get_int_array(json, "shape", 0, int64_t{kMaxFileBytes}));
  tensor.offset = TRY(get_size(json, "offset"));
  tensor.bytes = TRY(get_size(json, "bytes"));
  TRY(in_file(tensor.name, check_range(tensor.offset, tensor.bytes, from, end)));
  return tensor;
}

Result<PackUnit> read_unit(const Json& json, const PackHeader& header, uint64_t from) {
  PackUnit unit;
  unit.name = TRY(get_string(json, "name"));
  unit.offset = TRY(get_size(json, "offset")) + header.data_offset;
  unit.bytes = TRY(get_size(json, "bytes"));
  unit.padded_bytes = round_up(unit.bytes, header.alignment);
  TRY(in_file(unit.name, check_range(unit.offset, unit.padded_bytes, from, header.file_bytes)));
  if (unit.offset % header.alignment != 0) {
    return fail(Code::kInvalidData, unit.name + ": offset", std::to_string(unit.offset),
                "a multiple of " + std::to_string(header.alignment));
  }
  uint64_t end = 0;
  for (const Json& row : *TRY(get_array(json, "tensors"))) {
    unit.tensors.push_back(TRY(in_file(unit.name, read_tensor(row, end, unit.bytes))));
    end = unit.tensors.back().offset + unit.tensors.back().bytes;
  }
  return unit;
}

Result<void> read_units(const Json& json, const PackHeader& header, PackContents& contents) {
  const Json& rows = *TRY(get_array(json, "units"));
  if (rows.size() != header.units) {
    return fail(Code::kInvalidData, "number of units", std::to_string(rows.size()),
                std::to_string(header.units) + " as in the header");
  }
  uint64_t end = header.data_offset;
  for (const Json& row : rows) {
    contents.units.push_back(TRY(read_unit(row, header, end)));
    end = contents.units.back().offset + contents.units.back().padded_bytes;
  }
  if (end == header.file_bytes) return {};
  return fail(Code::kInvalidData, "end of the last unit", std::to_string(end),
              "the end of the file at " + std::to_string(header.file_bytes));
}

Result<void> read_documents(const Json& json, const PackHeader& header, PackTable& table) {
  uint64_t bytes = 0;
  for (const Json& row : *TRY(get_array(json, "documents"))) {
    table.contents.documents.push_back({TRY(get_string(row, "name")), {}});
    table.document_bytes.push_back(TRY(get_size(row, "bytes")));
    bytes += table.document_bytes.back();
  }
  if (bytes == header.document_bytes) return {};
  return fail(Code::kInvalidData, "bytes of documents", std::to_string(bytes),
              std::to_string(header.document_bytes) + " as in the header");
}

Result<PackTable> read_table(const Json& json, const PackHeader& header) {
  PackTable table;
  PackContents& contents = table.contents;
  contents.layout = TRY(get_string(json, "layout"));
  contents.weights = TRY(get_string(json, "weights"));
  contents.numerics = TRY(get_int(json, "numerics", 0, 1 << 30));
  contents.tensor_parallel = TRY(get_int(json, "tensor_parallel", 1, 1 << 20));
  contents.fingerprint = header.fingerprint;
  contents.alignment = header.alignment;
  TRY(read_documents(json, header, table));
  TRY(read_units(json, header, contents));
  return table;
}

Result<PackTable> parse_table(std::string_view json, const PackHeader& header) {
  constexpr std::string_view kName = "table of the pack";
  const Json table = TRY(
      parse_json_object(json, kName, {.max_bytes = kMaxTableBytes, .max_values = kMaxTableValues}));
  return in_file(kName, read_table(table, header));
}

// Why the header's numbers cannot be; empty where they can.
std::string_view contradiction(const PackHeader& header) {
  if (!std::has_single_bit(header.alignment) || header.alignment < kMinAlignment ||
      header.alignment > kMaxAlignment) {
    return "an alignment that is no power of two from 4 KiB to 1 GiB";
  }
  if (header.table_bytes > kMaxTableBytes) return "a table beyond 16 MiB";
  if (header.document_bytes > kMaxDocumentBytes) return "documents beyond 160 MiB";
  if (header.units > kMaxUnits) return "more units than any model has";
  if (header.file_bytes > kMaxFileBytes) return "a size beyond 64 TiB";
  const uint64_t front = header.checksums_offset() + header.units * sizeof(uint64_t);
  if (header.data_offset != round_up(front, header.alignment)) return "units at another place";
  if (header.data_offset > header.file_bytes) return "units behind its end";
  return {};
}

}  // namespace

uint64_t PackHeader::checksums_offset() const {
  return round_up(kPackHeaderBytes + table_bytes + document_bytes, sizeof(uint64_t));
}

std::string encode_header(const PackHeader& header) {
  StoredHeader stored = {.magic = {},
                         .version = kPackVersion,
                         .finished = header.finished ? 1u : 0u,
                         .file_bytes = header.file_bytes,
                         .table_bytes = header.table_bytes,
                         .document_bytes = header.document_bytes,
                         .units = header.units,
                         .data_offset = header.data_offset,
                         .alignment = header.alignment,
                         .fingerprint = header.fingerprint,
                         .front_checksum = header.front_checksum};
  kPackMagic.copy(stored.magic, sizeof stored.magic);
  std::string bytes(kPackHeaderBytes, '\0');
  std::memcpy(bytes.data(), &stored, sizeof stored);
  const uint64_t sum = sum_of_header(bytes);
  std::memcpy(bytes.data() + kSumOffset, &sum, sizeof sum);
  return bytes;
}

Result<PackHeader> decode_header(std::string_view bytes, std::string_view name) {
  if (!bytes.starts_with(kPackMagic)) {
    return fail(Code::kInvalidData, std::string(name), "another kind of file", "a pack",
                "make one with `strata convert MODEL --out FILE`");
  }
  if (bytes.size() < kPackHeaderBytes) {
    return damaged(name, "the pack is cut short inside its header");
  }
  StoredHeader stored;
  std::memcpy(&stored, bytes.data(), sizeof stored);
  if (stored.version != kPackVersion) {
    const bool newer = stored.version > kPackVersion;
    return fail(Code::kUnsupported, std::string(name) + ": version of the pack",
                std::to_string(stored.version), std::to_string(kPackVersion),
                newer ? "use a newer strata, or convert the model again with this one"
                      : "convert the model again");
  }
  uint64_t sum = 0;
  std::memcpy(&sum, bytes.data() + kSumOffset, sizeof sum);
  if (sum != sum_of_header(bytes)) {
    return damaged(name, "the pack's header is damaged: its checksum is wrong");
  }
  return PackHeader{.file_bytes = stored.file_bytes,
                    .table_bytes = stored.table_bytes,
                    .document_bytes = stored.document_bytes,
                    .units = stored.units,
                    .data_offset = stored.data_offset,
                    .alignment = stored.alignment,
                    .fingerprint = stored.fingerprint,
                    .front_checksum = stored.front_checksum,
                    .finished = stored.finished == 1};
}

PackFront encode_front(const PackContents& contents) {
  const std::string table = encode_table(contents);
  std::string documents;
  for (const NamedDocument& document : contents.documents) documents += document.text;
  uint64_t data_bytes = 0;
  for (const PackUnit& unit : contents.units) data_bytes = unit.offset + unit.padded_bytes;
  PackFront front;
  PackHeader& header = front.header;
  header.table_bytes = table.size();
  header.document_bytes = documents.size();
  header.units = contents.units.size();
  header.alignment = contents.alignment;
  header.fingerprint = contents.fingerprint;
  header.data_offset =
      round_up(header.checksums_offset() + header.units * sizeof(uint64_t), header.alignment);
  header.file_bytes = header.data_offset + data_bytes;
  front.bytes = encode_header(header) + table + documents;
  front.bytes.resize(header.data_offset, '\0');
  return front;
}

Result<void> check_header(const PackHeader& header, uint64_t file_bytes, std::string_view name) {
  const std::string_view problem = contradiction(header);
  if (!problem.empty()) {
    return damaged(name, "the pack's header gives " + std::string(problem));
  }
  if (!header.finished) {
    return fail(Code::kInvalidData, std::string(name), "an unfinished pack", "a whole one",
                "run the same `strata convert` again: it goes on where it was stopped");
  }
  if (file_bytes == header.file_bytes) return {};
  const std::string sizes =
      std::to_string(file_bytes) + " bytes of " + std::to_string(header.file_bytes);
  return damaged(name, file_bytes < header.file_bytes ? "the pack is cut short: " + sizes
                                                      : "the pack is too long: " + sizes);
}

Result<PackTable> decode_table(std::string_view json, const PackHeader& header) {
  auto read = parse_table(json, header);
  if (read) return read;
  Status status = std::move(read).error();
  if (status.hint.empty()) status.hint = kConvertAgain;
  return std::unexpected(std::move(status));
}

}  // namespace strata::checkpoint
