"""What a fact of a story is: its relation, the statements and questions of that, and how the answer is worded.

The templates themselves stand in relations_text.txt. Slots: {P} the person; {a} the first value as a sentence needs it
("a red kite", "under the table", "Tolmar"); {the} its definite form; {b} and {theb} the same for a second value.
The wording of an answer depends on the sort of value alone, so a question has one right answer in one right wording.
"""
import pathlib
from dataclasses import dataclass

from .bank import Bank

UNKNOWN = "I do not know."
# The answer for each sort of value; {v} is the sentence form, {V} the same with a capital.
ANSWERS = {
    "thing": "{V}.", "place": "{V}.", "town": "In {v}.", "job": "{V}.", "food": "{V}.", "colour": "{V}.", "day": "On {v}.",
    "month": "In {v}.", "person": "It was {v}.", "number": "{v}", "pet": "The name is {v}.", "animal": "{V}.",
    "secret": "The word is {v}.", "instrument": "{V}.",
}
_ASKS = ("first", "second", "who")


@dataclass(frozen=True)
class Relation:
    """`asks` maps what is asked ("first", "second" or "who") to its bank; `group`: a person has one fact of a group."""

    name: str
    group: str
    values: tuple[str, ...]
    past: bool  # told as an event, so "Later, ..." may stand before it
    say: Bank
    asks: dict[str, Bank]


def _read(text: str) -> tuple[Relation, ...]:
    """Blocks "[name group tense value ...]", statements, then questions under "first:", "second:" and "who:"."""
    found = []
    for block in text.split("\n[")[1:]:
        head, *lines = block.strip().split("\n")
        name, group, tense, *values = head.rstrip("]").split()
        parts: dict[str, list[str]] = {"say": []}
        current = "say"
        for line in lines:
            if line.rstrip(":") in _ASKS:
                current = line.rstrip(":")
                parts[current] = []
            else:
                parts[current].append(line)
        banks = {part: Bank(f"{name} {part}", "\n".join(templates)) for part, templates in parts.items()}
        say = banks.pop("say")
        found.append(Relation(name, group, tuple(values), tense == "past", say, banks))
    return tuple(found)


RELATIONS = _read(pathlib.Path(__file__).with_name("relations_text.txt").read_text(encoding="utf-8"))
EVENTS = tuple(relation for relation in RELATIONS if relation.past)
