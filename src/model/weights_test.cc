// Binding and loading: every kind of fault is named, all of them at once; what is loaded is what
// the file holds, for every pair of file and compute type.
#include "model/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "device/cpu_device.h"
#include "model/config.h"
#include "model/test_support.h"
#include "tensor/float_bits.h"

namespace strata::model {
namespace {

using tensor::DType;
using tensor::ProductKind;
using testing::random_tensors;
using testing::TestFolder;
using testing::TestTensors;

ModelSpec make_spec(bool tied = false) {
  auto config =
      parse_config(fmt::format(R"({{"model_type": "qwen3", "vocab_size": 75, "hidden_size": 40,
      "intermediate_size": 50, "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 10,
      "attention_bias": true, "tie_word_embeddings": {}}})",
                               tied));
  EXPECT_TRUE(config.has_value());
  return config->spec;
}

std::string binding_fault(const ModelSpec& spec, const TestTensors& tensors) {
  const TestFolder folder(tensors);
  const auto checkpoint = folder.open();
  const auto plan = bind_weights(spec, checkpoint, WeightDtype::kAuto);
  EXPECT_FALSE(plan.has_value());
  if (plan) return {};
  EXPECT_EQ(plan.error().code, Code::kInvalidData);
  return plan.error().message();
}

TEST(Binding, EveryTensorIsMissedByName) {
  const ModelSpec spec = make_spec();
  const TestTensors whole = random_tensors(spec, DType::kBF16);
  for (const TensorSpec& tensor : spec.tensors) {
    TestTensors tensors = whole;
    tensors.erase(tensor.name);
    const std::string fault = binding_fault(spec, tensors);
    EXPECT_NE(fault.find(tensor.name + ": missing, expected ["), std::string::npos) << fault;
    EXPECT_EQ(fault.substr(0, 2), "1 ") << fault;
  }
}

TEST(Binding, EveryWrongDimensionIsNamedWithBothShapes) {
  const ModelSpec spec = make_spec();
  const TestTensors whole = random_tensors(spec, DType::kF32);
  for (const TensorSpec& tensor : spec.tensors) {
    for (size_t axis = 0; axis < tensor.shape().size(); axis++) {
      for (const int64_t change : {-1, 1}) {
        TestTensors tensors = whole;
        auto& changed = tensors[tensor.name];
        changed.shape[axis] += change;
        const int64_t cols = changed.shape.size() > 1 ? changed.shape[1] : 1;
        changed.values.resize(static_cast<size_t>(changed.shape[0] * cols));
        const std::string fault = binding_fault(spec, tensors);
        const std::string expected =
            fmt::format("{}: shape [{}], expected [{}]", tensor.name,
                        fmt::join(changed.shape, ", "), fmt::join(tensor.shape(), ", "));
        EXPECT_NE(fault.find(expected), std::string::npos) << fault;
      }
    }
  }
}

TEST(Binding, TransposedAndFlattenedMatricesAreRefused) {
  const ModelSpec spec = make_spec();
  TestTensors tensors = random_tensors(spec, DType::kF32);
  tensors["model.layers.1.mlp.down_proj.weight"].shape = {50, 40};
  tensors["model.layers.0.mlp.up_proj.weight"].shape = {2000};
  const std::string fault = binding_fault(spec, tensors);
  EXPECT_NE(fault.find("down_proj.weight: shape [50, 40], expected [40, 50]"), std::string::npos)
      << fault;
  EXPECT_NE(fault.find("up_proj.weight: shape [2000], expected [50, 40]"), std::string::npos)
      << fault;
}

TEST(Binding, WrongDtypesAreNamed) {
  const ModelSpec spec = make_spec();
  TestTensors tensors = random_tensors(spec, DType::kF32);
  tensors["model.norm.weight"].dtype = DType::kI32;
  const std::string fault = binding_fault(spec, tensors);
  EXPECT_NE(fault.find("model.norm.weight: dtype i32, expected f32, f16 or bf16"),
            std::string::npos)
      << fault;
}

