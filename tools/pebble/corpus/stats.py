"""What the corpus consists of: templates, names, objects, and for each kind its length and its variety.

Printed by make_corpus.py --stats. Tokens are estimated as 1.65 times the words of a story; the tokenizer is not needed here.
"""
from . import KINDS, make_example, nouns
from .bank import BANKS, WORDS

TOKENS_PER_WORD = 1.65
_SAMPLE = 300
_GRAM = 4


def _texts(kind: str, seed: int) -> list[str]:
    made = (make_example(kind, seed, index) for index in range(_SAMPLE))
    return [" ".join(message["content"] for message in example.messages) for example in made]


def _kind_row(kind: str, seed: int) -> str:
    texts = [text.split() for text in _texts(kind, seed)]
    words = sum(len(text) for text in texts)
    grams = {tuple(text[place:place + _GRAM]) for text in texts for place in range(len(text) - _GRAM + 1)}
    mean = words / len(texts)
    return f"{kind:<12}{mean:>10.0f}{mean * TOKENS_PER_WORD:>10.0f}{len(grams):>12}{len(grams) / words:>10.2f}"


def report(seed: int) -> str:
    """The whole table as text."""
    lines = [f"{'':<24}{'train':>8}{'held-out':>10}"]
    train = sum(len(bank.train) for bank in BANKS.values())
    heldout = sum(len(bank.heldout) for bank in BANKS.values())
    lines.append(f"{f'templates ({len(BANKS)} banks)':<24}{train:>8}{heldout:>10}")
    lines += [f"{name:<24}{len(words.train):>8}{len(words.heldout):>10}" for name, words in WORDS.items()]
    lines.append(f"{'things x adjectives':<24}" + "".join(
        f"{len(part) * len(nouns.ADJECTIVES):>{width}}" for part, width in ((nouns.THINGS.train, 8), (nouns.THINGS.heldout, 10))))
    lines.append(f"\nof {_SAMPLE} train examples of each kind, seed {seed}")
    lines.append(f"{'kind':<12}{'words':>10}{'tokens ~':>10}{'4-grams':>12}{'of words':>10}")
    return "\n".join(lines + [_kind_row(kind, seed) for kind in KINDS])
