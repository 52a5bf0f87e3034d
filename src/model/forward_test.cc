// The forward pass on the scalar table against a naive model in f64 written here from the papers:
// projections, head norms, rotation, causal and windowed attention, gated MLP. And against itself:
// chunked equals whole, bit for bit.
#include "model/forward.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "device/cpu_device.h"
#include "model/config.h"
#include "model/test_support.h"

namespace strata::model {
namespace {

using testing::random_tensors;
using testing::TestFolder;
using testing::TestTensors;

using Vec = std::vector<double>;

// The model in f64, one sequence, everything recomputed for every token.
class NaiveModel {
 public:
  NaiveModel(const ModelSpec& spec, const TestTensors& tensors) : spec_(spec), tensors_(tensors) {}

  // Logits of every position.
  std::vector<Vec> run(std::span<const int32_t> ids) {
    const size_t rows = ids.size();
    std::vector<Vec> x(rows);
    const auto& table = at("model.embed_tokens.weight").values;
    for (size_t t = 0; t < rows; t++) {
      for (int64_t i = 0; i < spec_.hidden; i++)
        x[t].push_back(table[static_cast<size_t>(ids[t] * spec_.hidden + i)]);
    }
    for (size_t i = 0; i < spec_.layers.size(); i++) {
      prefix_ = fmt::format("model.layers.{}.", i);
      add_attention(spec_.layers[i].attention, x);
      add_mlp(spec_.layers[i].mlp, x);
    }
    prefix_.clear();
    const char* head = spec_.tied_head ? "model.embed_tokens" : "lm_head";
    for (Vec& row : x) row = linear(head, false, norm("model.norm.weight", row));
    return x;
  }

 private:
  const testing::TestTensor& at(const std::string& name) const {
    return tensors_.at(prefix_ + name);
  }

  Vec norm(const std::string& name, const Vec& x) const {
    const double mean =
        std::inner_product(x.begin(), x.end(), x.begin(), 0.0) / static_cast<double>(x.size());
    Vec out(x.size());
    const double r = 1 / std::sqrt(mean + static_cast<double>(spec_.norm_eps));
    for (size_t i = 0; i < x.size(); i++)
      out[i] = x[i] * r * static_cast<double>(at(name).values[i]);
    return out;
  }

  Vec linear(const std::string& name, bool bias, const Vec& x) const {
    const auto& w = at(name + ".weight");
    Vec out(static_cast<size_t>(w.shape[0]));
    for (size_t n = 0; n < out.size(); n++) {
      for (size_t k = 0; k < x.size(); k++)
        out[n] += x[k] * static_cast<double>(w.values[n * x.size() + k]);
      if (bias) out[n] += static_cast<double>(at(name + ".bias").values[n]);
    }
    return out;
  }

  void place_heads(const AttentionSpec& a, const std::string& norm_name, size_t position,
                   Vec& x) const {
    const auto dim = static_cast<size_t>(a.head_dim), half = dim / 2;
    const double theta = spec_.ropes[0].theta;
    for (size_t head = 0; head < x.size() / dim; head++) {
      Vec h(x.begin() + static_cast<std::ptrdiff_t>(head * dim),
            x.begin() + static_cast<std::ptrdiff_t>((head + 1) * dim));
      if (a.qk_norm) h = norm(norm_name, h);
      for (size_t i = 0; i < half; i++) {
        const double angle =
            static_cast<double>(position) *
            std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
        x[head * dim + i] = h[i] * std::cos(angle) - h[i + half] * std::sin(angle);
        x[head * dim + i + half] = h[i + half] * std::cos(angle) + h[i] * std::sin(angle);
      }
    }
  }

  void add_attention(const AttentionSpec& a, std::vector<Vec>& x) const {
    std::vector<Vec> q, k, v;
    for (size_t t = 0; t < x.size(); t++) {
      const Vec normed = norm("input_layernorm.weight", x[t]);
      q.push_back(linear("self_attn.q_proj", a.qkv_bias, normed));
      k.push_back(linear("self_attn.k_proj", a.qkv_bias, normed));
      v.push_back(linear("self_attn.v_proj", a.qkv_bias, normed));
      place_heads(a, "self_attn.q_norm.weight", t, q[t]);
      place_heads(a, "self_attn.k_norm.weight", t, k[t]);
    }
    for (size_t t = 0; t < x.size(); t++) {
      Vec heads;
      for (int64_t head = 0; head < a.q_heads; head++) {
        const Vec out = attend(a, q[t], k, v, static_cast<size_t>(head), t);
        heads.insert(heads.end(), out.begin(), out.end());
      }
      const Vec out = linear("self_attn.o_proj", a.out_bias, heads);
      for (size_t i = 0; i < out.size(); i++) x[t][i] += out[i];
    }
  }

