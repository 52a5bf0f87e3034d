"""Template banks and word lists, each cut into a train part and a held-out part that never mix.

A Bank is a block of text, one template a line; a leading "~" marks the held-out ones. Words is a list whose
held-out part is a fixed 15 %: the places 6, 13 and 19 of each 20. Both stand in a registry for --stats and the tests.
"""
from collections.abc import Iterable

from .rand import Rand

BANKS: dict[str, "Bank"] = {}
WORDS: dict[str, "Words"] = {}
_HELDOUT_PLACES = (6, 13, 19)


class Bank:
    """Sentence templates under one name."""

    __slots__ = ("heldout", "name", "train")

    def __init__(self, name: str, text: str):
        lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
        self.name = name
        self.train = tuple(line.replace("\\n", "\n") for line in lines if not line.startswith("~"))
        self.heldout = tuple(line[1:].replace("\\n", "\n") for line in lines if line.startswith("~"))
        if name in BANKS or not self.train or not self.heldout:
            raise ValueError(f"bank {name}: the name must be new, and both splits need a template (mark held-out ones with ~)")
        BANKS[name] = self

    def pick(self, rand: Rand) -> str:
        return rand.pick(self.heldout if rand.heldout else self.train)


class Words:
    """Words under one name; entries with a word of `common`, which templates hold too, stay in train."""

    __slots__ = ("heldout", "name", "train")

    def __init__(self, name: str, words: Iterable[str], common: str = ""):
        keep = dict.fromkeys(common.split())
        every = list(dict.fromkeys(words))
        self.name = name
        self.heldout = tuple(word for place, word in enumerate(every)
                             if place % 20 in _HELDOUT_PLACES and not any(part in keep for part in word.split()))
        apart = dict.fromkeys(self.heldout)
        self.train = tuple(word for word in every if word not in apart)
        WORDS[name] = self

    def of(self, rand: Rand) -> tuple[str, ...]:
        return self.heldout if rand.heldout else self.train

    def pick(self, rand: Rand) -> str:
        return rand.pick(self.heldout if rand.heldout else self.train)


def words_of(text: str) -> list[str]:
    """The comma separated entries of a block of text."""
    return [entry.strip() for entry in text.replace("\n", ",").split(",") if entry.strip()]
