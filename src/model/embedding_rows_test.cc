// Rows that are gathered from the disk against the table in memory, bit for bit: every type of file
// and product, tied and untied, tokens at both ends and twice; and what a weight that does not fit
// its type says.
#include "model/embedding_rows.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/fault_env.h"
#include "device/cpu_device.h"
#include "model/config.h"
#include "model/test_support.h"

namespace strata::model {
namespace {

using tensor::DType;
using tensor::ProductKind;

constexpr int32_t kVocab = 1003;
constexpr int64_t kHidden = 40;

ModelSpec make_spec(bool tied) {
  auto config = parse_config(fmt::format(
      R"({{"model_type": "qwen3", "vocab_size": {}, "hidden_size": {}, "intermediate_size": 50,
      "num_hidden_layers": 1, "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 10,
      "attention_bias": true, "tie_word_embeddings": {}}})",
      kVocab, kHidden, tied));
  EXPECT_TRUE(config.has_value());
  return config->spec;
}

// The stored bits of a row.
std::vector<uint32_t> bits_of(const tensor::PackedMatrix& matrix, int64_t row) {
  std::vector<uint32_t> bits;
  for (int64_t k = 0; k < matrix.k; k++) {
    const int64_t at = tensor::packed_index(matrix.kind, row, k, matrix.k);
    bits.push_back(matrix.kind == ProductKind::kF32
                       ? reinterpret_cast<const uint32_t*>(matrix.data)[at]
                       : reinterpret_cast<const uint16_t*>(matrix.data)[at]);
  }
  return bits;
}

// A folder whose weights are all in memory, and once more all on the disk.
class Both {
 public:
  Both(const testing::TestTensors& tensors, bool tied, WeightDtype dtype, Env& env = real_env())
      : env_(env), spec(make_spec(tied)), folder_(tensors), checkpoint_(folder_.open()) {
    auto bound = bind_weights(spec, checkpoint_, dtype);
    EXPECT_TRUE(bound) << bound.error().message();
    plan = std::move(*bound);
    pool_ = std::move(*ComputePool::create(1));
  }

  Weights in_memory() {
    auto loaded = load_weights(device_, spec, checkpoint_, plan, {.threads = 1});
    EXPECT_TRUE(loaded) << loaded.error().message();
    return std::move(*loaded);
  }
  Weights on_disk() {
    const StreamSetup setup{env_, device_, account, *pool_, spec, checkpoint_, plan};
    auto source = make_unit_source(setup, folder_.path(), tensor::pack_rows);
    EXPECT_TRUE(source) << source.error().message();
    memory::StoreConfig store{.resident = std::vector<bool>(plan.cut.units.size(), false)};
    store.ring.bytes = 1 << 20;
    auto streamed = stream_weights(setup, std::move(*source), std::move(store), {.threads = 1});
    EXPECT_TRUE(streamed) << streamed.error().message();
    return std::move(*streamed);
  }

 private:
  Env& env_;
  device::CpuDevice device_;

 public:
  memory::MemoryAccount account;
  ModelSpec spec;
  WeightPlan plan;

 private:
  testing::TestFolder folder_;
  checkpoint::Checkpoint checkpoint_;
  std::unique_ptr<ComputePool> pool_;
};

std::vector<int32_t> some_ids(size_t count) {
  std::mt19937 random(4);
  std::vector<int32_t> ids = {kVocab - 1, 0, 31, 32, 0, kVocab - 1};
  while (ids.size() < count) ids.push_back(static_cast<int32_t>(random() % kVocab));
  return ids;
}

