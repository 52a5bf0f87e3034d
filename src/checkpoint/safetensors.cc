// Two passes over the header. The first checks everything and keeps 32 bytes a tensor, so that a
// bad header costs little memory however large it is; the second, over a header known to be good,
// builds the entries.
#include "checkpoint/safetensors.h"

#include <algorithm>
#include <optional>

#include "checkpoint/file_kind.h"
#include "checkpoint/json_scanner.h"

namespace strata::checkpoint {
namespace {

using tensor::DType;

constexpr uint64_t kLengthBytes = 8;

struct DTypeRow {
  std::string_view name;
  DType dtype;
};

constexpr DTypeRow kDTypes[] = {
    {"F32", DType::kF32},   {"F16", DType::kF16},        {"BF16", DType::kBF16},
    {"F64", DType::kF64},   {"I64", DType::kI64},        {"I32", DType::kI32},
    {"I16", DType::kI16},   {"I8", DType::kI8},          {"U8", DType::kU8},
    {"BOOL", DType::kBool}, {"F8_E4M3", DType::kF8E4M3}, {"F8_E5M2", DType::kF8E5M2},
};

// Known to the format, without a use here so far.
constexpr std::string_view kOtherDTypes[] = {"U16",     "U32",     "U64",     "C64",
                                             "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4"};

// One tensor of the header as it is being read; reused, so that a million of them do not allocate.
struct RawEntry {
  std::string name;
  uint64_t name_offset = 0;
  std::vector<int64_t> shape;
  DType dtype = DType::kF32;
  uint64_t begin = 0;  // relative to the data
  uint64_t end = 0;
};

// What the first pass keeps of a tensor.
struct Record {
  uint64_t begin;
  uint64_t end;
  uint64_t name_hash;
  uint64_t name_offset;
};

// FNV-1a. Two names of one file with equal hashes count as one name: at a million names this
// refuses one good file in 40 million, and never accepts a bad one.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

struct Layout {
  const ReadableFile& file;
  std::string_view name;
  uint64_t data_start;
  uint64_t data_bytes;
};

std::string quoted(std::string_view tensor) { return "tensor \"" + std::string(tensor) + "\""; }

std::unexpected<Status> fail_tensor(const Layout& layout, std::string_view tensor,
                                    std::string_view problem, std::string got = {},
                                    std::string expected = {}) {
  return fail(Code::kInvalidData,
              std::string(layout.name) + ": " + quoted(tensor) + ": " + std::string(problem),
              std::move(got), std::move(expected));
}

// Product of the dimensions. Zeros are left out of the overflow check's product, so that no order
// of them hides an overflow.
std::optional<uint64_t> element_count(const std::vector<int64_t>& shape) {
  uint64_t product = 1;
  bool empty = false;
  for (const int64_t dim : shape) {
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, static_cast<uint64_t>(dim), &product)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : product;
}

Result<void> check_extent(const Layout& layout, const RawEntry& entry) {
  if (entry.begin > entry.end) {
    return fail_tensor(layout, entry.name, "data_offsets run backwards",
                       std::to_string(entry.begin) + ".." + std::to_string(entry.end));
  }
  const auto count = element_count(entry.shape);
  uint64_t bytes = 0;
  if (!count ||
      __builtin_mul_overflow(*count, uint64_t{tensor::dtype_bytes(entry.dtype)}, &bytes)) {
    return fail_tensor(layout, entry.name, "overflow: the shape has more than 2^64 bytes");
  }
  if (bytes != entry.end - entry.begin) {
    return fail_tensor(layout, entry.name, "data_offsets contradict shape and dtype",
                       std::to_string(entry.end - entry.begin) + " bytes",
                       std::to_string(bytes) + " bytes");
  }
  if (entry.end > layout.data_bytes) {
    auto failure = fail_tensor(
        layout, entry.name, "the file is truncated", std::to_string(layout.file.size()) + " bytes",
        "at least " + std::to_string(layout.data_start + entry.end) + " bytes");
    failure.error().hint = "the download is incomplete; download the file again";
    return failure;
  }
  return {};
}

// Reads the members of the header one after the other.
class HeaderParser {
 public:
  explicit HeaderParser(const Layout& layout)
      : layout_(layout), scanner_(layout.file, layout.name, kLengthBytes, layout.data_start) {}

  // `on_entry(const RawEntry&)` is called for every tensor, each checked by itself.
  template <class F>
  Result<void> run(F&& on_entry) {
    const auto read_member = [&](const std::string& name) -> Result<void> {
      if (name == "__metadata__") return read_metadata();
      entry_.name = name;
      entry_.name_offset = scanner_.key_offset();
      TRY(check_name());
      TRY(read_entry());
      TRY(check_extent(layout_, entry_));
      return on_entry(entry_);
    };
    TRY(scanner_.expect('{'));
    TRY(scanner_.each_member(kMaxTensorNameBytes, read_member));
    return scanner_.expect_end();
  }

