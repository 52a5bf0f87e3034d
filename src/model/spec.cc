// Derived parts of a spec: KV groups, the tensor table, counts. Pure arithmetic on plain data.
#include "model/spec.h"

#include <fmt/format.h>

#include <array>

namespace strata::model {
namespace {

constexpr std::array kRopeKindNames = {"default", "linear", "llama3", "yarn", "dynamic"};

struct TableBuilder {
  std::vector<TensorSpec> tensors;
  int layer = -1;

  std::string full_name(std::string_view name) const {
    return layer < 0 ? std::string(name) : fmt::format("model.layers.{}.{}", layer, name);
  }
  void vector(std::string_view name, TensorRole role, int64_t size,
              Sharding sharding = Sharding::kReplicated) {
    tensors.push_back({full_name(name), role, layer, size, 0, sharding});
  }
  void matrix(std::string_view name, TensorRole role, int64_t rows, int64_t cols,
              Sharding sharding) {
    tensors.push_back({full_name(name), role, layer, rows, cols, sharding});
  }
};

void add_attention(TableBuilder& table, const AttentionSpec& a, int64_t hidden) {
  using enum TensorRole;
  const int64_t q_rows = a.q_heads * a.head_dim, kv_rows = a.kv_heads * a.head_dim;
  table.vector("input_layernorm.weight", kAttentionNorm, hidden);
  table.matrix("self_attn.q_proj.weight", kQuery, q_rows, hidden, Sharding::kRows);
  if (a.qkv_bias) table.vector("self_attn.q_proj.bias", kQueryBias, q_rows, Sharding::kRows);
  table.matrix("self_attn.k_proj.weight", kKey, kv_rows, hidden, Sharding::kRows);
  if (a.qkv_bias) table.vector("self_attn.k_proj.bias", kKeyBias, kv_rows, Sharding::kRows);
  table.matrix("self_attn.v_proj.weight", kValue, kv_rows, hidden, Sharding::kRows);
  if (a.qkv_bias) table.vector("self_attn.v_proj.bias", kValueBias, kv_rows, Sharding::kRows);
  if (a.qk_norm) {
    table.vector("self_attn.q_norm.weight", kQueryNorm, a.head_dim);
    table.vector("self_attn.k_norm.weight", kKeyNorm, a.head_dim);
  }
  table.matrix("self_attn.o_proj.weight", kOutput, hidden, q_rows, Sharding::kColumns);
  if (a.out_bias) table.vector("self_attn.o_proj.bias", kOutputBias, hidden);
}

void add_mlp(TableBuilder& table, const MlpSpec& mlp, int64_t hidden) {
  using enum TensorRole;
  table.vector("post_attention_layernorm.weight", kMlpNorm, hidden);
  table.matrix("mlp.gate_proj.weight", kGate, mlp.intermediate, hidden, Sharding::kRows);
  if (mlp.bias) table.vector("mlp.gate_proj.bias", kGateBias, mlp.intermediate, Sharding::kRows);
  table.matrix("mlp.up_proj.weight", kUp, mlp.intermediate, hidden, Sharding::kRows);
  if (mlp.bias) table.vector("mlp.up_proj.bias", kUpBias, mlp.intermediate, Sharding::kRows);
  table.matrix("mlp.down_proj.weight", kDown, hidden, mlp.intermediate, Sharding::kColumns);
  if (mlp.bias) table.vector("mlp.down_proj.bias", kDownBias, hidden);
}

bool same_group(const AttentionSpec& a, const AttentionSpec& b) {
  return a.window == b.window && a.kv_heads == b.kv_heads && a.head_dim == b.head_dim;
}

}  // namespace

std::string_view rope_kind_name(RopeKind kind) { return kRopeKindNames[static_cast<size_t>(kind)]; }

std::vector<TensorSpec> make_tensor_table(const ModelSpec& spec) {
  TableBuilder table;
  table.matrix("model.embed_tokens.weight", TensorRole::kEmbedding, spec.vocab, spec.hidden,
               Sharding::kRows);
  for (const LayerSpec& layer : spec.layers) {
    table.layer++;
    add_attention(table, layer.attention, spec.hidden);
    add_mlp(table, layer.mlp, spec.hidden);
  }
  table.layer = -1;
  table.vector("model.norm.weight", TensorRole::kFinalNorm, spec.hidden);
  table.matrix("lm_head.weight", TensorRole::kHead, spec.vocab, spec.hidden, Sharding::kRows);
  table.tensors.back().optional = spec.tied_head;
  return std::move(table.tensors);
}

void assign_kv_groups(ModelSpec& spec) {
  std::vector<const AttentionSpec*> groups;
  std::vector<int> sizes;
  for (LayerSpec& layer : spec.layers) {
    size_t group = 0;
    while (group < groups.size() && !same_group(*groups[group], layer.attention)) group++;
    if (group == groups.size()) {
      groups.push_back(&layer.attention);
      sizes.push_back(0);
    }
    layer.attention.kv_group = static_cast<int>(group);
    layer.attention.kv_index = sizes[group]++;
  }
}

KvLayout make_kv_layout(const ModelSpec& spec, tensor::ProductKind kind, int64_t block_tokens) {
  KvLayout layout;
  for (size_t i = 0; i < spec.layers.size(); i++) {
    const AttentionSpec& a = spec.layers[i].attention;
    if (static_cast<size_t>(a.kv_group) == layout.groups.size()) {
      layout.groups.push_back({{}, a.window, {kind, a.kv_heads, a.head_dim, block_tokens}});
    }
    layout.groups[static_cast<size_t>(a.kv_group)].layers.push_back(static_cast<int>(i));
  }
  return layout;
}

int64_t parameter_count(const ModelSpec& spec) {
  int64_t count = 0;
  for (const TensorSpec& tensor : spec.tensors) {
    if (!tensor.optional) count += tensor.rows * (tensor.is_matrix() ? tensor.cols : 1);
  }
  return count;
}

}  // namespace strata::model
