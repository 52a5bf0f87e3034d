#!/usr/bin/env python3
"""Write a training run as a model folder in Hugging Face layout: bf16 weights, configs, training.json, learning curve.

  export.py --work DIR --out models/pebble [--weights averaged|last]

The folder must hold the tokenizer that the run was trained with (make_tokenizer.py). training.json is what train.py --resume
goes on from, and says what the weights are made of.
"""

import argparse
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import torch  # noqa: E402
from make_tokenizer import BOS, END, PAD  # noqa: E402
from model import Shape  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

MAX_BYTES = 24_000_000


def config(shape: Shape, tokenizer: Tokenizer) -> dict:
    return {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": tokenizer.token_to_id(BOS), "eos_token_id": tokenizer.token_to_id(END), "head_dim": shape.head_size,
        "hidden_act": "silu", "hidden_size": shape.hidden, "initializer_range": 0.02, "intermediate_size": shape.inner,
        "max_position_embeddings": shape.context, "mlp_bias": False, "model_type": "llama",
        "num_attention_heads": shape.heads, "num_hidden_layers": shape.layers, "num_key_value_heads": shape.kv_heads,
        "pad_token_id": tokenizer.token_to_id(PAD), "pretraining_tp": 1, "rms_norm_eps": shape.norm_eps, "rope_scaling": None,
        "rope_theta": shape.rope_theta, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
        "vocab_size": shape.vocab,
    }


def generation_config(tokenizer: Tokenizer) -> dict:
    return {
        "bos_token_id": tokenizer.token_to_id(BOS), "do_sample": False, "eos_token_id": [tokenizer.token_to_id(END)],
        "max_new_tokens": 512, "pad_token_id": tokenizer.token_to_id(PAD),
    }


def shape_of(weights: dict[str, torch.Tensor]) -> Shape:
    vocab, hidden = weights["model.embed_tokens.weight"].shape
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("model.layers."))
    return Shape(vocab=vocab, hidden=hidden, layers=layers)


def write(out: pathlib.Path, weights: dict[str, torch.Tensor], training: dict) -> int:
    """Returns the size of the weights file."""
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    shape = shape_of(weights)
    if tokenizer.get_vocab_size() != shape.vocab:
        raise SystemExit(f"--out {out}: its tokenizer has {tokenizer.get_vocab_size()} entries, the weights {shape.vocab}; "
                         "copy there the tokenizer of the run")
    made = {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()}
    save_file(made, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    training = {"parameters": sum(value.numel() for value in made.values()), **training}
    for name, value in (("config.json", config(shape, tokenizer)), ("generation_config.json", generation_config(tokenizer)),
                        ("training.json", training)):
        (out / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8", newline="\n")
    return (out / "model.safetensors").stat().st_size


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, help="the folder that train.py --work wrote")
    parser.add_argument("--out", required=True, help="the model folder, with tokenizer.json in it")
    parser.add_argument("--weights", choices=("averaged", "last"), default="averaged",
                        help="averaged: while the learning rate is flat (default); last: after --decay-tokens")
    args = parser.parse_args(argv)
    out, work = pathlib.Path(args.out), pathlib.Path(args.work)
    checkpoint = work / "checkpoint.pt"
    if not checkpoint.exists():
        print(f"--work {work}: no checkpoint.pt; run train.py --work {work} first", file=sys.stderr)
        return 1
    whole = torch.load(checkpoint, weights_only=True)
    weights = whole["averaged" if args.weights == "averaged" else "model"]
    curve = (work / "curve.csv").read_text(encoding="utf-8").strip().split("\n")
    last = dict(zip(curve[0].split(","), curve[-1].split(","), strict=True))
    training = {"place": whole["place"], "weights": args.weights, "seed": whole["settings"]["seed"],
                "settings": whole["settings"], "last_measured": last}
    size = write(out, weights, training)
    shutil.copyfile(work / "curve.csv", out / "learning_curve.csv")
    print(f"{out}: {size} bytes of weights, step {whole['place']['step']}, {whole['place']['tokens']} tokens seen")
    if size > MAX_BYTES:
        print(f"{out}/model.safetensors has {size} bytes, at most {MAX_BYTES}; train with fewer --layers", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
