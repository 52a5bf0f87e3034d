"""What eval.py counts: exact matches by kind, the majority baseline, stops and lengths, and recall by distance.

Knows neither engine nor model: questions and answers in, a table as text out.
"""

import collections
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    text: str
    tokens: int  # generated, the stop token not counted
    stopped: bool  # by itself, before the longest answer


@dataclass(frozen=True)
class Question:
    id: str
    kind: str
    messages: list[dict]
    tools: list[dict] | None
    gold: str
    length: int | None  # of long_recall: how far back the fact stands, in tokens

    def right(self, answer: Answer) -> bool:
        return answer.text.strip() == self.gold.strip()


def majority(questions: list[Question]) -> int:
    """How many of them the most frequent right answer would answer."""
    return max(collections.Counter(question.gold for question in questions).values())


def _percent(part: float, whole: int) -> float:
    return 100 * part / whole


def _row(name: str, questions: list[Question], answers: dict[str, Answer], baseline: int) -> str:
    got = [answers[question.id] for question in questions]
    count = len(questions)
    right = sum(question.right(answer) for question, answer in zip(questions, got, strict=True))
    return (f"{name:<18}{count:>10}{_percent(right, count):>9.1f}{_percent(baseline, count):>10.1f}"
            f"{_percent(sum(answer.stopped for answer in got), count):>9.1f}{sum(answer.tokens for answer in got) / count:>8.1f}")


def overall(questions: list[Question], answers: dict[str, Answer]) -> float:
    return _percent(sum(question.right(answers[question.id]) for question in questions), len(questions))


def report(questions: list[Question], answers: dict[str, Answer]) -> str:
    """The table; `all` has the baseline of one fixed answer per kind."""
    kinds: dict[str, list[Question]] = {}
    for question in questions:
        kinds.setdefault(question.kind, []).append(question)
    lines = [f"{'kind':<18}{'questions':>10}{'right %':>9}{'majority':>10}{'stopped':>9}{'tokens':>8}"]
    lines += [_row(kind, asked, answers, majority(asked)) for kind, asked in kinds.items()]
    lines.append(_row("all", questions, answers, sum(majority(asked) for asked in kinds.values())))
    far = sorted({question.length for question in questions if question.length is not None})
    if far:
        lines.append("")
    for length in far:
        asked = [question for question in questions if question.length == length]
        lines.append(_row(f"recall at {length}", asked, answers, majority(asked)))
    return "\n".join([*lines, "", f"overall {overall(questions, answers):.2f} %"])
