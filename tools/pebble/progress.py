"""How a running training does on held-out questions, and the learning curve as CSV.

An answer counts when each of its tokens, the stop token too, is the likeliest after the right ones before it; then greedy
decoding writes exactly this answer. So one pass over the text scores it, and nothing is generated.
"""

import csv
import pathlib

import corpus
import torch
from data import Document, Encoder
from model import Pebble
from state import RunState
from torch import Tensor

SEED = 99_000_001  # of the questions below; neither training nor eval.py's default uses it
QUESTIONS = 24
LONG = (200, 500, 1000, 1500)


class DevSet:
    def __init__(self, encoder: Encoder) -> None:
        self.pad = encoder.pad
        self.documents: list[tuple[str, Document]] = []
        for split, count in (("heldout", QUESTIONS), ("train", QUESTIONS // 3)):
            for kind in corpus.SCORED_KINDS:
                made = (corpus.make_example(kind, SEED, index, split) for index in range(count))
                self.documents += [(f"{split} {kind}", encoder.document(example)) for example in made]
        for length in LONG:
            made = (corpus.make_example("long_recall", SEED, 1000 + index, "heldout", length) for index in range(QUESTIONS // 2))
            self.documents += [(f"at {length}", encoder.document(example)) for example in made]
        self.documents.sort(key=lambda pair: len(pair[1].ids))

    @torch.no_grad()
    def scores(self, model: Pebble, device: torch.device, tokens: int = 4096) -> dict[str, float]:
        """Right answers in per cent, by name."""
        right: dict[str, list[bool]] = {}
        rows: list[tuple[str, Document]] = []
        for pair in [*self.documents, None]:
            if rows and (pair is None or (len(rows) + 1) * len(pair[1].ids) > tokens):
                for (name, _), good in zip(rows, self._right(model, device, [row for _, row in rows]), strict=True):
                    right.setdefault(name, []).append(good)
                rows = []
            rows.append(pair)
        return {name: 100 * sum(goods) / len(goods) for name, goods in right.items()}

    def _right(self, model: Pebble, device: torch.device, rows: list[Document]) -> list[bool]:
        length = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), length), self.pad)
        spans: list[Tensor] = []
        for place, row in enumerate(rows):
            ids[place, : len(row.ids)] = torch.from_numpy(row.ids)
            spans.append(torch.arange(row.last_answer - 1, len(row.ids) - 1) + place * length)
        ids = ids.to(device)
        positions = torch.arange(length, device=device).expand_as(ids)
        likeliest = model.logits_at(ids, positions, torch.cat(spans).to(device)).argmax(-1).cpu()
        return [bool((part == torch.from_numpy(row.ids[row.last_answer:])).all())
                for part, row in zip(likeliest.split([len(span) for span in spans]), rows, strict=True)]

    @staticmethod
    def overall(scores: dict[str, float], split: str = "heldout") -> float:
        parts = [score for name, score in scores.items() if name.startswith(split)]
        return sum(parts) / len(parts)

    def line(self, scores: dict[str, float]) -> str:
        kinds = " ".join(f"{kind} {scores['heldout ' + kind]:.0f}/{scores['train ' + kind]:.0f}" for kind in corpus.SCORED_KINDS)
        far = " ".join(f"{length}:{scores[f'at {length}']:.0f}" for length in LONG)
        return f"{self.overall(scores):.1f} (train split {self.overall(scores, 'train'):.1f}): {kinds}; recall {far}"


class Curve:
    """One line a measurement, appended."""

    FIELDS = ("step", "tokens", "answer_tokens", "answer_loss", "heldout", "train_split", *corpus.SCORED_KINDS,
              *(f"recall_{length}" for length in LONG))

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        if not path.exists():
            self._write(self.FIELDS)

    def _write(self, row: tuple) -> None:
        with self.path.open("a", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerow(row)

    def add(self, state: RunState, loss: float, scores: dict[str, float]) -> None:
        parts = [scores[f"heldout {kind}"] for kind in corpus.SCORED_KINDS] + [scores[f"at {length}"] for length in LONG]
        shown = [f"{part:.1f}" for part in (DevSet.overall(scores), DevSet.overall(scores, "train"), *parts)]
        self._write((state.step, state.tokens, state.answer_tokens, f"{loss:.4f}", *shown))