 private:
  Result<void> check_name() {
    if (entry_.name.empty()) return scanner_.error("a tensor without a name");
    for (const char c : entry_.name) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7f) {
        return scanner_.error("a control character in the name of a tensor");
      }
    }
    return {};
  }

  Result<void> read_metadata() {
    if (std::exchange(metadata_seen_, true)) return scanner_.error("a second __metadata__");
    std::vector<uint64_t> keys;
    const auto read_value = [&](const std::string& key) -> Result<void> {
      keys.push_back(hash_of(key));
      if (keys.size() > kMaxTensorsPerFile) return scanner_.error("too many metadata keys");
      return scanner_.read_string(nullptr);
    };
    TRY(scanner_.expect('{'));
    TRY(scanner_.each_member(kMaxTensorNameBytes, read_value));
    std::ranges::sort(keys);
    if (std::ranges::adjacent_find(keys) != keys.end()) {
      return scanner_.error("__metadata__ has a key twice");
    }
    return {};
  }

  Result<void> read_entry() {
    bool dtype = false, shape = false, offsets = false;
    const auto read_field = [&](const std::string& key) -> Result<void> {
      if (key == "dtype" && !std::exchange(dtype, true)) return read_dtype();
      if (key == "shape" && !std::exchange(shape, true)) return read_shape();
      if (key == "data_offsets" && !std::exchange(offsets, true)) return read_offsets();
      return fail_tensor(layout_, entry_.name, "unknown or repeated key", key,
                         "dtype, shape and data_offsets, once each");
    };
    TRY(scanner_.expect('{'));
    TRY(scanner_.each_member(kMaxTensorNameBytes, read_field));
    if (!dtype) return fail_tensor(layout_, entry_.name, "incomplete", {}, "a dtype");
    if (!shape) return fail_tensor(layout_, entry_.name, "incomplete", {}, "a shape");
    if (!offsets) return fail_tensor(layout_, entry_.name, "incomplete", {}, "data_offsets");
    return {};
  }

  Result<void> read_dtype() {
    TRY(scanner_.read_string(&text_, kMaxTensorNameBytes));
    for (const DTypeRow& row : kDTypes) {
      if (row.name != text_) continue;
      entry_.dtype = row.dtype;
      return {};
    }
    std::string expected = "one of";
    for (const DTypeRow& row : kDTypes) (expected += ' ') += row.name;
    auto failure = fail_tensor(layout_, entry_.name, "dtype", text_, std::move(expected));
    const bool known = std::ranges::find(kOtherDTypes, text_) != std::end(kOtherDTypes);
    if (known) failure.error().code = Code::kUnsupported;
    return failure;
  }

  Result<void> read_shape() {
    entry_.shape.clear();
    TRY(scanner_.expect('['));
    if (scanner_.consume(']')) return {};
    do {
      if (entry_.shape.size() == kMaxTensorDims) {
        return scanner_.error("overflow: a shape of more than 64 dimensions");
      }
      entry_.shape.push_back(TRY(scanner_.read_unsigned()));
    } while (scanner_.consume(','));
    return scanner_.expect(']');
  }

  Result<void> read_offsets() {
    TRY(scanner_.expect('['));
    entry_.begin = static_cast<uint64_t>(TRY(scanner_.read_unsigned()));
    TRY(scanner_.expect(','));
    entry_.end = static_cast<uint64_t>(TRY(scanner_.read_unsigned()));
    return scanner_.expect(']');
  }

  const Layout& layout_;
  JsonScanner scanner_;
  RawEntry entry_;
  std::string text_;
  bool metadata_seen_ = false;
};

// A name is read again only to be shown.
std::string name_at(const Layout& layout, const Record& record) {
  JsonScanner scanner(layout.file, layout.name, record.name_offset, layout.data_start);
  std::string name;
  if (!scanner.read_string(&name, kMaxTensorNameBytes)) return "?";
  return name;
}

Result<void> check_unique_names(const Layout& layout, std::vector<Record>& records) {
  std::ranges::sort(records, {}, &Record::name_hash);
  const auto twin = std::ranges::adjacent_find(records, {}, &Record::name_hash);
  if (twin == records.end()) return {};
  return fail_tensor(layout, name_at(layout, *twin), "is there twice");
}