void expect_rows(EmbeddingRows& rows, const tensor::PackedMatrix& table,
                 const std::vector<int32_t>& ids) {
  std::vector<int> seen(ids.size());
  const auto gathered =
      rows.gather(ids,
                  [&](const tensor::PackedMatrix& panel, int32_t row, size_t index) {
                    seen[index]++;
                    EXPECT_EQ(reinterpret_cast<uintptr_t>(panel.data) % 4, 0u);
                    EXPECT_EQ(bits_of(panel, row), bits_of(table, ids[index])) << ids[index];
                  },
                  {});
  EXPECT_TRUE(gathered) << gathered.error().message();
  EXPECT_EQ(std::ranges::count(seen, 1), std::ssize(ids));
}

TEST(EmbeddingRows, AreTheBitsOfTheTableInMemory) {
  for (const DType file : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const WeightDtype dtype : {WeightDtype::kF32, WeightDtype::kF16, WeightDtype::kBF16}) {
      for (const bool tied : {false, true}) {
        Both model(testing::random_tensors(make_spec(tied), file), tied, dtype);
        const Weights expected = model.in_memory();
        const Weights streamed = model.on_disk();
        ASSERT_NE(streamed.streamed->embedding, nullptr);
        EXPECT_EQ(streamed.embedding.data, nullptr);
        EmbeddingRows& rows = *streamed.streamed->embedding;
        for (const size_t count : {6, 700}) {
          expect_rows(rows, expected.embedding, some_ids(count));
        }
        for (int64_t i = 0; i < kHidden; i++) {
          EXPECT_EQ(streamed.final_norm[i], expected.final_norm[i]);
        }
      }
    }
  }
}

TEST(EmbeddingRows, WhatWasAskedAheadIsReadOnce) {
  Both model(testing::random_tensors(make_spec(false), DType::kBF16), false, WeightDtype::kAuto);
  const Weights expected = model.in_memory();
  const Weights streamed = model.on_disk();
  EmbeddingRows& rows = *streamed.streamed->embedding;
  const std::vector<int32_t> ids = some_ids(20);
  rows.ask(ids);
  rows.ask(ids);
  const int64_t asked = rows.stats().rows;
  expect_rows(rows, expected.embedding, ids);
  EXPECT_EQ(rows.stats().rows, asked);
  rows.ask(some_ids(8));  // of a step that never ran
  expect_rows(rows, expected.embedding, ids);
}

TEST(EmbeddingRows, MemoryIsWhatWasSaidBefore) {
  for (const bool tied : {false, true}) {
    Both model(testing::random_tensors(make_spec(tied), DType::kBF16), tied, WeightDtype::kAuto);
    const Weights streamed = model.on_disk();
    const int64_t ring = streamed.streamed->store->ring()->bytes();
    int64_t finished = 0;
    for (const WeightUnit& unit : model.plan.cut.units) {
      if (unit.layer >= 0) finished = std::max(finished, unit.bytes);
    }
    const int64_t rest = model.account.bytes(memory::MemoryTag::kRing) - ring - finished;
    EXPECT_NEAR(static_cast<double>(rest),
                static_cast<double>(gather_cost(model.plan).buffer_bytes), 8192)
        << "the last part of a head may be a little larger than a layer's unit";
  }
}

TEST(EmbeddingRows, AWeightBeyondF16EndsTheStepThatLooksItUp) {
  testing::TestTensors tensors = testing::random_tensors(make_spec(true), DType::kF32);
  auto& table = tensors["model.embed_tokens.weight"].values;
  table[7 * kHidden + 3] = 1e6f;
  Both model(tensors, true, WeightDtype::kF16);
  const Weights streamed = model.on_disk();
  EmbeddingRows& rows = *streamed.streamed->embedding;
  const auto nothing = [](const tensor::PackedMatrix&, int32_t, size_t) {};
  EXPECT_TRUE(rows.gather(std::vector<int32_t>{6, 8}, nothing, {}));
  const auto gathered = rows.gather(std::vector<int32_t>{6, 7, 8}, nothing, {});
  ASSERT_FALSE(gathered);
  EXPECT_NE(gathered.error().message().find("beyond 65504"), std::string::npos);
}

}  // namespace
}  // namespace strata::model
