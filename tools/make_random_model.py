#!/usr/bin/env python3
"""Write a random Hugging Face model folder of a known shape, for benchmarks and tests without real weights.

  make_random_model.py --shape llama-3.2-1b|llama-3-8b|tiny OUT_DIR [--dtype bf16|f16|f32] [--seed N] [--vocab N]

Needs nothing but Python. Weights have random signs and mantissas, and magnitudes near 1/sqrt(fan in),
so that activations stay of order one; norms lie near 1. The bytes depend on shape, dtype and seed only,
not on how many processes wrote them. The text such a model produces is noise.
"""
import argparse
import json
import math
import multiprocessing
import os
import random
import struct
import subprocess
import sys
import time

CHUNK = 4 << 20
SHARD_BYTES = 5_000_000_000
LLAMA3_ROPE = {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
               "original_max_position_embeddings": 8192, "rope_type": "llama3"}
SHAPES = {
    "llama-3.2-1b": dict(layers=16, hidden=2048, heads=32, kv_heads=8, head_dim=64, ffn=8192, vocab=128256,
                         tied=True, rope_theta=500000.0, rope=LLAMA3_ROPE, context=131072,
                         bos=128000, eos=[128001, 128008, 128009]),
    "llama-3-8b": dict(layers=32, hidden=4096, heads=32, kv_heads=8, head_dim=128, ffn=14336, vocab=128256,
                       tied=False, rope_theta=500000.0, rope=None, context=8192,
                       bos=128000, eos=[128001, 128009]),
    "small": dict(layers=8, hidden=512, heads=8, kv_heads=2, head_dim=64, ffn=2048, vocab=8192,
                  tied=True, rope_theta=10000.0, rope=None, context=2048, bos=256, eos=[257]),
    "tiny": dict(layers=2, hidden=64, heads=4, kv_heads=2, head_dim=16, ffn=160, vocab=272,
                 tied=False, rope_theta=10000.0, rope=None, context=2048, bos=256, eos=[257]),
}
DTYPES = {"bf16": ("BF16", "bfloat16", 2), "f16": ("F16", "float16", 2), "f32": ("F32", "float32", 4)}


def config(shape, dtype):
    return {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": shape["bos"], "eos_token_id": shape["eos"], "head_dim": shape["head_dim"],
        "hidden_act": "silu", "hidden_size": shape["hidden"], "initializer_range": 0.02,
        "intermediate_size": shape["ffn"], "max_position_embeddings": shape["context"], "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": shape["heads"], "num_hidden_layers": shape["layers"],
        "num_key_value_heads": shape["kv_heads"], "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": shape["rope"], "rope_theta": shape["rope_theta"],
        "tie_word_embeddings": shape["tied"], "torch_dtype": DTYPES[dtype][1], "use_cache": True,
        "vocab_size": shape["vocab"],
    }


def tensors(shape):
    """(name, shape) of every tensor, in the order of a released checkpoint."""
    hidden, ffn = shape["hidden"], shape["ffn"]
    q, kv = shape["heads"] * shape["head_dim"], shape["kv_heads"] * shape["head_dim"]
    yield "model.embed_tokens.weight", [shape["vocab"], hidden]
    for layer in range(shape["layers"]):
        base = f"model.layers.{layer}."
        yield base + "input_layernorm.weight", [hidden]
        yield base + "mlp.down_proj.weight", [hidden, ffn]
        yield base + "mlp.gate_proj.weight", [ffn, hidden]
        yield base + "mlp.up_proj.weight", [ffn, hidden]
        yield base + "post_attention_layernorm.weight", [hidden]
        yield base + "self_attn.k_proj.weight", [kv, hidden]
        yield base + "self_attn.o_proj.weight", [hidden, q]
        yield base + "self_attn.q_proj.weight", [q, hidden]
        yield base + "self_attn.v_proj.weight", [kv, hidden]
    yield "model.norm.weight", [hidden]
    if not shape["tied"]:
        yield "lm_head.weight", [shape["vocab"], hidden]


def norm_values(dtype, count, source):
    """Values in [0.875, 1.25): the high half of each is a bfloat16 (a float16) just around 1."""
    low = source.randbytes(count)
    if dtype == "f16":
        return b"".join(struct.pack("<e", 0.875 + byte * (0.375 / 256)) for byte in low)
    halves = b"".join(struct.pack("<H", 0x3F60 + byte % 64) for byte in low)
    if dtype == "bf16":
        return halves
    return b"".join(b"\0\0" + halves[i:i + 2] for i in range(0, len(halves), 2))