TEST(Binding, ATensorWithTwoFaultsCountsOnce) {
  const ModelSpec spec = make_spec();
  TestTensors tensors = random_tensors(spec, DType::kF32);
  tensors["model.norm.weight"] = {{3}, DType::kI32, {1, 2, 3}};
  const std::string fault = binding_fault(spec, tensors);
  EXPECT_EQ(fault.substr(0, 2), "1 ") << fault;
  EXPECT_NE(fault.find("model.norm.weight: shape [3], expected [40] and dtype i32, expected f32"),
            std::string::npos)
      << fault;
  EXPECT_NE(fault.find("of one model"), std::string::npos) << fault;
}

TEST(Binding, TwentyFaultsAreListedAndTheRestCounted) {
  const ModelSpec spec = make_spec();
  TestTensors tensors = random_tensors(spec, DType::kF32);
  size_t dropped = 0;
  for (const TensorSpec& tensor : spec.tensors)
    dropped += tensors.erase(tensor.name) * (tensor.layer >= 0);
  tensors["lonely"] = {{1}, DType::kF32, {1}};
  const std::string fault = binding_fault(spec, tensors);
  EXPECT_NE(fault.find(fmt::format("and {} more", spec.tensors.size() - 20)), std::string::npos)
      << fault;
  EXPECT_GT(dropped, 20u);
  size_t listed = 0;
  for (size_t at = 0; (at = fault.find(": missing", at)) != std::string::npos; at++) listed++;
  EXPECT_EQ(listed, 20u);
}

TEST(Binding, ExtraTensorsAreOnlyWarnedAbout) {
  const ModelSpec spec = make_spec();
  TestTensors tensors = random_tensors(spec, DType::kF32);
  tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {{1}, DType::kF32, {1}};
  tensors["model.layers.9.surprise"] = {{1}, DType::kI32, {1}};
  const TestFolder folder(tensors);
  const auto checkpoint = folder.open();
  const auto plan = bind_weights(spec, checkpoint, WeightDtype::kAuto);
  ASSERT_TRUE(plan.has_value()) << plan.error().message();
  ASSERT_EQ(plan->warnings.size(), 1u);
  EXPECT_NE(
      plan->warnings[0].find("1 tensors ignored that qwen3 does not have: model.layers.9.surprise"),
      std::string::npos)
      << plan->warnings[0];
}

TEST(Binding, AutoKeepsTheTypeAndWidensMixes) {
  const ModelSpec spec = make_spec();
  const auto kind_of = [&](const TestTensors& tensors, WeightDtype dtype) {
    const TestFolder folder(tensors);
    const auto checkpoint = folder.open();
    return bind_weights(spec, checkpoint, dtype)->kind;
  };
  EXPECT_EQ(kind_of(random_tensors(spec, DType::kF16), WeightDtype::kAuto), ProductKind::kF16);
  EXPECT_EQ(kind_of(random_tensors(spec, DType::kF16), WeightDtype::kBF16), ProductKind::kBf16);
  EXPECT_EQ(kind_of(random_tensors(spec, DType::kF32), WeightDtype::kAuto), ProductKind::kF32);
  TestTensors mixed = random_tensors(spec, DType::kBF16);
  mixed["model.norm.weight"].dtype = DType::kF32;
  EXPECT_EQ(kind_of(mixed, WeightDtype::kAuto), ProductKind::kBf16);
  mixed["lm_head.weight"].dtype = DType::kF16;
  EXPECT_EQ(kind_of(mixed, WeightDtype::kAuto), ProductKind::kF32);
}

TEST(Binding, DtypeFlag) {
  EXPECT_EQ(parse_weight_dtype("auto").value(), WeightDtype::kAuto);
  EXPECT_EQ(parse_weight_dtype("f16").value(), WeightDtype::kF16);
  EXPECT_EQ(parse_weight_dtype("int8").error().code, Code::kInvalidArgument);
}

