"""The golden cases: which checkpoint each one imitates, and how its random tensors are scaled.

A case is a config.json in full, a weight dtype and a prompt length. The scales make the model lively: attention
carries a large share of the residual stream, so that a wrong window, bias or frequency shows in the logits.
"""
from dataclasses import dataclass, field


@dataclass
class Case:
    name: str
    config: dict
    weights: str = "f32"        # dtype of the checkpoint and of the computation
    prompt: int = 96            # tokens
    max_model_len: int = 0      # passed to --max-model-len; fixes dynamic RoPE. 0: left to the program
    shards: int = 1
    gains: dict = field(default_factory=dict)  # tensor kind -> factor on its scale


DTYPE_NAMES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}
ARCHITECTURES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM",
                 "qwen3": "Qwen3ForCausalLM"}


def config(family, form, weights, *, layers, hidden, heads, kv, ffn, vocab, **rest):
    """A config.json: form 4 writes torch_dtype, form 5 writes dtype, as Transformers 4 and 5 do."""
    common = {
        "architectures": [ARCHITECTURES[family]], "model_type": family, "hidden_act": "silu",
        "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.02, "use_cache": True,
        "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
        "num_key_value_heads": kv, "intermediate_size": ffn, "vocab_size": vocab,
        "torch_dtype" if form == 4 else "dtype": DTYPE_NAMES[weights],
        "transformers_version": "4.51.0" if form == 4 else "5.0.0",
    }
    return common | {"max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "tie_word_embeddings": False} | rest


def llama_cases():
    llama2 = config("llama", 4, "f32", layers=3, hidden=64, heads=4, kv=4, ffn=172, vocab=259,
                    rope_scaling=None, pretraining_tp=1)
    yield Case("llama2_mha", llama2)
    llama3 = dict(layers=2, hidden=96, heads=6, kv=2, ffn=200, vocab=256, rope_theta=500000.0, rope_scaling=None,
                  attention_bias=False, attention_dropout=0.0)
    yield Case("llama3_gqa_long", config("llama", 4, "f32", **llama3), prompt=300, shards=3)
    yield Case("llama3_gqa_bf16", config("llama", 4, "bf16", **llama3), weights="bf16")
    yield Case("llama3_gqa_f16", config("llama", 4, "f16", **llama3), weights="f16")
    scaled = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64}
    yield Case("llama31_rope_tied", config(
        "llama", 4, "f32", layers=3, hidden=128, heads=4, kv=2, ffn=100, vocab=250, head_dim=32, mlp_bias=False,
        tie_word_embeddings=True, rope_theta=10000.0, rope_scaling=scaled), prompt=120)
    odd = dict(layers=2, hidden=200, heads=5, kv=1, ffn=150, vocab=203, head_dim=40, rms_norm_eps=0.05,
               rope_parameters=scaled | {"rope_theta": 1000.0, "factor": 4.0, "original_max_position_embeddings": 48})
    yield Case("llama31_rope_odd_heads", config("llama", 5, "f32", **odd))
    yield Case("llama31_odd_heads_long_bf16", config("llama", 5, "bf16", **odd), weights="bf16", prompt=270)
    yield Case("llama_linear_wide_heads", config(
        "llama", 4, "f32", layers=3, hidden=68, heads=4, kv=2, ffn=132, vocab=233, head_dim=24, rope_theta=10000.0,
        rope_scaling={"type": "linear", "factor": 4.0}))
    yield Case("llama_yarn_biases", config(
        "llama", 5, "f32", layers=2, hidden=100, heads=5, kv=5, ffn=140, vocab=241, head_dim=20,
        attention_bias=True, mlp_bias=True,
        rope_parameters={"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "beta_fast": 4.0, "beta_slow": 1.0,
                         "attention_factor": 1.3, "original_max_position_embeddings": 64}), prompt=100)
    yield Case("llama_yarn_defaults", config(
        "llama", 4, "f32", layers=2, hidden=64, heads=2, kv=1, ffn=96, vocab=240, head_dim=64, rope_theta=100.0,
        rope_scaling={"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 256}), prompt=290)
    yield Case("llama_dynamic_mqa", config(
        "llama", 4, "f32", layers=2, hidden=80, heads=5, kv=1, ffn=120, vocab=230, max_position_embeddings=48,
        rope_theta=10000.0, rope_scaling={"type": "dynamic", "factor": 4.0}), prompt=90, max_model_len=192)


def mistral_cases():
    first = dict(layers=3, hidden=72, heads=6, kv=2, ffn=180, vocab=251, rope_theta=10000.0)
    yield Case("mistral_window", config("mistral", 4, "f32", **first, sliding_window=24), prompt=100)
    yield Case("mistral_window_bf16", config("mistral", 4, "bf16", **first, sliding_window=24), weights="bf16",
               prompt=100)
    yield Case("mistral_no_window", config(
        "mistral", 5, "f32", layers=2, hidden=96, heads=4, kv=2, ffn=144, vocab=247, head_dim=32, sliding_window=None,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}))
    yield Case("mistral_window_long", config(
        "mistral", 4, "f32", layers=2, hidden=120, heads=5, kv=1, ffn=110, vocab=227, head_dim=40, rope_theta=10000.0,
        rms_norm_eps=0.05, sliding_window=70), prompt=300)
    yield Case("mistral_window_tied", config(
        "mistral", 5, "f32", layers=4, hidden=64, heads=4, kv=4, ffn=96, vocab=240, tie_word_embeddings=True,
        sliding_window=33, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}), prompt=80, shards=2)


def qwen2_cases():
    tied = dict(layers=2, hidden=112, heads=7, kv=1, ffn=152, vocab=250, tie_word_embeddings=True)
    ignored = dict(use_sliding_window=False, sliding_window=16, max_window_layers=1)
    yield Case("qwen2_tied", config("qwen2", 4, "f32", **tied, **ignored, rope_theta=1000000.0, rms_norm_eps=0.02))
    yield Case("qwen2_bf16", config("qwen2", 4, "bf16", **tied, **ignored, rope_theta=1000000.0), weights="bf16")
    yield Case("qwen2_window_layers", config(
        "qwen2", 4, "f32", layers=4, hidden=60, heads=6, kv=2, ffn=92, vocab=235, rope_theta=10000.0,
        use_sliding_window=True, sliding_window=20, max_window_layers=2))
    yield Case("qwen2_layer_types", config(
        "qwen2", 5, "f32", layers=3, hidden=64, heads=4, kv=4, ffn=100, vocab=245, use_sliding_window=True,
        sliding_window=28, max_window_layers=3, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        layer_types=["sliding_attention", "full_attention", "sliding_attention"]), prompt=110)
    yield Case("qwen25_yarn", config(
        "qwen2", 4, "f32", layers=2, hidden=96, heads=4, kv=2, ffn=130, vocab=240, **ignored, rope_theta=1000.0,
        rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}), prompt=130)