// The tensors must cover the data from its first byte to its last, one after the other: bytes that
// nobody owns could carry another file, bytes that two own are an attack or a bug of the writer.
Result<void> check_coverage(const Layout& layout, std::vector<Record>& records) {
  std::ranges::sort(records, [](const Record& a, const Record& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t covered = 0;
  for (const Record& record : records) {
    if (record.begin != covered) {
      const std::string problem = record.begin < covered
                                      ? "overlap with the tensor before it"
                                      : "a hole between it and the tensor before it";
      return fail_tensor(layout, name_at(layout, record), problem,
                         "data_offsets from " + std::to_string(record.begin),
                         std::to_string(covered));
    }
    covered = record.end;
  }
  if (covered == layout.data_bytes) return {};
  return fail(Code::kInvalidData, std::string(layout.name) + ": extra bytes after the last tensor",
              std::to_string(layout.file.size()) + " bytes",
              std::to_string(layout.data_start + covered) + " bytes");
}

struct Checked {
  size_t count = 0;
  uint64_t digest = 0;  // of names and extents in header order
};

uint64_t mix(uint64_t digest, const RawEntry& entry, uint64_t name_hash) {
  for (const uint64_t part : {name_hash, entry.begin, entry.end}) {
    digest = (digest ^ part) * 0x9e3779b97f4a7c15u;
    digest ^= digest >> 32;
  }
  return digest;
}

Result<Checked> check_header(const Layout& layout) {
  // A tensor takes at least this much of the header:
  // {"a":{"dtype":"U8","shape":[],"data_offsets":[0,0]}}.
  constexpr uint64_t kLeastEntryBytes = 50;
  std::vector<Record> records;
  records.reserve(std::min<uint64_t>((layout.data_start - kLengthBytes) / kLeastEntryBytes + 1,
                                     kMaxTensorsPerFile));
  Checked checked;
  const auto keep = [&](const RawEntry& entry) -> Result<void> {
    if (records.size() == kMaxTensorsPerFile) {
      return fail(Code::kResourceLimit, std::string(layout.name) + ": number of tensors",
                  "more than " + std::to_string(kMaxTensorsPerFile));
    }
    const uint64_t name_hash = hash_of(entry.name);
    checked.digest = mix(checked.digest, entry, name_hash);
    records.push_back({entry.begin, entry.end, name_hash, entry.name_offset});
    return {};
  };
  TRY(HeaderParser(layout).run(keep));
  checked.count = records.size();
  TRY(check_unique_names(layout, records));
  TRY(check_coverage(layout, records));
  return checked;
}

Result<std::vector<TensorEntry>> build_entries(const Layout& layout, const Checked& checked,
                                               uint32_t file_index) {
  std::vector<TensorEntry> entries;
  entries.reserve(checked.count);
  uint64_t digest = 0;
  const auto build = [&](const RawEntry& entry) -> Result<void> {
    digest = mix(digest, entry, hash_of(entry.name));
    entries.push_back({entry.name, entry.shape, entry.dtype, file_index,
                       layout.data_start + entry.begin, entry.end - entry.begin});
    return {};
  };
  TRY(HeaderParser(layout).run(build));
  if (entries.size() != checked.count || digest != checked.digest) {
    return fail(Code::kInvalidData, std::string(layout.name) + ": changed while it was being read");
  }
  const auto before = [](const TensorEntry& a, const TensorEntry& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  };
  if (!std::ranges::is_sorted(entries, before)) std::ranges::sort(entries, before);
  return entries;
}

std::unexpected<Status> not_safetensors(const ReadableFile& file, std::string_view name,
                                        Status otherwise) {
  return std::unexpected(wrong_kind_of_file(file, name, std::move(otherwise)));
}

// Length and first byte; with these right the file is taken for safetensors.
Result<Layout> read_layout(const ReadableFile& file, std::string_view name) {
  const std::string label(name);
  if (file.size() < kLengthBytes + 2) {
    return fail(Code::kInvalidData, label + ": too short for safetensors",
                std::to_string(file.size()) + " bytes", "at least 10",
                "the download is incomplete; download the file again");
  }
  unsigned char start[kLengthBytes + 1];
  auto read = file.read_at(0, std::as_writable_bytes(std::span(start)));
  if (!read) return std::unexpected(std::move(read).error().with_context(name));
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | start[i];

  const uint64_t room = file.size() - kLengthBytes;
  const uint64_t most = std::min(room, kMaxHeaderBytes);
  if (length < 2 || length > most) {
    const bool too_long = length > kMaxHeaderBytes && length <= room;
    return not_safetensors(
        file, name,
        {Code::kInvalidData,
         label + (too_long ? ": header limit: header length" : ": header length"),
         std::to_string(length), "2.." + std::to_string(most) + " bytes",
         "the file is damaged, cut off or no safetensors file"});
  }
  if (start[kLengthBytes] != '{') {
    return not_safetensors(file, name,
                           {Code::kInvalidData,
                            label + ": header does not begin with '{'",
                            {},
                            {},
                            "this is not a safetensors file"});
  }
  return Layout{file, name, kLengthBytes + length, room - length};
}

}  // namespace

Result<std::vector<TensorEntry>> read_safetensors_header(const ReadableFile& file,
                                                         std::string_view name,
                                                         uint32_t file_index) {
  const Layout layout = TRY(read_layout(file, name));
  const Checked checked = TRY(check_header(layout));
  return build_entries(layout, checked, file_index);
}

}  // namespace strata::checkpoint
