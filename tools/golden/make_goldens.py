#!/usr/bin/env python3
"""Make (or check) the golden logits of tests/golden/cases with Transformers.

  make_goldens.py [--check] [--trace] [CASE ...]        (no CASE: all of them)

Needs torch and transformers 5; the tests themselves need neither. For each case it looks for the first seed at
which the case is fit to find bugs (docs/design/goldens.md lists the conditions) and writes case.json and
expected.npy. --check recomputes the committed cases instead and fails if a logit moved by more than 2e-5.
"""
import argparse
import json
import os
import sys
import tempfile

import numpy as np
import torch

import cases
import folder
import knockouts
import oracle
import weights

TOLERANCE = 1e-4          # what the tests allow in float32
KNOCKOUT = 1000 * TOLERANCE
GENERATED = 64
MIN_DISTINCT = 16
MIN_DEVIATION = 1.5
MIN_MARGIN = 20 * TOLERANCE  # between best and second best: no rounding may flip a greedy token
ORACLE_ERROR = 2e-5       # of float32 Transformers against float64
SEEDS = 200
TORCH_DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16}
HERE = os.path.dirname(os.path.abspath(__file__))
CASES_DIR = os.path.normpath(os.path.join(HERE, "..", "..", "tests", "golden", "cases"))


class Unfit(Exception):
    """This seed makes no good case; the message says why."""


def require(condition, why):
    if not condition:
        raise Unfit(why)


def draft(case, seed):
    """The content of case.json before the oracle has seen it."""
    vocab = case.config["vocab_size"]
    settings = {"dtype": case.weights, "max_tokens": GENERATED}
    if case.max_model_len:
        settings["max_model_len"] = case.max_model_len
    return {"name": case.name, "family": case.config["model_type"], "config": case.config, "weights": case.weights,
            "shards": case.shards, "seed": seed, "settings": settings,
            "prompt_ids": weights.prompt(case.prompt, vocab, seed), "tensors": cases.tensors(case)}


def stored_rows(case, total):
    """Rows of the [total, vocab] logits that are committed."""
    if case["weights"] != "f32":
        return sorted({*range(0, total, 2), total - 1})
    prompt = len(case["prompt_ids"])
    return sorted({*range(0, total, 8), *range(prompt - 4, prompt), total - 1})


def variant(work, case, overrides):
    """A folder with the same weights and another config."""
    path = tempfile.mkdtemp(dir=work)
    for name in os.listdir(os.path.join(work, "model")):
        if name != "config.json":
            os.symlink(os.path.join(work, "model", name), os.path.join(path, name))
    folder.write_json(os.path.join(path, "config.json"), case["config"] | overrides)
    return path


def knocked_out(work, case, model, ids, overrides, changes):
    length = overrides.get("max_model_len", case["settings"].get("max_model_len", 0))
    if overrides:
        model = oracle.load(variant(work, case, overrides), max_model_len=length)
    parameters = dict(model.named_parameters())
    saved = {name: parameters[name].data.clone() for name in changes}
    for name, change in changes.items():
        parameters[name].data = change(parameters[name].data)
    result = oracle.logits(model, ids)
    for name, value in saved.items():
        parameters[name].data = value
    return result


def check_knockouts(work, case, model, ids, reference):
    """label -> how far each knock-out moves a committed logit; an unfit case raises."""
    rows, moved = case["rows"], {}
    for label, overrides, changes in knockouts.knockouts(case):
        other = knocked_out(work, case, model, ids, overrides, changes)[rows]
        moved[label] = round(float(np.abs(other - reference).max()), 3)
        require(moved[label] >= KNOCKOUT, f"knocking out '{label}' moves logits by {moved[label]} only")
        if case["weights"] != "f32":
            kl = oracle.mean_kl(reference, other)
            require(kl > 2 * case["transformers_kl"], f"knocking out '{label}' hides within the KL bound: {kl}")
    return moved


