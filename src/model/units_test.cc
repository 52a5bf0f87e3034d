// The cut of a model into units: every tensor once, in the order of the forward pass, aligned at a
// bounded cost.
#include "model/units.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "model/config.h"
#include "model/weights.h"

namespace strata::model {
namespace {

using tensor::ProductKind;

ModelSpec spec_of(int64_t hidden, int64_t layers, int64_t vocab, bool tied) {
  auto config = parse_config(fmt::format(
      R"({{"model_type": "qwen3", "vocab_size": {}, "hidden_size": {}, "intermediate_size": {},
      "num_hidden_layers": {}, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": {},
      "attention_bias": true, "tie_word_embeddings": {}}})",
      vocab, hidden, hidden * 4, layers, hidden / 8, tied));
  EXPECT_TRUE(config.has_value());
  return config->spec;
}

struct Cut {
  std::vector<PlacedTensor> tensors;
  UnitCut cut;
};

Cut cut_of(const ModelSpec& spec, ProductKind kind) {
  Cut made;
  for (const TensorSpec& tensor : spec.tensors) {
    if (!tensor.optional) made.tensors.push_back({.spec = &tensor});
  }
  made.cut = cut_units(made.tensors, kind);
  return made;
}

TEST(Units, FollowTheForwardPass) {
  const ModelSpec spec = spec_of(64, 2, 96, false);
  std::vector<std::string> names;
  for (const WeightUnit& unit : cut_of(spec, ProductKind::kBf16).cut.units) {
    names.push_back(unit.name);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"embedding", "layer 0 attention", "layer 0 gate",
                                      "layer 0 up", "layer 0 down", "layer 1 attention",
                                      "layer 1 gate", "layer 1 up", "layer 1 down", "head"}));
}

TEST(Units, ATiedEmbeddingIsReadWhereTheHeadIs) {
  const ModelSpec spec = spec_of(64, 1, 96, true);
  const Cut made = cut_of(spec, ProductKind::kBf16);
  ASSERT_EQ(made.cut.units.size(), 5u);
  const WeightUnit& last = made.cut.units.back();
  EXPECT_EQ(last.name, "embedding and head");
  EXPECT_EQ(last.kind, UnitKind::kHead);
  ASSERT_EQ(last.items.size(), 2u);
  EXPECT_EQ(made.tensors[last.items[0].tensor].spec->role, TensorRole::kEmbedding);
  EXPECT_EQ(last.items[0].offset, 0);
  EXPECT_EQ(made.tensors[last.items[1].tensor].spec->role, TensorRole::kFinalNorm);
}

TEST(Units, EveryTensorLiesInOneUnitWithoutOverlap) {
  for (const bool tied : {false, true}) {
    for (const ProductKind kind : {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32}) {
      const ModelSpec spec = spec_of(80, 3, 75, tied);
      const Cut made = cut_of(spec, kind);
      std::set<size_t> seen;
      int64_t unit_end = 0;
      for (const WeightUnit& unit : made.cut.units) {
        EXPECT_EQ(unit.offset, unit_end);
        EXPECT_EQ(unit.offset % made.cut.alignment, 0);
        EXPECT_LE(unit.bytes, unit.padded_bytes);
        int64_t item_end = 0;
        for (const UnitItem& item : unit.items) {
          EXPECT_TRUE(seen.insert(item.tensor).second);
          EXPECT_EQ(made.tensors[item.tensor].spec->layer, unit.layer);
          EXPECT_EQ(item.bytes, tensor_bytes(*made.tensors[item.tensor].spec, kind));
          EXPECT_GE(item.offset, item_end);
          EXPECT_EQ(item.offset % kTensorAlign, 0);
          item_end = item.offset + item.bytes;
        }
        EXPECT_LE(item_end, unit.bytes);
        EXPECT_LT(unit.bytes - item_end, kTensorAlign);
        unit_end = unit.offset + unit.padded_bytes;
      }
      EXPECT_EQ(made.cut.bytes, unit_end);
      EXPECT_EQ(seen.size(), made.tensors.size());
    }
  }
}

TEST(Units, AHeadIsStreamedInPartsNoLargerThanALayersUnit) {
  for (const bool tied : {false, true}) {
    const ModelSpec spec = spec_of(80, 3, 4001, tied);
    const Cut made = cut_of(spec, ProductKind::kBf16);
    const WeightUnit& head = made.cut.units.back();
    const UnitItem& matrix = head.items[tied ? 0 : 1];
    int64_t largest = 0, offset = 0, row = 0;
    for (const WeightUnit& unit : made.cut.units) {
      if (unit.layer >= 0) largest = std::max(largest, unit.bytes);
    }
    EXPECT_GE(made.cut.head_parts.size(), 4u);
    for (const HeadPart& part : made.cut.head_parts) {
      EXPECT_EQ(part.offset, offset);
      EXPECT_EQ(part.first_row, row);
      EXPECT_EQ(part.first_row % tensor::kPanel, 0);
      const int64_t panel_bytes = tensor::packed_elements(tensor::kPanel, 80) * 2;
      EXPECT_EQ(part.offset + part.data - matrix.offset,
                part.first_row / tensor::kPanel * panel_bytes);
      EXPECT_LE(part.bytes, largest + 80 * 4 + kTensorAlign) << "and the final norm";
      offset += part.bytes;
      row += part.rows;
    }
    EXPECT_EQ(offset, head.bytes);
    EXPECT_EQ(row, 4001);
  }
  EXPECT_EQ(cut_of(spec_of(64, 2, 96, false), ProductKind::kBf16).cut.head_parts.size(), 1u);
}

TEST(Units, AlignmentFollowsTheirSize) {
  const auto alignment = [](int64_t hidden, int64_t layers, int64_t vocab) {
    return cut_of(spec_of(hidden, layers, vocab, false), ProductKind::kBf16).cut.alignment;
  };
  EXPECT_EQ(alignment(64, 2, 96), kMinUnitAlign);
  EXPECT_EQ(alignment(8192, 80, 32000), kMaxUnitAlign);
  const int64_t between = alignment(1024, 16, 32000);
  EXPECT_GT(between, kMinUnitAlign);
  EXPECT_LT(between, kMaxUnitAlign);
}

TEST(Units, PaddingTakesAtMostOnePercentWhereItIsMoreThanAPage) {
  for (const int64_t hidden : {64, 256, 512, 1024, 2048, 4096, 8192}) {
    const UnitCut cut = cut_of(spec_of(hidden, 8, 32000, hidden < 2048), ProductKind::kBf16).cut;
    int64_t data = 0;
    for (const WeightUnit& unit : cut.units) data += unit.bytes;
    if (cut.alignment == kMinUnitAlign) continue;
    EXPECT_LE(cut.bytes - data, data / 100) << hidden;
  }
}

}  // namespace
}  // namespace strata::model
