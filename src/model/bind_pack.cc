// Between plans and packs: a pack is what this program would have written for the spec, or it is
// refused; so its units are used as they lie.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "model/weights.h"
#include "tensor/exponent_coding.h"

namespace strata::model {
namespace {

using checkpoint::PackContents;
using checkpoint::PackUnit;
using tensor::ProductKind;

// Of docs/design/numerics.md: how values are rounded when they are laid.
constexpr int64_t kNumericsVersion = 1;

std::optional<ProductKind> kind_of(std::string_view name) {
  for (const ProductKind kind : {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32}) {
    if (tensor::product_kind_name(kind) == name) return kind;
  }
  return std::nullopt;
}

std::unexpected<Status> other(std::string_view what, std::string got, std::string expected) {
  return fail(Code::kUnsupported, std::string(what), std::move(got), std::move(expected),
              "convert the model again with this version of strata");
}

Result<ProductKind> check_format(const PackContents& contents, WeightDtype dtype) {
  if (contents.layout != tensor::kPackedLayout && contents.layout != tensor::kCodedLayout) {
    return other("layout of the pack", contents.layout,
                 fmt::format("{} or {}", tensor::kPackedLayout, tensor::kCodedLayout));
  }
  if (contents.numerics != kNumericsVersion) {
    return other("numerics of the pack", std::to_string(contents.numerics),
                 std::to_string(kNumericsVersion));
  }
  if (contents.tensor_parallel != 1) {
    return other("ranks of the pack", std::to_string(contents.tensor_parallel), "1");
  }
  const auto kind = kind_of(contents.weights);
  if (!kind) return other("weights of the pack", contents.weights, "bf16, f16 or f32");
  const auto wanted = asked_kind(dtype);
  if (!wanted || *wanted == *kind) return *kind;
  const std::string name(tensor::product_kind_name(*wanted));
  return fail(Code::kInvalidArgument, "--dtype", name, contents.weights + ", which the pack holds",
              "convert the model with --dtype " + name);
}

bool has_head(const PackContents& contents, const ModelSpec& spec) {
  const std::string& head = spec.tensors.back().name;
  const auto holds = [&](const PackUnit& unit) {
    return std::ranges::find(unit.tensors, head, &checkpoint::PackTensor::name) !=
           unit.tensors.end();
  };
  return std::ranges::any_of(contents.units, holds);
}

using FoundTensors = std::unordered_map<std::string_view, const checkpoint::PackTensor*>;

FoundTensors by_name(const PackContents& contents) {
  FoundTensors found;
  for (const PackUnit& unit : contents.units) {
    for (const checkpoint::PackTensor& tensor : unit.tensors) found[tensor.name] = &tensor;
  }
  return found;
}

// Bytes of a coded panel where the tensor's bytes are those of coded panels; else 0, and whether
// they are right is compare()'s business.
int64_t coded_panel_bytes(const FoundTensors& found, const TensorSpec& spec) {
  const auto tensor = found.find(spec.name);
  if (tensor == found.end() || !may_be_coded(spec)) return 0;
  const auto bytes = static_cast<int64_t>(tensor->second->bytes);
  const int64_t panels = tensor::round_up(spec.rows, tensor::kPanel) / tensor::kPanel;
  const bool coded = bytes % panels == 0 && tensor::is_coded_panel_size(spec.cols, bytes / panels);
  return coded ? bytes / panels : 0;
}

void bind_items(const ModelSpec& spec, const PackContents& contents, bool tied, WeightPlan& plan) {
  const FoundTensors found = by_name(contents);
  const bool coded = contents.layout == tensor::kCodedLayout && plan.kind == ProductKind::kBf16;
  for (const TensorSpec& tensor : spec.tensors) {
    if (tensor.optional && tied) continue;
    plan.items.push_back({.spec = &tensor,
                          .entry = nullptr,
                          .coded_panel_bytes = coded ? coded_panel_bytes(found, tensor) : 0});
  }
  plan.tied_head = tied;
  place_items(plan);
}

// The first difference between what the pack holds and what it should; units lie one behind the
// other, so equal sizes give equal offsets.
Result<void> compare(const PackContents& found, const PackContents& wanted) {
  for (size_t i = 0; i < std::max(found.units.size(), wanted.units.size()); i++) {
    if (i >= found.units.size() || i >= wanted.units.size() ||
        found.units[i].name != wanted.units[i].name) {
      return fail(Code::kInvalidData, fmt::format("unit {} of the pack", i),
                  i < found.units.size() ? found.units[i].name : "none",
                  i < wanted.units.size() ? wanted.units[i].name : "none");
    }
    if (found.units[i].tensors != wanted.units[i].tensors ||
        found.units[i].padded_bytes != wanted.units[i].padded_bytes) {
      return fail(Code::kInvalidData,
                  found.units[i].name + ": tensors other than config.json asks for");
    }
  }
  return {};
}

}  // namespace

PackContents describe_pack(const WeightPlan& plan, uint64_t fingerprint) {
  const std::string_view layout = is_coded(plan) ? tensor::kCodedLayout : tensor::kPackedLayout;
  PackContents contents{.layout = std::string(layout),
                        .weights = std::string(tensor::product_kind_name(plan.kind)),
                        .numerics = kNumericsVersion,
                        .fingerprint = fingerprint,
                        .alignment = static_cast<uint64_t>(plan.cut.alignment),
                        .units = {},
                        .documents = {}};
  for (const WeightUnit& unit : plan.cut.units) {
    PackUnit& made = contents.units.emplace_back(
        PackUnit{.name = unit.name,
                 .offset = static_cast<uint64_t>(unit.offset),
                 .bytes = static_cast<uint64_t>(unit.bytes),
                 .padded_bytes = static_cast<uint64_t>(unit.padded_bytes),
                 .tensors = {}});
    for (const UnitItem& item : unit.items) {
      const TensorSpec& spec = *plan.items[item.tensor].spec;
      made.tensors.push_back({spec.name, spec.shape(), static_cast<uint64_t>(item.offset),
                              static_cast<uint64_t>(item.bytes)});
    }
  }
  return contents;
}

Result<WeightPlan> bind_pack(const ModelSpec& spec, const checkpoint::PackFile& pack,
                             WeightDtype dtype) {
  const auto bind = [&]() -> Result<WeightPlan> {
    WeightPlan plan;
    plan.kind = TRY(check_format(pack.contents(), dtype));
    const bool tied = spec.tensors.back().optional && !has_head(pack.contents(), spec);
    bind_items(spec, pack.contents(), tied, plan);
    TRY(compare(pack.contents(), describe_pack(plan, 0)));
    return plan;
  };
  auto plan = bind();
  if (plan) return plan;
  Status status = std::move(plan).error();
  if (status.hint.empty()) status.hint = "convert the model again";
  return std::unexpected(std::move(status).with_context(pack.name()));
}

}  // namespace strata::model
