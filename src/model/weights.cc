// The binding half of weights.h: which tensor of the checkpoint each row of the spec's table is,
// what is wrong with the rest, and where everything will lie in memory. units.cc cuts, load.cc does
// the reading.
#include "model/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "tensor/dtype.h"

namespace strata::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::TensorEntry;
using tensor::DType;
using tensor::ProductKind;

constexpr size_t kMaxFaults = 20;
constexpr size_t kMaxListed = 5;

struct NamedDtype {
  std::string_view name;
  WeightDtype dtype;
};

constexpr std::array kNames = {
    NamedDtype{"auto", WeightDtype::kAuto}, NamedDtype{"f32", WeightDtype::kF32},
    NamedDtype{"f16", WeightDtype::kF16}, NamedDtype{"bf16", WeightDtype::kBF16}};

bool is_float_dtype(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

// Collects faults: all are counted, the first kMaxFaults are described.
struct Faults {
  size_t count = 0;
  std::vector<std::string> lines;

  void add(std::string line) {
    if (++count <= kMaxFaults) lines.push_back(std::move(line));
  }
};

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// True where the entry can serve; otherwise the fault is noted.
bool check_entry(const TensorSpec& spec, const TensorEntry* entry, Faults& faults) {
  if (entry == nullptr) {
    faults.add(fmt::format("{}: missing, expected {}", spec.name, shape_text(spec.shape())));
    return false;
  }
  std::vector<std::string> wrong;
  if (entry->shape != spec.shape()) {
    wrong.push_back(
        fmt::format("shape {}, expected {}", shape_text(entry->shape), shape_text(spec.shape())));
  }
  if (!is_float_dtype(entry->dtype)) {
    wrong.push_back(
        fmt::format("dtype {}, expected f32, f16 or bf16", tensor::dtype_name(entry->dtype)));
  }
  if (wrong.empty()) return true;
  faults.add(fmt::format("{}: {}", spec.name, fmt::join(wrong, " and ")));
  return false;
}

// Byte equality of two tensors of one shape and dtype. Some files of tied models hold the embedding
// twice; if the two differ the head is its own, as Transformers has it.
Result<bool> same_bytes(const Checkpoint& checkpoint, const TensorEntry& a, const TensorEntry& b) {
  if (a.dtype != b.dtype || a.bytes != b.bytes) return false;
  constexpr uint64_t kPiece = 1 << 20;
  std::vector<std::byte> left(kPiece), right(kPiece);
  for (uint64_t at = 0; at < a.bytes; at += kPiece) {
    const size_t size = std::min(kPiece, a.bytes - at);
    TRY(checkpoint.read(a, at, std::span(left).first(size)));
    TRY(checkpoint.read(b, at, std::span(right).first(size)));
    if (std::memcmp(left.data(), right.data(), size) != 0) return false;
  }
  return true;
}

ProductKind choose_kind(const WeightPlan& plan, WeightDtype wanted) {
  if (const auto asked = asked_kind(wanted)) return *asked;
  std::set<DType> found;
  for (const auto& item : plan.items) {
    if (item.spec->is_matrix()) found.insert(item.entry->dtype);
  }
  if (found == std::set{DType::kF16}) return ProductKind::kF16;
  if (found == std::set{DType::kBF16}) return ProductKind::kBf16;
  return ProductKind::kF32;
}

// Buffers of old files that follow from the config.
bool is_derived(std::string_view name) { return name.ends_with("rotary_emb.inv_freq"); }

void warn_extra(const ModelSpec& spec, const Checkpoint& checkpoint,
                std::vector<std::string>& warnings) {
  std::set<std::string_view> known;
  for (const TensorSpec& tensor : spec.tensors) known.insert(tensor.name);
  std::vector<std::string_view> extra;
  size_t count = 0;
  for (const TensorEntry& entry : checkpoint.entries()) {
    if (known.contains(entry.name) || is_derived(entry.name)) continue;
    if (++count <= kMaxListed) extra.push_back(entry.name);
  }
  if (count == 0) return;
  warnings.push_back(fmt::format("{} tensors ignored that {} does not have: {}{}", count,
                                 spec.family, fmt::join(extra, ", "),
                                 count > kMaxListed ? ", ..." : ""));
}

// Drops the head of a tied model unless the checkpoint holds one that differs from the embedding.
Result<bool> head_is_tied(const Checkpoint& checkpoint, const TensorEntry* embedding,
                          const TensorEntry* head) {
  if (head == nullptr) return true;
  if (embedding == nullptr) return false;
  return same_bytes(checkpoint, *embedding, *head);
}

Result<void> find_items(const ModelSpec& spec, const Checkpoint& checkpoint, WeightPlan& plan,
                        Faults& faults) {
  for (const TensorSpec& tensor : spec.tensors) {
    const TensorEntry* entry = checkpoint.find(tensor.name);
    if (tensor.optional) {
      plan.tied_head =
          TRY(head_is_tied(checkpoint, checkpoint.find(spec.tensors.front().name), entry));
      if (plan.tied_head) continue;
      plan.warnings.push_back(
          fmt::format("tie_word_embeddings ignored: {} differs from the embedding", tensor.name));
    }
    if (check_entry(tensor, entry, faults)) plan.items.push_back({&tensor, entry});
  }
  return {};
}

}  // namespace