float element(const tensor::PackedMatrix& matrix, int64_t n, int64_t k) {
  const int64_t at = tensor::packed_index(matrix.kind, n, k, matrix.k);
  switch (matrix.kind) {
    case ProductKind::kF32:
      return reinterpret_cast<const float*>(matrix.data)[at];
    case ProductKind::kF16:
      return tensor::to_float(reinterpret_cast<const tensor::F16*>(matrix.data)[at]);
    case ProductKind::kBf16:
      return tensor::to_float(reinterpret_cast<const tensor::Bf16*>(matrix.data)[at]);
  }
  return 0;
}

DType dtype_of(ProductKind kind) {
  return kind == ProductKind::kF32   ? DType::kF32
         : kind == ProductKind::kF16 ? DType::kF16
                                     : DType::kBF16;
}

void expect_matrix(const tensor::PackedMatrix& matrix, const testing::TestTensor& expected) {
  ASSERT_EQ(expected.shape, (std::vector<int64_t>{matrix.n, matrix.k}));
  for (int64_t n = 0; n < matrix.n; n++) {
    for (int64_t k = 0; k < matrix.k; k++) {
      const float value = testing::rounded_to(
          dtype_of(matrix.kind), expected.values[static_cast<size_t>(n * matrix.k + k)]);
      ASSERT_EQ(element(matrix, n, k), value) << n << " " << k;
    }
  }
}

void expect_vector(const float* vector, const testing::TestTensor& expected) {
  ASSERT_NE(vector, nullptr);
  for (size_t i = 0; i < expected.values.size(); i++) ASSERT_EQ(vector[i], expected.values[i]) << i;
}

struct TypePair {
  DType file;
  WeightDtype wanted;
};

class Loading : public ::testing::TestWithParam<TypePair> {};

