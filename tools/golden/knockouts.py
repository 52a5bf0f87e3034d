"""Every single thing a wrong engine could leave out of a case, as a changed config or a changed tensor.

Each yields (label, config overrides, tensor changes): the overrides replace top-level keys of config.json, the
changes are name -> function on the loaded tensor.
"""
import torch

import cases


def tensor_knockouts(case):
    for tensor in case["tensors"]:
        name = tensor["name"]
        if name.endswith("norm.weight"):
            yield name, {}, {name: torch.ones_like}
        elif name.endswith(".bias"):
            yield name, {}, {name: torch.zeros_like}


def head_map_knockout(case):
    """Query head h reads KV head h mod n instead of h div (heads / n)."""
    cfg = case["config"]
    heads, kv, size = cfg["num_attention_heads"], cfg["num_key_value_heads"], cases.head_size(cfg)
    if kv in (1, heads):
        return
    order = torch.arange(heads).view(kv, heads // kv).T.reshape(-1)
    rows = (torch.argsort(order)[:, None] * size + torch.arange(size)).reshape(-1)
    changes = {}
    for tensor in case["tensors"]:
        if ".q_proj." in tensor["name"]:
            changes[tensor["name"]] = lambda value: value[rows]
        elif tensor["name"].endswith(".o_proj.weight"):
            changes[tensor["name"]] = lambda value: value[:, rows]
    yield "query heads to KV heads", {}, changes


# What a scaling parameter is replaced by: its default, or a clearly different value.
ROPE_CHANGES = {
    "factor": lambda value: value * 1.5, "low_freq_factor": lambda value: value * 1.5,
    "high_freq_factor": lambda value: value * 1.5, "original_max_position_embeddings": lambda value: value * 2,
    "beta_fast": lambda value: 32.0, "beta_slow": lambda value: value * 2, "rope_theta": lambda value: value * 2,
    "attention_factor": lambda value: 1.0,
}


def rope_knockouts(cfg):
    key = "rope_scaling" if cfg.get("rope_scaling") else "rope_parameters"
    rope = cfg.get(key) or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    theta = rope.get("rope_theta", cfg.get("rope_theta", 10000.0))
    if kind != "default":
        plain = {"rope_type": "default", "rope_theta": theta}
        yield "rope scaling off", {key: plain}, {}
    for name in sorted(rope.keys() & ROPE_CHANGES.keys()):
        yield f"rope {name}", {key: rope | {name: ROPE_CHANGES[name](rope[name])}}, {}
    if kind == "yarn" and "attention_factor" not in rope:
        yield "yarn default attention_factor", {key: rope | {"attention_factor": 1.0}}, {}
    if kind == "yarn" and "beta_fast" not in rope and rope["original_max_position_embeddings"] > 200:
        yield "yarn default beta_fast", {key: rope | {"beta_fast": 16.0}}, {}
    if kind == "yarn" and "beta_slow" not in rope:
        yield "yarn default beta_slow", {key: rope | {"beta_slow": 3.0}}, {}
    if kind == "dynamic":
        yield "maximum length", {"max_model_len": 2 * cfg["max_position_embeddings"]}, {}
    if "rope_theta" not in rope:
        yield "rope_theta", {"rope_theta": theta * 2}, {}


def window_knockouts(cfg):
    window = cfg.get("sliding_window")
    if not window:
        return
    if cfg["model_type"] != "mistral" and not cfg["use_sliding_window"]:
        yield "use_sliding_window ignored", {"use_sliding_window": True, "max_window_layers": 0}, {}
        return
    yield "window off", {"sliding_window": 4096}, {}
    yield "window one wider", {"sliding_window": window + 1}, {}
    yield "window one narrower", {"sliding_window": window - 1}, {}
    if cfg.get("layer_types"):
        kinds = cfg["layer_types"]
        for layer, kind in enumerate(kinds):
            other = "full_attention" if kind == "sliding_attention" else "sliding_attention"
            yield f"layer_types[{layer}]", {"layer_types": kinds[:layer] + [other] + kinds[layer + 1:]}, {}
    elif "max_window_layers" in cfg:
        for step in (-1, 1):
            yield f"max_window_layers {step:+}", {"max_window_layers": cfg["max_window_layers"] + step}, {}


def knockouts(case):
    cfg = case["config"]
    yield from tensor_knockouts(case)
    yield from head_map_knockout(case)
    yield from rope_knockouts(cfg)
    yield from window_knockouts(cfg)
    if cfg["rms_norm_eps"] > 1e-3:
        yield "rms_norm_eps", {"rms_norm_eps": 1e-5}, {}