std::optional<ProductKind> asked_kind(WeightDtype dtype) {
  switch (dtype) {
    case WeightDtype::kF32:
      return ProductKind::kF32;
    case WeightDtype::kF16:
      return ProductKind::kF16;
    case WeightDtype::kBF16:
      return ProductKind::kBf16;
    case WeightDtype::kAuto:
      break;
  }
  return std::nullopt;
}

Result<WeightDtype> parse_weight_dtype(std::string_view name) {
  for (const NamedDtype& row : kNames) {
    if (row.name == name) return row.dtype;
  }
  return fail(Code::kInvalidArgument, "--dtype", std::string(name), "auto, f32, f16 or bf16");
}

bool is_coded(const WeightPlan& plan) {
  return std::ranges::any_of(
      plan.items, [](const WeightPlan::Item& item) { return item.coded_panel_bytes != 0; });
}

WeightPlan expanded_plan(const WeightPlan& plan) {
  WeightPlan expanded = plan;
  for (WeightPlan::Item& item : expanded.items) item.coded_panel_bytes = 0;
  place_items(expanded);
  expanded.read_bytes = plan.read_bytes;
  return expanded;
}

void place_items(WeightPlan& plan) {
  std::vector<PlacedTensor> tensors;
  int64_t file_bytes = 0;
  for (const auto& item : plan.items) {
    tensors.push_back({item.spec, item.coded_panel_bytes});
    if (item.entry != nullptr) file_bytes += static_cast<int64_t>(item.entry->bytes);
  }
  plan.cut = cut_units(tensors, plan.kind);
  plan.memory_bytes = plan.cut.bytes;
  // A pack's units are read as they lie in memory.
  plan.read_bytes = file_bytes != 0 ? file_bytes : plan.cut.bytes;
}

Result<WeightPlan> bind_weights(const ModelSpec& spec, const Checkpoint& checkpoint,
                                WeightDtype dtype) {
  WeightPlan plan;
  Faults faults;
  TRY(find_items(spec, checkpoint, plan, faults));
  if (faults.count != 0) {
    const std::string more =
        faults.count > kMaxFaults ? fmt::format("; and {} more", faults.count - kMaxFaults) : "";
    return fail(Code::kInvalidData,
                fmt::format("{} of {} tensors do not fit the config: {}{}", faults.count,
                            spec.tensors.size(), fmt::join(faults.lines, "; "), more),
                {}, {}, "config.json and the weights must be of one model, completely downloaded");
  }
  plan.kind = choose_kind(plan, dtype);
  place_items(plan);
  warn_extra(spec, checkpoint, plan.warnings);
  return plan;
}

}  // namespace strata::model