TEST_P(Loading, EveryTensorArrivesInItsPlace) {
  const ModelSpec spec = make_spec();
  TestTensors tensors = random_tensors(spec, GetParam().file);
  const TestFolder folder(tensors);
  const auto checkpoint = folder.open();
  const auto plan = bind_weights(spec, checkpoint, GetParam().wanted);
  ASSERT_TRUE(plan.has_value());
  int64_t last = 0;
  const LoadOptions options{.threads = 2, .progress = [&](int64_t done, int64_t total) {
                              EXPECT_GE(done, last);
                              EXPECT_EQ(total, plan->read_bytes);
                              last = done;
                            }};
  device::CpuDevice device;
  const auto weights = load_weights(device, spec, checkpoint, *plan, options);
  ASSERT_TRUE(weights.has_value()) << weights.error().message();
  EXPECT_EQ(last, plan->read_bytes);
  expect_matrix(weights->embedding, tensors["model.embed_tokens.weight"]);
  expect_matrix(weights->head, tensors["lm_head.weight"]);
  expect_vector(weights->final_norm, tensors["model.norm.weight"]);
  for (size_t i = 0; i < 2; i++) {
    const LayerWeights& layer = weights->layers[i];
    const auto of = [&](std::string_view name) {
      return tensors.at(fmt::format("model.layers.{}.{}", i, name));
    };
    expect_vector(layer.attention_norm, of("input_layernorm.weight"));
    expect_matrix(layer.q, of("self_attn.q_proj.weight"));
    expect_matrix(layer.k, of("self_attn.k_proj.weight"));
    expect_matrix(layer.v, of("self_attn.v_proj.weight"));
    expect_matrix(layer.o, of("self_attn.o_proj.weight"));
    expect_vector(layer.q_bias, of("self_attn.q_proj.bias"));
    expect_vector(layer.k_bias, of("self_attn.k_proj.bias"));
    expect_vector(layer.v_bias, of("self_attn.v_proj.bias"));
    expect_vector(layer.o_bias, of("self_attn.o_proj.bias"));
    expect_vector(layer.q_norm, of("self_attn.q_norm.weight"));
    expect_vector(layer.k_norm, of("self_attn.k_norm.weight"));
    expect_vector(layer.mlp_norm, of("post_attention_layernorm.weight"));
    expect_matrix(layer.gate, of("mlp.gate_proj.weight"));
    expect_matrix(layer.up, of("mlp.up_proj.weight"));
    expect_matrix(layer.down, of("mlp.down_proj.weight"));
    EXPECT_EQ(layer.gate_bias, nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Loading,
                         ::testing::Values(TypePair{DType::kF32, WeightDtype::kAuto},
                                           TypePair{DType::kF16, WeightDtype::kAuto},
                                           TypePair{DType::kBF16, WeightDtype::kAuto},
                                           TypePair{DType::kF32, WeightDtype::kBF16},
                                           TypePair{DType::kF32, WeightDtype::kF16},
                                           TypePair{DType::kBF16, WeightDtype::kF32},
                                           TypePair{DType::kF16, WeightDtype::kBF16}));

// Larger than one staging buffer, and not a whole number of panels.
TEST(Loading, TensorsReadInManyPiecesArriveWhole) {
  auto config = parse_config(R"({"model_type": "llama", "vocab_size": 5003, "hidden_size": 40,
      "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4})");
  TestTensors tensors = random_tensors(config->spec, DType::kF32);
  const TestFolder folder(tensors);
  const auto checkpoint = folder.open();
  const auto plan = bind_weights(config->spec, checkpoint, WeightDtype::kAuto);
  device::CpuDevice device;
  const auto weights = load_weights(device, config->spec, checkpoint, *plan, {.threads = 3});
  ASSERT_TRUE(weights.has_value());
  expect_matrix(weights->embedding, tensors["model.embed_tokens.weight"]);
  expect_matrix(weights->head, tensors["lm_head.weight"]);
}

TEST(Loading, TiedHeadIsTheEmbeddingsMemoryUnlessItDiffers) {
  const ModelSpec spec = make_spec(true);
  TestTensors tensors = random_tensors(spec, DType::kBF16);
  const auto head_is_shared = [&] {
    const TestFolder folder(tensors);
    const auto checkpoint = folder.open();
    const auto plan = bind_weights(spec, checkpoint, WeightDtype::kAuto);
    device::CpuDevice device;
    const auto weights = load_weights(device, spec, checkpoint, *plan);
    return weights->head.data == weights->embedding.data;
  };
  EXPECT_TRUE(head_is_shared());
  tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"];
  EXPECT_TRUE(head_is_shared());
  tensors["lm_head.weight"].values[1234] = 5;
  EXPECT_FALSE(head_is_shared());
}

TEST(LoadingFaults, EveryFailedReadIsReportedWithTheTensor) {
  const ModelSpec spec = make_spec();
  const TestFolder folder(random_tensors(spec, DType::kBF16));
  int failures = 0;
  for (int64_t call = 0;; call++) {
    FaultEnv env(real_env(), {.kind = FaultPlan::Kind::kShortRead, .fail_call = call});
    const auto checkpoint = checkpoint::Checkpoint::open(env, folder.path());
    if (!checkpoint) continue;
    const auto plan = bind_weights(spec, *checkpoint, WeightDtype::kAuto);
    device::CpuDevice device;
    const auto weights = load_weights(device, spec, *checkpoint, *plan);
    if (weights) break;
    failures++;
    const std::string message = weights.error().message();
    EXPECT_NE(message.find("model.safetensors"), std::string::npos) << message;
    EXPECT_TRUE(message.find("model.") != std::string::npos ||
                message.find("lm_head") != std::string::npos)
        << message;
  }
  EXPECT_EQ(failures, static_cast<int>(spec.tensors.size()));
}

TEST(LoadingFaults, AWeightThatF16CannotHoldIsNamed) {
  const ModelSpec spec = make_spec();
  TestTensors tensors = random_tensors(spec, DType::kF32);
  tensors["model.layers.1.mlp.up_proj.weight"].values[77] = -70000;
  const TestFolder folder(tensors);
  const auto checkpoint = folder.open();
  const auto plan = bind_weights(spec, checkpoint, WeightDtype::kF16);
  device::CpuDevice device;
  const auto weights = load_weights(device, spec, checkpoint, *plan);
  ASSERT_FALSE(weights.has_value());
  EXPECT_NE(weights.error().message().find("model.layers.1.mlp.up_proj.weight"), std::string::npos);
}

}  // namespace
}  // namespace strata::model