  static Vec attend(const AttentionSpec& a, const Vec& q, const std::vector<Vec>& k,
                    const std::vector<Vec>& v, size_t head, size_t t) {
    const auto dim = static_cast<size_t>(a.head_dim);
    const size_t kv_head = head / static_cast<size_t>(a.q_heads / a.kv_heads);
    const auto window = static_cast<size_t>(a.window);
    const size_t first = window != 0 && t + 1 > window ? t + 1 - window : 0;
    Vec out(dim), weights;
    double sum = 0;
    for (size_t p = first; p <= t; p++) {
      double score = 0;
      for (size_t i = 0; i < dim; i++) score += q[head * dim + i] * k[p][kv_head * dim + i];
      weights.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
      sum += weights.back();
    }
    for (size_t p = first; p <= t; p++) {
      for (size_t i = 0; i < dim; i++) out[i] += weights[p - first] / sum * v[p][kv_head * dim + i];
    }
    return out;
  }

  void add_mlp(const MlpSpec& mlp, std::vector<Vec>& x) const {
    for (Vec& row : x) {
      const Vec normed = norm("post_attention_layernorm.weight", row);
      Vec gate = linear("mlp.gate_proj", mlp.bias, normed);
      const Vec up = linear("mlp.up_proj", mlp.bias, normed);
      for (size_t i = 0; i < gate.size(); i++) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      const Vec out = linear("mlp.down_proj", mlp.bias, gate);
      for (size_t i = 0; i < out.size(); i++) row[i] += out[i];
    }
  }

  const ModelSpec& spec_;
  const TestTensors& tensors_;
  std::string prefix_;
};

// The model under test with one sequence's blocks, laid out backwards in the pool so that order is
// not assumed.
class Runner {
 public:
  Runner(const ModelSpec& spec, const TestTensors& tensors, int threads, int64_t max_rows)
      : folder_(tensors),
        checkpoint_(folder_.open()),
        pool_(*ComputePool::create(threads)),
        table_(*kernels::make_cpu_kernel_table(kernels::Isa::kScalar)),
        model_(make_model(spec, max_rows)) {
    workspace_.resize(static_cast<size_t>(model_.memory(threads).workspace) + 64);
    int64_t bytes = 0;
    for (const KvGroupSpec& group : model_.kv_layout().groups) {
      std::vector<int64_t> offsets(kBlocks);
      for (int64_t i = 0; i < kBlocks; i++)
        offsets[static_cast<size_t>(kBlocks - 1 - i)] = bytes + i * group.block_bytes();
      bytes += kBlocks * group.block_bytes();
      blocks_.push_back(offsets);
    }
    // Garbage that is finite: a block is only right where the model wrote it.
    kv_.resize(static_cast<size_t>(bytes) + 4096, std::byte{0x21});
  }

  // Logits of `ids`, run as chunks of `chunk` rows; with `last_only` those of each chunk's last
  // row.
  std::vector<std::vector<float>> run(const std::vector<int32_t>& ids, int64_t chunk,
                                      bool last_only = false) {
    std::vector<std::vector<float>> logits;
    for (int64_t first = 0; first < static_cast<int64_t>(ids.size()); first += chunk) {
      const int64_t rows = std::min(chunk, static_cast<int64_t>(ids.size()) - first);
      run_chunk(ids, first, rows, last_only, logits);
    }
    return logits;
  }

  const Model& model() const { return model_; }

 private:
  static constexpr int64_t kBlocks = 4;

  Model make_model(const ModelSpec& spec, int64_t max_rows) {
    const auto plan = bind_weights(spec, checkpoint_, WeightDtype::kAuto);
    auto weights = load_weights(device_, spec, checkpoint_, *plan);
    auto model = Model::create(device_, spec, std::move(*weights), table_, *pool_,
                               {.max_rows = max_rows,
                                .max_logit_rows = max_rows,
                                .max_sequences = 2,
                                .max_model_len = kBlocks * 32});
    return std::move(*model);
  }

  void run_chunk(const std::vector<int32_t>& ids, int64_t first, int64_t rows, bool last_only,
                 std::vector<std::vector<float>>& logits) {
    std::vector<int32_t> positions(static_cast<size_t>(rows)), wanted;
    std::iota(positions.begin(), positions.end(), static_cast<int32_t>(first));
    for (int64_t row = last_only ? rows - 1 : 0; row < rows; row++)
      wanted.push_back(static_cast<int32_t>(row));
    std::vector<kernels::SequenceView> views;
    for (const auto& blocks : blocks_) views.push_back({0, rows, first, blocks.data()});
    std::vector<std::span<const kernels::SequenceView>> groups;
    for (const auto& view : views) groups.emplace_back(&view, 1);
    const auto vocab = static_cast<size_t>(model_.spec().vocab);
    std::vector<float> out(wanted.size() * vocab);
    const auto computed = model_.forward(
        {.workspace = aligned(workspace_, 64).first(workspace_.size() - 64), .pool = pool_.get()},
        {.ids = std::span(ids).subspan(static_cast<size_t>(first), static_cast<size_t>(rows)),
         .positions = positions,
         .groups = groups,
         .logit_rows = wanted,
         .kv = {aligned(kv_, 4096).data()}},
        out.data());
    EXPECT_TRUE(computed);
    for (size_t i = 0; i < wanted.size(); i++)
      logits.emplace_back(out.begin() + static_cast<std::ptrdiff_t>(i * vocab),
                          out.begin() + static_cast<std::ptrdiff_t>((i + 1) * vocab));
  }