def exponent_table(dtype, fan_in):
    """Translates a random top byte into one whose exponent stands for a magnitude near 1/sqrt(fan_in).

    The top bit stays the sign. For bf16 and f32 the other seven are the exponent without its lowest bit
    (which is random and sits in the next byte), so a step of one is a factor of four; for f16 they are five
    exponent bits and two random mantissa bits. Three quarters of the values take the largest magnitudes.
    """
    spread = [0] * 96 + [1] * 24 + [2] * 8  # how far below the largest: about N(0, s) without its far tail
    target = 1.0 / math.sqrt(fan_in)
    table = bytearray(256)
    for byte in range(256):
        drop = spread[byte & 127]
        if dtype == "f16":
            exponent = 15 + round(math.log2(target)) - drop
            low = (max(exponent, 1) << 2) | (byte & 3)
        else:
            low = 63 + round(math.log(target / 0.8, 4)) - drop
        table[byte] = (byte & 128) | low
    return bytes(table)


def write_chunk(task):
    """One process, one chunk of one tensor: random bytes, exponents translated, written in place."""
    path, offset, count, key, dtype, fan_in = task
    source = random.Random(key)
    width = DTYPES[dtype][2]
    if fan_in is None:
        data = norm_values(dtype, count // width, source)
    else:
        data = bytearray(source.randbytes(count))
        data[width - 1::width] = data[width - 1::width].translate(exponent_table(dtype, fan_in))
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)
    return count


def plan_shards(shape, width):
    """The tensors in groups of at most SHARD_BYTES: [[(name, shape, bytes)]]."""
    shards, used = [[]], 0
    for name, dims in tensors(shape):
        size = math.prod(dims) * width
        if used + size > SHARD_BYTES:
            shards.append([])
            used = 0
        shards[-1].append((name, dims, size))
        used += size
    return shards


def write_header(path, shard, dtype):
    """Creates the file at its full length; returns where the data starts."""
    entries, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, dims, size in shard:
        entries[name] = {"dtype": DTYPES[dtype][0], "shape": dims, "data_offsets": [offset, offset + size]}
        offset += size
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + offset)
    return 8 + len(header)


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w") as file:
        file.write(json.dumps(value, indent=2) + "\n")


def prepare(folder, shape, dtype, seed):
    """Headers and JSON files; returns the chunks still to be written."""
    shards = plan_shards(shape, DTYPES[dtype][2])
    tasks, weight_map = [], {}
    for number, shard in enumerate(shards, 1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        path = os.path.join(folder, name)
        offset = write_header(path, shard, dtype)
        for tensor, dims, size in shard:
            weight_map[tensor] = name
            fan_in = dims[1] if len(dims) == 2 else None
            for start in range(0, size, CHUNK):
                count = min(CHUNK, size - start)
                tasks.append((path, offset + start, count, f"{seed}/{tensor}/{start}", dtype, fan_in))
            offset += size
    if len(shards) > 1:
        total = sum(size for shard in shards for _, _, size in shard)
        write_json(folder, "model.safetensors.index.json",
                   {"metadata": {"total_size": total}, "weight_map": weight_map})
    write_json(folder, "config.json", config(shape, dtype))
    write_json(folder, "generation_config.json",
               {"bos_token_id": shape["bos"], "eos_token_id": shape["eos"], "do_sample": True,
                "temperature": 0.6, "top_p": 0.9})
    return tasks


def fill(tasks):
    total, done, start, shown = sum(task[2] for task in tasks), 0, time.monotonic(), 0.0
    with multiprocessing.Pool(min(8, os.cpu_count() or 1)) as pool:
        for count in pool.imap_unordered(write_chunk, tasks):
            done += count
            now = time.monotonic()
            if now - shown > 0.5 or done == total:
                shown = now
                rate = done / max(now - start, 1e-3) / 1e6
                print(f"\r{done / 1e9:.2f} of {total / 1e9:.2f} GB, {rate:.0f} MB/s", end="", file=sys.stderr)
    print(file=sys.stderr)


def add_tokenizer(folder):
    """A byte tokenizer for the tiny shape, if its maker stands beside this script."""
    maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_byte_tokenizer.py")
    if os.path.exists(maker):
        subprocess.run([sys.executable, maker, folder], check=True)
    else:
        print("no make_byte_tokenizer.py beside this script: the folder works with ids only", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_dir")
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocab", type=int, help="entries of the vocabulary, instead of the shape's")
    args = parser.parse_args()
    os.makedirs(args.out_dir, exist_ok=True)
    shape = dict(SHAPES[args.shape], **({"vocab": args.vocab} if args.vocab else {}))
    fill(prepare(args.out_dir, shape, args.dtype, args.seed))
    if args.shape == "tiny":
        add_tokenizer(args.out_dir)


if __name__ == "__main__":
    main()
