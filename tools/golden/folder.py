"""Writes the Hugging Face folder of a golden case (tests/golden/synth_folder.cc writes the same bytes of weights)."""
import json
import math
import os
import struct

import weights

WIDTHS = {"f32": ("F32", 4), "f16": ("F16", 2), "bf16": ("BF16", 2)}


def tensor_bytes(tensor, seed, dtype):
    count = math.prod(tensor["shape"])
    return weights.encode(weights.values(tensor["name"], count, seed, tensor["mean"], tensor["scale"]), dtype)


def write_safetensors(path, tensors, seed, dtype):
    header, offset = {}, 0
    for tensor in tensors:
        size = math.prod(tensor["shape"]) * WIDTHS[dtype][1]
        header[tensor["name"]] = {"dtype": WIDTHS[dtype][0], "shape": tensor["shape"],
                                  "data_offsets": [offset, offset + size]}
        offset += size
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        for tensor in tensors:
            file.write(tensor_bytes(tensor, seed, dtype))


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2)


def write_folder(folder, case):
    """`case` is the content of a case.json."""
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, "config.json"), case["config"])
    shards, tensors, weight_map = case["shards"], case["tensors"], {}
    for shard in range(shards):
        name = "model.safetensors" if shards == 1 else f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = tensors[shard::shards]
        write_safetensors(os.path.join(folder, name), part, case["seed"], case["weights"])
        weight_map |= {tensor["name"]: name for tensor in part}
    if shards > 1:
        write_json(os.path.join(folder, "model.safetensors.index.json"),
                   {"metadata": {}, "weight_map": weight_map})
