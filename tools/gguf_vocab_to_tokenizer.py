#!/usr/bin/env python3
"""Turn the vocabulary inside a GGUF file into a tokenizer.json.

    tools/gguf_vocab_to_tokenizer.py MODEL.gguf OUT.json

Byte-level BPE ("gpt2") becomes BPE with the pre-tokenizer that the file names; SentencePiece ("llama") becomes BPE with
byte fallback, its merges recovered from the scores, as Transformers converts such models. Standard library only. It
reads metadata, never tensors, and knows the pre-tokenizers listed in PRE_TOKENIZERS.
"""

import json
import struct
import sys

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
# Token types of GGUF.
UNKNOWN, CONTROL, USER_DEFINED, BYTE = 2, 3, 4, 6


class Reader:
    """Sequential reads over the file's bytes; running past the end is an error, not a short answer."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if size < 0 or size > len(self.data) - self.at:
            raise ValueError(f"truncated GGUF: {size} bytes wanted at offset {self.at}")
        self.at += size
        return self.data[self.at - size:self.at]

    def scalar(self, kind):
        form = SCALARS[kind]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def string(self):
        return self.take(self.scalar(10)).decode("utf-8", errors="strict")

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.scalar(kind)
        item, count = self.scalar(4), self.scalar(10)
        if item in SCALARS:
            size = struct.calcsize(SCALARS[item])
            return list(struct.unpack(f"<{count}{SCALARS[item][1]}", self.take(size * count)))
        return [self.value(item) for _ in range(count)]


def read_metadata(path):
    with open(path, "rb") as file:
        reader = Reader(file.read())
    if reader.take(4) != b"GGUF":
        raise ValueError(f"{path}: not a GGUF file")
    version = reader.scalar(4)
    if version not in (2, 3):
        raise ValueError(f"{path}: GGUF version {version} is not supported")
    reader.scalar(10)  # number of tensors
    metadata = {}
    for _ in range(reader.scalar(10)):
        key = reader.string()
        metadata[key] = reader.value(reader.scalar(4))
    return metadata


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


# A GGUF file stores only the name of its pre-tokenizer; these are what the names stand for, in the terms of
# tokenizer.json. Each part splits further what the parts before it left whole.
PRE_TOKENIZERS = {
    "gpt-2": [byte_level(True)],
    "falcon": [
        {"type": "Punctuation", "behavior": "Contiguous"},
        byte_level(True),
        {"type": "Digits", "individual_digits": False},
        split("[0-9][0-9][0-9]"),
    ],
    "deepseek-llm": [
        split("[\r\n]"),
        split(r"\s?[\p{Lu}\p{Ll}\p{Lt}]+"),  # letters with case
        split("\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"),  # punctuation, its wide forms too
        split(r"\s+$"),
        split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),  # scripts without case or spaces
        {"type": "Digits", "individual_digits": True},
        byte_level(False),
    ],
}


def added_tokens(tokens, types):
    added = []
    for index, (content, kind) in enumerate(zip(tokens, types)):
        if kind in (CONTROL, USER_DEFINED) or (kind == UNKNOWN and content == "<unk>"):
            added.append({"id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": kind != USER_DEFINED})
    return added


def bos_template(metadata, tokens):
    """The post-processor that writes BOS in front, or None."""
    if not metadata.get("tokenizer.ggml.add_bos_token", False):
        return None
    index = metadata["tokenizer.ggml.bos_token_id"]
    bos = tokens[index]
    first = [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    second = [{"SpecialToken": {"id": bos, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": first, "pair": first + second,
            "special_tokens": {bos: {"id": bos, "ids": [index], "tokens": [bos]}}}


def merges_of_scores(tokens, types, scores):
    """Every way to join two pieces into a third; the piece with the best score merges first."""
    vocab = {token: index for index, token in enumerate(tokens)}
    merges = []
    for token, kind, score in zip(tokens, types, scores):
        if kind in (CONTROL, USER_DEFINED, UNKNOWN, BYTE):
            continue
        pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        pairs = [pair for pair in pairs if pair[0] in vocab and pair[1] in vocab]
        pairs.sort(key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
        merges.extend((score, pair) for pair in pairs)
    merges.sort(key=lambda merge: merge[0], reverse=True)  # stable: equal scores keep the order of ids
    return [list(pair) for _, pair in merges]


def bpe(tokens, merges, **options):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            **options, "vocab": {token: index for index, token in enumerate(tokens)}, "merges": merges}


def byte_level_parts(metadata, tokens):
    name = metadata.get("tokenizer.ggml.pre", "gpt-2")
    if name not in PRE_TOKENIZERS:
        raise ValueError(f"pre-tokenizer '{name}' is not known; known are {', '.join(PRE_TOKENIZERS)}")
    merges = [merge.split(" ") for merge in metadata["tokenizer.ggml.merges"]]
    return {"normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[name]},
            "decoder": byte_level(True),
            "model": bpe(tokens, merges)}


def sentencepiece_parts(metadata, tokens, types):
    space = "\u2581"
    unknown = tokens[metadata.get("tokenizer.ggml.unknown_token_id", 0)]
    normalizers = [{"type": "Replace", "pattern": {"String": " "}, "content": space}]
    decoders = [{"type": "Replace", "pattern": {"String": space}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}]
    if metadata.get("tokenizer.ggml.add_space_prefix", True):
        normalizers.insert(0, {"type": "Prepend", "prepend": space})
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    merges = merges_of_scores(tokens, types, metadata["tokenizer.ggml.scores"])
    return {"normalizer": {"type": "Sequence", "normalizers": normalizers},
            "pre_tokenizer": None,
            "decoder": {"type": "Sequence", "decoders": decoders},
            "model": bpe(tokens, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)}


def convert(metadata):
    kind = metadata.get("tokenizer.ggml.model")
    tokens = metadata["tokenizer.ggml.tokens"]
    types = metadata["tokenizer.ggml.token_type"]
    if kind == "gpt2":
        parts = byte_level_parts(metadata, tokens)
    elif kind == "llama":
        parts = sentencepiece_parts(metadata, tokens, types)
    else:
        raise ValueError(f"tokenizer model '{kind}' is not known; known are gpt2 and llama")
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens(tokens, types),
            "normalizer": parts["normalizer"], "pre_tokenizer": parts["pre_tokenizer"],
            "post_processor": bos_template(metadata, tokens), "decoder": parts["decoder"], "model": parts["model"]}


def main(arguments):
    if len(arguments) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    source, target = arguments
    tokenizer = convert(read_metadata(source))
    with open(target, "w", encoding="utf-8") as file:
        json.dump(tokenizer, file, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
