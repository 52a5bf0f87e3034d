"""Other words for the same example: names and nouns that no list holds, identifiers that no tool has.

A model that has seen a noun a thousand times names it by heart and cannot copy one it has not seen. Here a word becomes a made-up
one wherever it stands in an example, so that only copying helps. The first letter stays: order and articles depend on it.
For training only; evaluation uses the corpus as it is.
"""

import dataclasses
import json
import random
import re

import corpus
from corpus import Example
from corpus.bank import BANKS, WORDS

RENAMED = 0.5  # this share of documents gets made-up words
EACH = 0.6  # of the words that may be replaced in one
KEPT_KINDS = ("arithmetic", "small_talk", "story")  # whose nouns are a part of their sentences
_WORD = re.compile(r"[A-Za-z]+")
_WHOLE = re.compile(r"\b[A-Za-z]+\b")
_FIXED = frozenset(word.lower() for bank in BANKS.values() for template in bank.train + bank.heldout
                   for word in _WORD.findall(template))
_OPEN = frozenset(part for words in WORDS.values() for word in words.train for part in _WORD.findall(word)
                  if len(part) > 2 and part.lower() not in _FIXED)


def made_up(word: str, pieces: list[str], draw: random.Random) -> str:
    """One to three pieces behind the word's first letter."""
    made = word[0] + "".join(draw.choice(pieces) for _ in range(draw.choice((1, 1, 2, 2, 3))))
    return made[:14]


def _replaced(value, table: dict[str, str]):
    """The same JSON value with whole words replaced in all its texts and keys."""
    text = json.dumps(value, ensure_ascii=False)
    # An escaped line break before a word is no letter of it.
    parts = re.split(r"(\\.)", text)
    return json.loads("".join(part if part.startswith("\\") else _WHOLE.sub(lambda m: table.get(m[0], m[0]), part)
                              for part in parts))


def _identifiers(tools: list[dict], pieces: list[str], draw: random.Random) -> dict[str, str]:
    """Some functions and parameters with a made-up word before or behind."""
    table = {}
    for tool in tools:
        function = tool["function"]
        for name in (function["name"], *function["parameters"]["properties"]):
            if draw.random() < EACH:
                word = "".join(draw.choice(pieces) for _ in range(draw.choice((1, 2))))
                table[name] = f"{name}_{word}" if draw.random() < 0.5 else f"{word}_{name}"
    return table


def _renamed_identifiers(example: Example, table: dict[str, str]) -> Example:
    def arguments(given: dict) -> dict:
        return {table.get(key, key): value for key, value in given.items()}

    tools = json.loads(json.dumps(example.tools))
    messages = json.loads(json.dumps(example.messages))
    for tool in tools:
        function = tool["function"]
        function["name"] = table.get(function["name"], function["name"])
        function["parameters"]["properties"] = arguments(function["parameters"]["properties"])
        function["parameters"]["required"] = list(function["parameters"]["properties"])
    for message in messages:
        for call in message.get("tool_calls") or []:
            function = call["function"]
            function["name"] = table.get(function["name"], function["name"])
            function["arguments"] = arguments(function["arguments"])
    return dataclasses.replace(example, messages=messages, tools=tools)


def renamed(example: Example, pieces: list[str], draw: random.Random) -> Example:
    """The example, or the same with made-up words. Its `gold` follows the last message."""
    if example.kind in KEPT_KINDS or draw.random() >= RENAMED:
        return example
    found = dict.fromkeys(_WHOLE.findall(json.dumps(example.messages).replace("\\n", " ")))
    table = {word: made_up(word, pieces, draw) for word in found if word in _OPEN and draw.random() < EACH}
    example = dataclasses.replace(example, messages=_replaced(example.messages, table))
    if example.tools:
        example = _renamed_identifiers(example, _identifiers(example.tools, pieces, draw))
    last = example.messages[-1]
    calls = last.get("tool_calls")
    gold = corpus.render_tool_call(*calls[0]["function"].values()) if calls else last["content"]
    return dataclasses.replace(example, gold=gold)
