"""From examples of the corpus to batches of token ids: what is read, what is learned from, and at which positions.

An example becomes the ids that the chat template would give (a test holds the two together) and a mask over them: 1 where an
assistant turn is written, its stop token included. Documents never share a row, so no attention crosses them; rows of like
length make a micro-batch, micro-batches of all lengths a window, and two of like cost stand side by side in it for a step. A
stream is a function of its seed: a document's number fixes it, so a run goes on from (first document of the window,
micro-batches done).
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import corpus
import numpy as np
from corpus import Example
from renaming import renamed
from tokenizers import Tokenizer

WINDOW_TOKENS = 1 << 17
PLACES_MULTIPLE = 128
NOTHING = -100  # a target that cross_entropy passes over
CONTEXT = 4096
# Documents of each kind per 1,000, chosen so that tokens and difficulty are shared out.
MIX = {"story_qa": 150, "long_recall": 40, "list": 80, "arithmetic": 120, "sort": 70, "count": 60, "to_json": 90, "from_json": 25,
       "format": 70, "multi_turn": 90, "tool_call": 160, "unknown": 90, "small_talk": 10, "story": 10, "list_drill": 40,
       "count_drill": 30, "crowd_drill": 150}
# From this many tokens seen on: the longest distance of long_recall, and how many of its documents per 1,000.
LENGTHS = ((0, 80, 20), (1_200_000, 200, 40), (3_000_000, 500, 50), (16_000_000, 1000, 40), (24_000_000, 1600, 90),
           (45_400_000, 1600, 70), (56_000_000, 1600, 100))
# From this many tokens seen on: weight of noise to copy, beside the 1,000 above.
COPIES = ((0, 300), (1_600_000, 40))
CONTEXT_SHARE = 0.12  # of the tokens that no assistant wrote, this share is learned from, drawn anew for each document
DENSE = 0.7  # this share of stories is asked many questions
STRETCHED = 0.3  # this share of documents has jumps in its positions, so that distances are seen before they are paid for


@dataclass(frozen=True)
class Document:
    ids: np.ndarray
    answer: np.ndarray  # bool: written by the assistant
    kind: str
    last_answer: int  # where the last assistant turn begins


@dataclass(frozen=True)
class Batch:
    """Row-major; `places` are the flat indices whose next token is learned, with their targets and whether answers.

    Places are filled up to a round number; the targets of those that fill are NOTHING.
    """

    ids: np.ndarray
    positions: np.ndarray
    places: np.ndarray
    targets: np.ndarray
    is_answer: np.ndarray

    @property
    def tokens(self) -> int:
        return int(self.ids.size)


class Encoder:
    """Examples to ids, with the markers of the chat template."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.bos, self.end, self.pad = (tokenizer.token_to_id(name) for name in ("<|bos|>", "<|end|>", "<|pad|>"))
        # What made-up words are made of: entries of the vocabulary that are letters only.
        self.pieces = sorted(entry for entry in tokenizer.get_vocab() if entry.isascii() and entry.isalpha() and entry.islower()
                             and len(entry) <= 6)
        self.roles = {role: tokenizer.token_to_id(f"<|{role}|>") for role in ("system", "user", "assistant", "tool", "tools")}

    def _text(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    @staticmethod
    def _tool_line(tool: dict) -> str:
        function = tool["function"]
        parameters = ", ".join(f"{name}: {schema['type']}" for name, schema in function["parameters"]["properties"].items())
        return f"{function['name']}({parameters}) {function['description']}"

    def document(self, example: Example) -> Document:
        ids, answer, last = [self.bos], [False], 0
        turns = [(message["role"], self._said(message)) for message in example.messages]
        if example.tools:
            turns.insert(int(turns[0][0] == "system"), ("tools", "\n".join(map(self._tool_line, example.tools))))
        for role, text in turns:
            said = [*self._text(text), self.end]
            if role == "assistant":
                last = len(ids) + 1
            ids += [self.roles[role], *said]
            answer += [False, *[role == "assistant"] * len(said)]
        return Document(np.array(ids, np.int64), np.array(answer), example.kind, last)

    def copies(self, draw: random.Random) -> Document:
        """Noise in which spans come back: nothing but looking back tells how one goes on. Learned from: all but its start."""
        vocabulary = self.tokenizer.get_vocab_size()
        pool = [draw.randrange(vocabulary) for _ in range(draw.choice((20, 100, 1000)))]
        size = draw.randint(60, 160)
        ids, answer = [self.bos], [False]
        while len(ids) < size:
            fresh = len(ids) < 12 or draw.random() < 0.3
            span = draw.randint(3, 20)
            at = 0 if fresh else draw.randrange(1, len(ids) - 2)
            again = [draw.choice(pool) for _ in range(span)] if fresh else ids[at : at + span]
            ids += again
            answer += [not fresh and place >= 2 for place in range(len(again))]
        return Document(np.array(ids, np.int64), np.array(answer), "copy", 1)

    @staticmethod
    def _said(message: dict) -> str:
        calls = (call["function"] for call in message.get("tool_calls") or [])
        return (message["content"] or "") + "".join(corpus.render_tool_call(call["name"], call["arguments"]) for call in calls)


def row_length(size: int) -> int:
    """The size rounded up to one of a few dozen lengths: kernels are made once per shape, so few shapes may occur."""
    step = 8
    while size > 16 * step:
        step *= 2
    return -(-size // step) * step


def stretched(length: int, draw: random.Random) -> np.ndarray:
    """Positions 0, 1, ... with up to three jumps that keep the last one inside the context."""
    positions = np.arange(length)
    room = CONTEXT - length
    for _ in range(draw.randint(1, 3)):
        if room > 8:
            jump = int(math.exp(draw.uniform(0, math.log(room))))
            positions[draw.randrange(1, length):] += jump
            room -= jump
    return positions


def in_pairs(batches: list[Batch], draw: random.Random) -> list[Batch]:
    """In random order, but two of like cost side by side: the passes of a step wait for each other."""
    batches = sorted(batches, key=lambda batch: batch.tokens * (1 + batch.ids.shape[1] / CONTEXT))
    pairs = [batches[first : first + 2] for first in range(0, len(batches), 2)]
    odd = [pairs.pop()] if len(batches) % 2 else []
    draw.shuffle(pairs)
    return sum(pairs + odd, [])


class Stream:
    """The endless training data of one seed."""

    def __init__(self, encoder: Encoder, seed: int, mix: dict[str, float] | None = None, micro_tokens: int = 4096) -> None:
        self.encoder, self.seed, self.micro_tokens = encoder, seed, micro_tokens
        self.mix = {**MIX, **(mix or {})}

    def document(self, number: int, tokens_seen: int) -> tuple[Document, random.Random]:
        draw = random.Random(f"pebble stream {self.seed} {number}")
        _, longest, share = [row for row in LENGTHS if row[0] <= tokens_seen][-1]
        _, copies = [row for row in COPIES if row[0] <= tokens_seen][-1]
        mix = {**self.mix, "long_recall": share, "copy": copies}
        kind = draw.choices(list(mix), list(mix.values()))[0]
        if kind == "copy":
            return self.encoder.copies(draw), draw
        length = int(math.exp(draw.uniform(math.log(40), math.log(longest)))) if kind == "long_recall" else None
        if kind == "long_recall" and draw.random() < 0.3:
            length = longest
        example = corpus.make_example(kind, self.seed, number, "train", length, draw.random() < DENSE)
        return self.encoder.document(renamed(example, self.encoder.pieces, draw)), draw

    def window(self, first: int, tokens_seen: int) -> tuple[list[Batch], int]:
        """The micro-batches of the documents from number `first` on, and the number after the last."""
        documents, tokens, number = [], 0, first
        while tokens < WINDOW_TOKENS:
            documents.append(self.document(number, tokens_seen))
            tokens += len(documents[-1][0].ids)
            number += 1
        documents.sort(key=lambda pair: -len(pair[0].ids))
        batches = [self.batch(rows) for rows in self._rows(documents)]
        return in_pairs(batches, random.Random(f"pebble order {self.seed} {first}")), number

    def _rows(self, documents: list) -> Iterator[list]:
        """Cuts documents, sorted by falling length, into rows that fill a micro-batch; only the last has fewer."""
        while documents:
            count = max(1, self.micro_tokens // row_length(len(documents[0][0].ids)))
            yield documents[:count]
            documents = documents[count:]

    def batch(self, rows: list[tuple[Document, random.Random]]) -> Batch:
        length = row_length(max(len(document.ids) for document, _ in rows))
        ids = np.full((len(rows), length), self.encoder.pad, np.int64)
        positions = np.tile(np.arange(length), (len(rows), 1))
        learned = np.zeros((len(rows), length), bool)
        answer = np.zeros((len(rows), length), bool)
        for row, (document, draw) in enumerate(rows):
            size = len(document.ids)
            ids[row, :size] = document.ids
            answer[row, : size - 1] = document.answer[1:]
            pick = np.random.default_rng(draw.getrandbits(64)).random(size - 1) < CONTEXT_SHARE
            learned[row, : size - 1] = document.answer[1:] | pick
            if size > 40 and draw.random() < STRETCHED:
                positions[row, :size] = stretched(size, draw)
        places = np.flatnonzero(learned)
        missing = -len(places) % PLACES_MULTIPLE
        targets = np.roll(ids, -1, axis=1).reshape(-1)[places]
        targets = np.concatenate([targets, np.full(missing, NOTHING)])
        places = np.concatenate([places, np.zeros(missing, places.dtype)])
        is_answer = answer.reshape(-1)[places] & (targets != NOTHING)
        return Batch(ids, positions, places, targets, is_answer)
