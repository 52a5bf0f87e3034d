// See dense.h. The ranges here are those of docs and error messages: wide enough for every
// published model, narrow enough that no product of two of them overflows.
#include "model/families/dense.h"

#include <fmt/format.h>

#include <cmath>

#include "model/rope_config.h"

namespace strata::model {
namespace {

constexpr int64_t kMaxHidden = 1 << 20;
constexpr int64_t kMaxIntermediate = 1 << 22;
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxHeadDim = 1024;
constexpr int64_t kMaxVocab = 1 << 24;
constexpr int64_t kMaxPosition = 1 << 24;
// Below this an epsilon is zero in float32.
constexpr NumberRange kEpsRange{.min = 1e-30, .max = 1};

Result<void> read_heads(const ConfigReader& reader, const DenseDefaults& defaults, int64_t hidden,
                        AttentionSpec& out) {
  out.q_heads = TRY(reader.integer("num_attention_heads", defaults.q_heads, 1, kMaxHeads));
  const int64_t kv_default = defaults.kv_heads != 0 ? defaults.kv_heads : out.q_heads;
  out.kv_heads = kv_default;
  if (reader.has("num_key_value_heads")) {
    out.kv_heads =
        TRY(reader.nullable_integer("num_key_value_heads", 1, kMaxHeads)).value_or(out.q_heads);
  }
  if (out.q_heads % out.kv_heads != 0) {
    return reader.bad("num_key_value_heads", fmt::format("{}", out.kv_heads),
                      fmt::format("a divisor of num_attention_heads = {}", out.q_heads));
  }
  if (const auto given = TRY(reader.nullable_integer("head_dim", 1, kMaxHeadDim))) {
    out.head_dim = *given;
  } else if (defaults.head_dim != 0 && !reader.has("head_dim")) {
    out.head_dim = defaults.head_dim;
  } else if (hidden % out.q_heads == 0) {
    out.head_dim = hidden / out.q_heads;
  } else {
    return reader.bad("num_attention_heads", fmt::format("{}", out.q_heads),
                      fmt::format("a divisor of hidden_size = {}, or head_dim given", hidden));
  }
  if (out.head_dim % 2 != 0 || out.head_dim > kMaxHeadDim) {
    return reader.bad("head_dim", fmt::format("{}", out.head_dim),
                      fmt::format("an even number in 2..{}", kMaxHeadDim));
  }
  return {};
}

Result<void> check_activation(const ConfigReader& reader) {
  const std::string name = TRY(reader.text("hidden_act", "silu"));
  if (name == "silu" || name == "swish") return {};
  return fail(Code::kUnsupported, "config.json: hidden_act is not supported yet", name,
              "silu (also called swish)");
}

Result<std::vector<bool>> read_windowed_layers(const ConfigReader& reader, int64_t layers,
                                               bool has_window) {
  std::vector<bool> windowed(static_cast<size_t>(layers), false);
  if (!reader.has_value("layer_types")) {
    const int64_t first = TRY(reader.integer("max_window_layers", 28, 0, int64_t{1} << 31));
    for (int64_t i = first; has_window && i < layers; i++) windowed[static_cast<size_t>(i)] = true;
    return windowed;
  }
  const auto types = TRY(reader.texts("layer_types"));
  if (types.size() != windowed.size()) {
    return reader.bad("layer_types", fmt::format("{} entries", types.size()),
                      fmt::format("num_hidden_layers = {} entries", layers));
  }
  for (size_t i = 0; i < types.size(); i++) {
    windowed[i] = types[i] == "sliding_attention";
    if (!windowed[i] && types[i] != "full_attention") {
      return fail(Code::kUnsupported,
                  fmt::format("config.json: layer_types[{}] is not supported yet", i), types[i],
                  "full_attention or sliding_attention");
    }
    if (windowed[i] && !has_window) {
      return reader.bad("layer_types", "sliding_attention", "full_attention only",
                        "use_sliding_window is false or sliding_window is null");
    }
  }
  return windowed;
}

}  // namespace

Result<DenseSizes> read_dense(const ConfigReader& reader, const DenseDefaults& defaults,
                              ModelConfig& config) {
  ModelSpec& spec = config.spec;
  DenseSizes sizes;
  spec.vocab = TRY(reader.integer("vocab_size", defaults.vocab, 1, kMaxVocab));
  spec.hidden = TRY(reader.integer("hidden_size", defaults.hidden, 1, kMaxHidden));
  spec.max_position =
      TRY(reader.integer("max_position_embeddings", defaults.max_position, 1, kMaxPosition));
  spec.norm_eps = static_cast<float>(TRY(reader.number("rms_norm_eps", 1e-6, kEpsRange)));
  spec.tied_head = TRY(reader.flag("tie_word_embeddings", false));
  sizes.layers = TRY(reader.integer("num_hidden_layers", defaults.layers, 1, kMaxLayers));
  sizes.layer.mlp.intermediate =
      TRY(reader.integer("intermediate_size", defaults.intermediate, 1, kMaxIntermediate));
  TRY(read_heads(reader, defaults, spec.hidden, sizes.layer.attention));
  TRY(check_activation(reader));
  spec.ropes = {TRY(read_rope(reader, sizes.layer.attention.head_dim, spec.max_position))};
  return sizes;
}

void add_uniform_layers(ModelSpec& spec, LayerSpec layer, int64_t count, int64_t window) {
  layer.attention.window = window;
  spec.layers.insert(spec.layers.end(), static_cast<size_t>(count), layer);
}

Result<int64_t> read_window(const ConfigReader& reader, int64_t fallback) {
  if (!reader.has("sliding_window")) return fallback;
  return TRY(reader.nullable_integer("sliding_window", 1, int64_t{1} << 31)).value_or(0);
}

Result<void> add_qwen_layers(const ConfigReader& reader, const DenseSizes& sizes, ModelSpec& spec) {
  const bool used = TRY(reader.flag("use_sliding_window", false));
  const int64_t given = TRY(read_window(reader, 4096));
  const int64_t window = used ? given : 0;
  const auto windowed = TRY(read_windowed_layers(reader, sizes.layers, window != 0));
  for (const bool has_window : windowed) {
    add_uniform_layers(spec, sizes.layer, 1, has_window ? window : 0);
  }
  return {};
}

}  // namespace strata::model
