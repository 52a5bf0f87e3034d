#!/usr/bin/env python3
"""Make (or check) what Transformers says of pebble as lm-eval asks it: tests/clients/loglikelihoods.json.

  make_loglikelihoods.py [--check]

Needs torch and transformers 5; the test needs neither torch nor this. All in float32 from the committed weights, whole
sequences, no cache. Of a pair, the sum of the log probabilities of the continuation's tokens behind the context's (cut where
the context's own tokens end, as lm-eval does), and whether each is the likeliest. Of a text, the sum over all its tokens
behind the begin mark. Of a prompt, the greedy continuation. To be run again when models/pebble changes.
"""
import argparse
import hashlib
import json
import pathlib
import sys

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEBBLE = ROOT / "models" / "pebble"
EXPECTED = ROOT / "tests" / "clients" / "loglikelihoods.json"
STORY = ("Once upon a time there was a land called Sailburg. Anna took some red paint and painted a big chair. "
         "Tom has time on Tuesday and wants to come.")
PAIRS = [
    (f"{STORY}\n\nQuestion: What did Anna paint?\nAnswer:", answer)
    for answer in (" A big chair.", " A small house.", " Tom has time on Tuesday.", " I do not know.")
] + [
    ("Sort these numbers: 31, 16, 81, 55\nIn order:", " 16, 31, 55, 81"),
    ("Sort these numbers: 31, 16, 81, 55\nIn order:", " 81, 55, 31, 16"),
    ("The wolf", " and the fox went down to the river"),
    ("Write this as JSON with the keys name, animal.\nFiffi is the name of a wolf.\n", '{"name":"Fiffi","animal":"wolf"}'),
    ("Once upon a time ", "there was a king"),
    (STORY * 20, " Anna went home."),
]
TEXTS = [STORY, "It rains.", STORY * 8]
PROMPTS = ["Once upon a time", "The wolf and the fox", STORY]
NEW_TOKENS = 24
TOLERANCE = 1e-4


def next_log_probs(model, ids):
    """[len(ids) - 1, vocab]: of the token behind each but the last."""
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1].double(), dim=-1)


def of_pair(model, encode, context, continuation):
    # Blanks at a context's end belong to the continuation's first token.
    blanks = len(context) - len(context.rstrip())
    cut = context[: len(context) - blanks]
    before, whole = encode(cut), encode(context + continuation)
    rows = next_log_probs(model, whole)[len(before) - 1 :]
    after = torch.tensor(whole[len(before) :])
    chosen = rows.gather(1, after[:, None])
    return {"context": context, "continuation": continuation, "loglikelihood": chosen.sum().item(),
            "greedy": bool((rows.argmax(dim=1) == after).all())}


def of_text(model, tokenizer, encode, text):
    ids = [tokenizer.bos_token_id] + encode(text)
    rows = next_log_probs(model, ids)
    return {"text": text, "loglikelihood": rows.gather(1, torch.tensor(ids[1:])[:, None]).sum().item()}


def of_prompt(model, tokenizer, encode, prompt):
    ids = encode(prompt)
    end = len(ids) + NEW_TOKENS
    while len(ids) < end:
        ids.append(int(next_log_probs(model, ids + [0])[-1].argmax()))
        if ids[-1] == tokenizer.eos_token_id:
            break
    said = tokenizer.decode(ids, skip_special_tokens=True)
    return {"prompt": prompt, "max_tokens": NEW_TOKENS, "text": said[len(prompt) :]}


def make():
    tokenizer = transformers.AutoTokenizer.from_pretrained(PEBBLE)
    model = transformers.AutoModelForCausalLM.from_pretrained(PEBBLE, dtype=torch.float32, attn_implementation="eager").eval()

    def encode(text):
        return tokenizer(text, add_special_tokens=False).input_ids

    return {
        "weights_sha256": hashlib.sha256((PEBBLE / "model.safetensors").read_bytes()).hexdigest(),
        "transformers": transformers.__version__,
        "pairs": [of_pair(model, encode, *pair) for pair in PAIRS],
        "texts": [of_text(model, tokenizer, encode, text) for text in TEXTS],
        "prompts": [of_prompt(model, tokenizer, encode, prompt) for prompt in PROMPTS],
    }


def differences(made, committed):
    """What is not the same, in words; sums may differ by TOLERANCE."""
    if made["weights_sha256"] != committed["weights_sha256"]:
        yield "models/pebble has other weights"
    for kind in ("pairs", "texts", "prompts"):
        for now, then in zip(made[kind], committed[kind], strict=True):
            moved = abs(now.pop("loglikelihood", 0) - then.pop("loglikelihood", 0))
            if now != then or moved > TOLERANCE:
                yield f"{kind}: {now} instead of {then}, moved by {moved}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    check = parser.parse_args().check
    made = make()
    if check:
        found = list(differences(made, json.loads(EXPECTED.read_text(encoding="utf-8"))))
        print("\n".join(found) or "as committed")
        sys.exit(bool(found))
    EXPECTED.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