  static std::span<std::byte> aligned(std::vector<std::byte>& memory, size_t alignment) {
    const auto address = reinterpret_cast<size_t>(memory.data());
    const size_t skip = (alignment - address % alignment) % alignment;
    return std::span(memory).subspan(skip);
  }

  TestFolder folder_;
  checkpoint::Checkpoint checkpoint_;
  device::CpuDevice device_;
  std::unique_ptr<ComputePool> pool_;
  kernels::KernelTable table_;
  Model model_;
  std::vector<std::byte> workspace_, kv_;
  std::vector<std::vector<int64_t>> blocks_;
};

ModelSpec spec_of(std::string_view text) {
  auto config = parse_config(text);
  EXPECT_TRUE(config.has_value()) << (config ? "" : config.error().message());
  return config ? config->spec : ModelSpec{};
}

std::vector<int32_t> some_ids(size_t count, int64_t vocab) {
  std::vector<int32_t> ids(count);
  for (size_t i = 0; i < count; i++)
    ids[i] = static_cast<int32_t>((i * 37 + i * i * 11 + 5) % static_cast<size_t>(vocab));
  return ids;
}

void expect_close(const std::vector<std::vector<float>>& got, const std::vector<Vec>& expected,
                  double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  double worst = 0, spread = 0;
  for (size_t t = 0; t < got.size(); t++) {
    for (size_t i = 0; i < got[t].size(); i++) {
      worst = std::max(worst, std::abs(static_cast<double>(got[t][i]) - expected[t][i]));
      spread = std::max(spread, std::abs(expected[t][i]));
    }
  }
  EXPECT_LE(worst, tolerance);
  EXPECT_GT(spread, 1.0) << "logits too flat to show an error";
}

struct Shape {
  std::string_view name;
  std::string_view config;
};

constexpr Shape kShapes[] = {
    {"llama_biases",
     R"({"model_type": "llama", "vocab_size": 75, "hidden_size": 40, "intermediate_size": 50,
      "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 10, "attention_bias": true,
      "mlp_bias": true, "rope_theta": 500})"},
    {"mistral_window",
     R"({"model_type": "mistral", "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 13})"},
    {"qwen2_two_groups",
     R"({"model_type": "qwen2", "vocab_size": 80, "hidden_size": 48, "intermediate_size": 64,
      "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 3, "use_sliding_window": true,
      "sliding_window": 9, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
      "tie_word_embeddings": true})"},
    {"qwen3_head_norms",
     R"({"model_type": "qwen3", "vocab_size": 64, "hidden_size": 40, "intermediate_size": 72,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24})"},
};

class Forward : public ::testing::TestWithParam<Shape> {};

TEST_P(Forward, F32EqualsTheNaiveModel) {
  const ModelSpec spec = spec_of(GetParam().config);
  const TestTensors tensors = random_tensors(spec, tensor::DType::kF32);
  const auto ids = some_ids(45, spec.vocab);
  Runner runner(spec, tensors, 1, 64);
  expect_close(runner.run(ids, 64), NaiveModel(spec, tensors).run(ids), 1e-4);
}

TEST_P(Forward, HalfTypesStayNearTheNaiveModel) {
  const ModelSpec spec = spec_of(GetParam().config);
  const auto ids = some_ids(40, spec.vocab);
  for (const tensor::DType dtype : {tensor::DType::kF16, tensor::DType::kBF16}) {
    const TestTensors tensors = random_tensors(spec, dtype);
    Runner runner(spec, tensors, 1, 64);
    expect_close(runner.run(ids, 64), NaiveModel(spec, tensors).run(ids),
                 dtype == tensor::DType::kF16 ? 2e-2 : 0.3);
  }
}

TEST_P(Forward, ChunksThreadsAndLogitRowsDoNotChangeABit) {
  const ModelSpec spec = spec_of(GetParam().config);
  const TestTensors tensors = random_tensors(spec, tensor::DType::kBF16);
  const auto ids = some_ids(70, spec.vocab);
  const auto whole = Runner(spec, tensors, 1, 80).run(ids, 80);
  for (const int64_t chunk : {1, 7, 32, 33}) {
    EXPECT_EQ(Runner(spec, tensors, 2, chunk).run(ids, chunk), whole) << chunk;
  }
  const auto last = Runner(spec, tensors, 1, 80).run(ids, 80, /*last_only=*/true);
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0], whole.back());
}

INSTANTIATE_TEST_SUITE_P(Families, Forward, ::testing::ValuesIn(kShapes),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(ForwardLimits, GroupsFollowTheSpec) {
  const ModelSpec spec = spec_of(kShapes[2].config);
  const Runner runner(spec, random_tensors(spec, tensor::DType::kBF16), 1, 8);
  ASSERT_EQ(runner.model().kv_layout().groups.size(), 2u);
  EXPECT_EQ(runner.model().kv_layout().groups[0].window, 9);
  EXPECT_GT(runner.model().memory(1).activations, 0);
}

}  // namespace
}  // namespace strata::model
