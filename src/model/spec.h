// What a model is, as plain data: dimensions, a list of layers, the tensors it needs by name, and
// how its keys and values are grouped in the cache. A family (families/) turns a config.json into
// one; weights.h binds it to a checkpoint and forward.h walks it. Nothing here owns memory or
// computes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/kv_format.h"

namespace strata::model {

/// How positions become rotation frequencies; each as Transformers' modeling_rope_utils computes
/// it.
enum class RopeKind : uint8_t { kDefault, kLinear, kLlama3, kYarn, kDynamic };

std::string_view rope_kind_name(RopeKind kind);

/// One set of rotation frequencies. Fields that a kind does not name are unused by it.
struct RopeSpec {
  RopeKind kind = RopeKind::kDefault;
  double theta = 10000;
  int64_t rotary_dim = 0;             // even; columns of a head that rotate
  double factor = 1;                  // linear, llama3, yarn, dynamic
  int64_t original_max_position = 0;  // llama3, yarn; dynamic: max_position_embeddings
  double low_freq_factor = 1;         // llama3
  double high_freq_factor = 4;        // llama3
  double beta_fast = 32;              // yarn
  double beta_slow = 1;               // yarn
  bool truncate = true;               // yarn
  double mscale = 0;                  // yarn; 0 = not given
  double mscale_all_dim = 0;          // yarn; 0 = not given
  double attention_factor = 0;        // yarn; 0 = not given: follows from factor and mscale

  bool operator==(const RopeSpec&) const = default;
};

/// Causal attention with grouped queries. Rows of q, k, v are heads * head_dim; hidden_size is
/// independent of that.
struct AttentionSpec {
  int64_t q_heads = 0;
  int64_t kv_heads = 0;  // divides q_heads
  int64_t head_dim = 0;
  bool qkv_bias = false;
  bool out_bias = false;
  bool qk_norm = false;  // RMSNorm of every head of q and k before RoPE
  int64_t window = 0;    // keys seen: 0 = all, else the last `window`, the row's own included
  int rope = 0;          // index into ModelSpec::ropes
  int kv_group = 0;      // index into KvLayout::groups
  int kv_index = 0;      // place among the layers of that group

  bool operator==(const AttentionSpec&) const = default;
};

/// down(silu(gate(x)) * up(x)).
struct MlpSpec {
  int64_t intermediate = 0;
  bool bias = false;

  bool operator==(const MlpSpec&) const = default;
};

/// x += attention(norm(x)); x += mlp(norm(x)).
struct LayerSpec {
  AttentionSpec attention;
  MlpSpec mlp;

  bool operator==(const LayerSpec&) const = default;
};

/// What a tensor is for; together with the layer it says where weights.h puts it.
enum class TensorRole : uint8_t {
  kEmbedding,
  kFinalNorm,
  kHead,
  kAttentionNorm,
  kQuery,
  kQueryBias,
  kQueryNorm,
  kKey,
  kKeyBias,
  kKeyNorm,
  kValue,
  kValueBias,
  kOutput,
  kOutputBias,
  kMlpNorm,
  kGate,
  kGateBias,
  kUp,
  kUpBias,
  kDown,
  kDownBias,
};

/// How a tensor divides over tensor-parallel ranks.
enum class Sharding : uint8_t { kReplicated, kRows, kColumns };

/// One tensor of the checkpoint. A matrix is [outputs][inputs]; a vector (norm, bias) has cols ==
/// 0.
struct TensorSpec {
  std::string name;
  TensorRole role = TensorRole::kEmbedding;
  int layer = -1;  // -1: outside the layers
  int64_t rows = 0;
  int64_t cols = 0;
  Sharding sharding = Sharding::kReplicated;
  bool optional = false;  // a tied head that the checkpoint may hold all the same

  bool is_matrix() const { return cols != 0; }
  std::vector<int64_t> shape() const {
    return is_matrix() ? std::vector{rows, cols} : std::vector{rows};
  }
  bool operator==(const TensorSpec&) const = default;
};

struct ModelSpec {
  std::string family;  // row of the family table: "llama"
  int64_t vocab = 0;
  int64_t hidden = 0;
  int64_t max_position =
      0;  // max_position_embeddings: the default and, but for RoPE scaling, sensible context length
  float norm_eps = 0;
  bool tied_head =
      false;  // the LM head is the embedding's memory, unless the checkpoint holds another
  std::vector<RopeSpec> ropes;
  std::vector<LayerSpec> layers;
  std::vector<TensorSpec> tensors;  // in the order of the forward pass

  bool operator==(const ModelSpec&) const = default;
};

/// Layers whose keys and values live and die together: one block is one extent over all of them.
struct KvGroupSpec {
  std::vector<int> layers;  // indices into ModelSpec::layers; kv_index of a layer is its place here
  int64_t window = 0;       // 0: every token is kept; else only the last `window`
  tensor::KvShape shape;    // of one layer

  int64_t layer_offset(int kv_index) const { return kv_index * shape.layer_bytes(); }
  /// Bytes of one block: a multiple of 4 KiB without rounding, since K and V of one head and tile
  /// take 2 x (32 tokens x 32 columns x 2 bytes) or a multiple of that.
  int64_t block_bytes() const { return static_cast<int64_t>(layers.size()) * shape.layer_bytes(); }
  /// Bytes that one token occupies over all layers of the group.
  int64_t bytes_per_token() const {
    return static_cast<int64_t>(layers.size()) * shape.layer_bytes() / shape.block_tokens;
  }
};

struct KvLayout {
  std::vector<KvGroupSpec> groups;
};

/// The groups of a model for a product kind. `block_tokens`: a multiple of 32.
KvLayout make_kv_layout(const ModelSpec& spec, tensor::ProductKind kind, int64_t block_tokens = 32);

/// Sets kv_group and kv_index of every layer by (window, heads, head size) in order of first
/// appearance.
void assign_kv_groups(ModelSpec& spec);

/// The tensor table in the naming that Llama began ("model.layers.0.self_attn.q_proj.weight"), from
/// dimensions and layers.
std::vector<TensorSpec> make_tensor_table(const ModelSpec& spec);

/// Weights' parameters, counted once where tied.
int64_t parameter_count(const ModelSpec& spec);

}  // namespace strata::model
