"""Records as JSON and back: to_json (prose or lines -> compact JSON) and from_json (JSON -> a value or sentences).

A record has 2 to 5 keys; the question names the keys in the order in which they must stand.
"""
import json
import pathlib

from . import nouns
from .bank import Bank
from .chat import Turn
from .names import PETS, TOWNS, person
from .rand import Rand


def _number(rand: Rand) -> int:
    return rand.between(1, 99)


_DRAWS = {
    "person": person, "town": TOWNS.pick, "pet": PETS.pick, "number": _number, "thing": nouns.THINGS.pick,
    "animal": nouns.ANIMALS.pick, "food": nouns.FOODS.pick, "job": nouns.JOBS.pick, "colour": lambda rand: rand.pick(nouns.COLOURS),
    "day": lambda rand: rand.pick(nouns.DAYS), "month": lambda rand: rand.pick(nouns.MONTHS),
}


def _bank(name: str, lines: list[str]) -> Bank:
    return Bank(f"record {name}", "\n".join(lines))


def _read(text: str) -> tuple[dict, dict]:
    """(sort of record -> key -> (sort of value, sentences or None for the first key), sort of record -> first sentences)."""
    records, first = {}, {}
    for block in text.split("\n[")[1:]:
        head, *lines = block.strip().split("\n")
        sort, key, value = head.rstrip("]").split()
        starts = [place for place, line in enumerate(lines) if line.endswith(":")] + [len(lines)]
        first[sort] = _bank(sort, lines[:starts[0]])
        records[sort] = {key: (value, None)}
        for start, end in zip(starts, starts[1:]):
            key, value = lines[start].rstrip(":").split()
            records[sort][key] = (value, _bank(f"{sort} {key}", lines[start + 1:end]))
    return records, first


RECORDS, FIRST = _read(pathlib.Path(__file__).with_name("records_text.txt").read_text(encoding="utf-8"))
TO_JSON = Bank("to json", """
    {r}\\nWrite this as JSON with the keys {k}.
    Write this as JSON with the keys {k}.\\n{r}
    Turn this into JSON with the keys {k}.\\n{r}
    {r}\\nMake JSON with the keys {k}.
    Make JSON with the keys {k} from this:\\n{r}
    {r}\\nGive me this as JSON with the keys {k}.
    Record:\\n{r}\\nAs JSON with the keys {k}:
    {r}\\nWrite JSON. The keys are {k}.
    ~{r}\\nTurn this into JSON with the keys {k}.
    """)
FROM_JSON = Bank("from json", """
    {j}\\nWhat is the {k}?
    Look at this JSON: {j}\\nWhat is the {k}?
    {j}\\nGive me the {k}.
    {j}\\nTell me the {k}.
    What is the {k} in this JSON? {j}
    Read this record: {j}\\nWhat is the {k}?
    {j}\\nWhich value has the key {k}?
    Here is a record: {j}\\nWhich {k} does it have?
    ~Here is a record: {j}\\nWhat is the {k}?
    """)
SENTENCES = Bank("json sentences", """
    {j}\\nWrite this as sentences.
    Turn this JSON into sentences.\\n{j}
    Write this record as sentences: {j}
    {j}\\nTurn this into sentences.
    Say this in sentences: {j}
    {j}\\nMake sentences from this record.
    ~Write this JSON as sentences.\\n{j}
    """)


def compact(record: dict) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _record(rand: Rand) -> tuple[str, dict]:
    """(sort, record) with 2 to 5 keys in random order."""
    sort = rand.pick(tuple(RECORDS))
    first, *others = RECORDS[sort]
    keys = [first] + rand.sample(others, rand.between(1, 4))
    return sort, {key: _DRAWS[RECORDS[sort][key][0]](rand) for key in keys}


def _told(rand: Rand, sort: str, record: dict) -> str:
    """The record as prose or as lines."""
    first = next(iter(record))
    others = rand.shuffled(list(record)[1:])
    if rand.chance(0.4):
        return "\n".join(f"{nouns.capital(key)}: {record[key]}" for key in rand.shuffled(list(record)))
    text = [FIRST[sort].pick(rand).format(s=record[first], a=nouns.article(record[first]))]
    for key in others:
        value = str(record[key])
        text.append(RECORDS[sort][key][1].pick(rand).format(s=record[first], v=value, a=nouns.article(value)))
    return " ".join(text)


def to_json_turn(rand: Rand) -> Turn:
    sort, record = _record(rand)
    keys = rand.shuffled(list(record)) if rand.chance(0.3) else list(record)
    text = TO_JSON.pick(rand).format(r=_told(rand, sort, record), k=", ".join(keys))
    return Turn(text, compact({key: record[key] for key in keys}))


def from_json_turn(rand: Rand) -> Turn:
    _, record = _record(rand)
    keys = rand.shuffled(list(record))
    shown = compact({key: record[key] for key in keys})
    if rand.chance(0.3):
        return Turn(SENTENCES.pick(rand).format(j=shown), " ".join(f"The {key} is {record[key]}." for key in keys))
    key = rand.pick(keys)
    return Turn(FROM_JSON.pick(rand).format(j=shown, k=key), str(record[key]))
