#!/usr/bin/env python3
"""Write a tokenizer of plain bytes for tiny test models.

    tools/make_byte_tokenizer.py OUT_DIR

OUT_DIR gets tokenizer.json and tokenizer_config.json (with a chat template). Id i is byte i for i < 256, then come the
special tokens in the order of SPECIALS; a model needs a vocabulary of at least 261, ids above have no token.
"""

import json
import os
import sys

SPECIALS = ["<|bos|>", "<|eos|>", "<|system|>", "<|user|>", "<|assistant|>"]

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('role ' + message['role'] + ' is not supported') }}"
    "{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def byte_characters():
    """The printable characters that stand for bytes in byte-level tokenizers."""
    characters, extra = [], 0
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xFF and byte != 0xAD:
            characters.append(chr(byte))
        else:
            characters.append(chr(0x100 + extra))
            extra += 1
    return characters


def tokenizer():
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    added = [{"id": 256 + index, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for index, content in enumerate(SPECIALS)]
    bos = SPECIALS[0]
    single = [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = single + [{"Sequence": {"id": "B", "type_id": 1}}]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": byte_level,
            "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair,
                               "special_tokens": {bos: {"id": bos, "ids": [256], "tokens": [bos]}}},
            "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {character: byte for byte, character in enumerate(byte_characters())}, "merges": []}}


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    os.makedirs(arguments[0], exist_ok=True)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIALS[0], "eos_token": SPECIALS[1],
              "clean_up_tokenization_spaces": False, "chat_template": CHAT_TEMPLATE}
    for name, content in (("tokenizer.json", tokenizer()), ("tokenizer_config.json", config)):
        with open(os.path.join(arguments[0], name), "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
