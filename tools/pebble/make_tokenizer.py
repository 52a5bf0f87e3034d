#!/usr/bin/env python3
"""Train pebble's tokenizer on the train split of the corpus and write the text side of the model folder.

  make_tokenizer.py [--seed N] [--examples N] --out DIR

Byte-level BPE, 4,096 entries, each digit by itself. Merges are learned on words without the space before them; the most
frequent words then get one merge more, with their space. So a rare word is cut into the same pieces wherever it stands,
after a space or inside quotes, and copying it is copying ids. Also writes tokenizer_config.json with the chat template.
"""

import argparse
import collections
import json
import pathlib
import re
import sys
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import corpus  # noqa: E402
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers  # noqa: E402

ENTRIES = 4096
SPACED_WORDS = 500
BOS, END, PAD = "<|bos|>", "<|end|>", "<|pad|>"
SPECIAL = (PAD, BOS, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|tools|>")
CALL = ("<tool_call>", "</tool_call>")  # part of an answer's text, so decoding keeps them
JOINED = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
APART = r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def texts(seed: int, examples: int) -> Iterator[str]:
    """What is said in the examples, and the names in the schemas of their tools; each kind has its part."""
    for kind in corpus.KINDS:
        share = examples // 5 if kind == "long_recall" else examples
        for index in range(share):
            made = corpus.make_example(kind, seed, index, "train")
            yield from (message["content"] for message in made.messages if message["content"])
            if made.tools is not None:
                yield made.gold
                yield json.dumps(made.tools)


def split_by(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])


def with_spaced_words(trained: dict, said: list[str]) -> dict:
    """The tokenizer as JSON with a last merge, space and word, for the most frequent words that are one piece."""
    counts = collections.Counter(word for text in said for word in re.findall(r" ([A-Za-z]+)", text))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    vocab, merges = trained["model"]["vocab"], trained["model"]["merges"]
    for word in [word for word in ranked if word in vocab][:SPACED_WORDS]:
        vocab["Ġ" + word] = len(vocab)
        merges.append(["Ġ", word])
    trained["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": JOINED}
    return trained


def train(said: list[str]) -> Tokenizer:
    special = [*SPECIAL, *CALL]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split_by(APART)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=ENTRIES - SPACED_WORDS, special_tokens=special, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(said, trainer)
    made = with_spaced_words(json.loads(tokenizer.to_str()), said)
    for token in made["added_tokens"]:
        token["special"] = token["content"] not in CALL
    tokenizer = Tokenizer.from_str(json.dumps(made))
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, bos)])
    return tokenizer


def config(template: str, context: int) -> dict:
    return {
        "add_bos_token": True, "bos_token": BOS, "chat_template": template, "clean_up_tokenization_spaces": False,
        "eos_token": END, "model_max_length": context, "pad_token": PAD, "tokenizer_class": "PreTrainedTokenizerFast",
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="seed of the examples (default 1)")
    parser.add_argument("--examples", type=int, default=1500, help="examples of each kind (default 1500)")
    parser.add_argument("--out", required=True, help="the model folder to write into; made when missing")
    args = parser.parse_args(argv)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train(list(texts(args.seed, args.examples)))
    if tokenizer.get_vocab_size() != ENTRIES:
        print(f"--examples {args.examples}: only {tokenizer.get_vocab_size()} entries came out; give more", file=sys.stderr)
        return 1
    tokenizer.save(str(out / "tokenizer.json"))
    template = (pathlib.Path(__file__).resolve().parent / "chat_template.jinja").read_text(encoding="utf-8")
    text = json.dumps(config(template, 4096), indent=2, ensure_ascii=False) + "\n"
    (out / "tokenizer_config.json").write_text(text, encoding="utf-8", newline="\n")
    print(f"{out}: {ENTRIES} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