def measure(work, case):
    """Fills in what the oracle says; returns the committed logits, float32."""
    path = os.path.join(work, "model")
    folder.write_folder(path, case)
    length = case["settings"].get("max_model_len", 0)
    model = oracle.load(path, max_model_len=length)
    case["greedy_ids"], margin = oracle.greedy(model, case["prompt_ids"], GENERATED)
    distinct = len(set(case["greedy_ids"]))
    require(distinct >= MIN_DISTINCT, f"only {distinct} distinct greedy tokens")
    require(margin >= MIN_MARGIN, f"a greedy token wins by {margin:.1e} only")
    ids = case["prompt_ids"] + case["greedy_ids"][:-1]
    case["rows"] = stored_rows(case, len(ids))
    expected = oracle.logits(model, ids)[case["rows"]]
    deviation = float(np.sqrt(expected.var(axis=1).min()))
    require(deviation >= MIN_DEVIATION, f"a row of logits deviates by {deviation:.2f} only")
    if case["weights"] != "f32":
        own = oracle.logits(oracle.load(path, TORCH_DTYPES[case["weights"]], length), ids)[case["rows"]]
        case["transformers_kl"] = oracle.mean_kl(expected, own)
    moved = check_knockouts(work, case, model, ids, expected)
    error = float(np.abs(oracle.logits(model.double(), ids)[case["rows"]] - expected).max())
    require(error <= ORACLE_ERROR, f"float32 Transformers is {error:.1e} away from float64")
    case["evidence"] = {"smallest_row_deviation": round(deviation, 3), "distinct_greedy_ids": distinct,
                        "smallest_greedy_margin": round(margin, 5), "oracle_error": float(f"{error:.1e}"),
                        "knockouts_moved_logits_by": moved}
    return expected.astype(np.float32)


def make(case, trace):
    for seed in range(1, SEEDS + 1):
        content = draft(case, seed)
        with tempfile.TemporaryDirectory() as work:
            try:
                expected = measure(work, content)
            except Unfit as why:
                if trace:
                    print(f"  {case.name} seed {seed}: {why}", file=sys.stderr)
                continue
        save(content, expected)
        moved = content["evidence"]["knockouts_moved_logits_by"]
        print(f"{case.name}: seed {seed}, {len(moved)} knock-outs, least {min(moved, key=moved.get)} "
              f"{min(moved.values())}, own KL {content.get('transformers_kl')}")
        return True
    print(f"{case.name}: no fit seed in {SEEDS}")
    return False


def save(content, expected):
    path = os.path.join(CASES_DIR, content["name"])
    os.makedirs(path, exist_ok=True)
    np.save(os.path.join(path, "expected.npy"), expected)
    with open(os.path.join(path, "case.json"), "w") as file:
        fields = [f" {json.dumps(key)}: {compact(key, value)}" for key, value in content.items()]
        file.write("{\n" + ",\n".join(fields) + "\n}\n")


def compact(key, value):
    """One line a field, but one line a tensor."""
    if key == "tensors":
        return "[\n" + ",\n".join("  " + json.dumps(tensor) for tensor in value) + "\n ]"
    return json.dumps(value)


def check(name):
    """Recomputes a committed case from its case.json alone."""
    path = os.path.join(CASES_DIR, name)
    with open(os.path.join(path, "case.json")) as file:
        content = json.load(file)
    committed, greedy = np.load(os.path.join(path, "expected.npy")), content["greedy_ids"]
    with tempfile.TemporaryDirectory() as work:
        try:
            difference = float(np.abs(measure(work, content) - committed).max())
        except Unfit as why:
            print(f"{name}: UNFIT, {why}")
            return False
    good = difference <= ORACLE_ERROR and greedy == content["greedy_ids"]
    print(f"{name}: {'agrees' if good else 'DIFFERS'}, largest difference {difference:.1e}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--check", action="store_true", help="recompute the committed cases")
    parser.add_argument("--trace", action="store_true", help="say why seeds were passed over")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = {case.name: case for case in cases.all_cases()}
    names = args.cases or list(known)
    good = [check(name) if args.check else make(known[name], args.trace) for name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
