"""Seeded choices that give the same bytes on every machine.

Everything is built on random.Random(text).random(), whose stream Python promises to keep; the library's own
choice, sample and shuffle are not used. A Rand also carries the split, so that banks and word lists know which
of their entries may be drawn, and whether an example shall ask many questions.
"""
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Rand:
    """A stream of choices for one example."""

    __slots__ = ("dense", "heldout", "random")

    def __init__(self, key: str, heldout: bool, dense: bool = False):
        self.heldout = heldout
        self.dense = dense
        self.random = random.Random(key).random

    def below(self, count: int) -> int:
        """A number from 0 to count - 1."""
        return int(self.random() * count)

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        return self.random() < share

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.random() * len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` entries at different places of `items`, in random order."""
        order = list(items)
        for place in range(count):
            other = place + self.below(len(order) - place)
            order[place], order[other] = order[other], order[place]
        return order[:count]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return self.sample(items, len(items))