def qwen3_cases():
    base = dict(layers=3, hidden=64, heads=4, kv=2, ffn=108, vocab=253, head_dim=32, attention_bias=False)
    ignored = dict(use_sliding_window=False, sliding_window=None, max_window_layers=3)
    yield Case("qwen3_tied", config("qwen3", 4, "f32", **base, **ignored, tie_word_embeddings=True,
                                    rope_theta=1000000.0, rope_scaling=None, rms_norm_eps=0.02))
    yield Case("qwen3_bf16", config("qwen3", 4, "bf16", **base, **ignored, rope_theta=1000000.0), weights="bf16")
    yield Case("qwen3_layer_types", config(
        "qwen3", 5, "f32", layers=4, hidden=72, heads=6, kv=3, ffn=120, vocab=249, head_dim=20, attention_bias=False,
        use_sliding_window=True, sliding_window=22, max_window_layers=4,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]), prompt=110)
    yield Case("qwen3_biases_odd_heads", config(
        "qwen3", 5, "f32", layers=2, hidden=100, heads=5, kv=1, ffn=140, vocab=239, head_dim=40, attention_bias=True,
        use_sliding_window=False, sliding_window=None, max_window_layers=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, layer_types=["full_attention"] * 2))
    yield Case("qwen3_yarn_window", config(
        "qwen3", 4, "f32", layers=3, hidden=80, heads=4, kv=4, ffn=116, vocab=244, head_dim=24, attention_bias=False,
        use_sliding_window=True, sliding_window=40, max_window_layers=1, rope_theta=1000.0,
        rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}), prompt=120)


def all_cases():
    return [*llama_cases(), *mistral_cases(), *qwen2_cases(), *qwen3_cases()]


def head_size(cfg):
    return cfg.get("head_dim") or cfg["hidden_size"] // cfg["num_attention_heads"]


def biases(cfg):
    """Which of the linear layers carry a bias."""
    if cfg["model_type"] == "qwen2":
        return {"q_proj", "k_proj", "v_proj"}
    found = {"q_proj", "k_proj", "v_proj", "o_proj"} if cfg.get("attention_bias") else set()
    return found | ({"gate_proj", "up_proj", "down_proj"} if cfg.get("mlp_bias") else set())


def tensors(case):
    """[{name, shape, mean, scale}] of the checkpoint."""
    cfg, found = case.config, []
    hidden, ffn, size = cfg["hidden_size"], cfg["intermediate_size"], head_size(cfg)
    q, kv = cfg["num_attention_heads"] * size, cfg["num_key_value_heads"] * size

    def add(name, shape, gain, mean=0.0):
        fan_in = shape[1] if len(shape) == 2 else 1
        kind = name.split(".")[-2]
        scale = gain * case.gains.get(kind, 1.0) / fan_in ** 0.5
        found.append({"name": name, "shape": shape, "mean": mean, "scale": round(scale, 6)})

    tied = cfg["tie_word_embeddings"]
    add("model.embed_tokens.weight", [cfg["vocab_size"], hidden], 2.2 if tied else hidden ** 0.5)
    for layer in range(cfg["num_hidden_layers"]):
        base = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            add(f"{base}{norm}.weight", [hidden], 0.3, mean=1.0)
        linears = {"self_attn.q_proj": (q, hidden, 1.4), "self_attn.k_proj": (kv, hidden, 1.4),
                   "self_attn.v_proj": (kv, hidden, 1.2), "self_attn.o_proj": (hidden, q, 2.5),
                   "mlp.gate_proj": (ffn, hidden, 1.3), "mlp.up_proj": (ffn, hidden, 1.3),
                   "mlp.down_proj": (hidden, ffn, 2.0)}
        for linear, (rows, columns, gain) in linears.items():
            add(f"{base}{linear}.weight", [rows, columns], gain)
            if linear.split(".")[1] in biases(cfg):
                add(f"{base}{linear}.bias", [rows], 0.5)
        if cfg["model_type"] == "qwen3":
            for norm in ("q_norm", "k_norm"):
                add(f"{base}self_attn.{norm}.weight", [size], 0.4, mean=1.2)
    add("model.norm.weight", [hidden], 0.3, mean=1.0)
    if not tied:
        add("lm_head.weight", [cfg["vocab_size"], hidden], 2.4)
    return found
