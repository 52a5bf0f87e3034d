"""The tools that can be offered: names, parameters, the requests that ask for them and what they return.

They stand in tools_text.txt. A tool has several names and its parameters too, so that a model must copy them from the offer.
"""
import pathlib
from dataclasses import dataclass

from .bank import Bank, words_of

OKAY = "ok"


@dataclass(frozen=True)
class Tool:
    names: Bank
    about: str
    parameters: dict[str, tuple[Bank, str]]  # slot -> (names, sort of value)
    requests: Bank
    results: Bank | None  # None: the tool only says that it is done


def _bank(name: str, entries: str) -> Bank:
    return Bank(f"tool {name}", "\n".join(words_of(entries)))


def _read(text: str) -> tuple[Tool, ...]:
    """Blocks "[key]", then "names:", "about:", "slot sort:" and "result:" lines, then the requests."""
    found = []
    for block in text.split("\n[")[1:]:
        key, *lines = block.strip().split("\n")
        key = key.rstrip("]")
        fields = [line[1:].split(": ", 1) for line in lines if line.startswith(":")]
        requests = [line for line in lines if not line.startswith(":")]
        given = dict(fields)
        names, about, results = given.pop("names"), given.pop("about"), given.pop("result", None)
        parameters = {}
        for field, entries in given.items():
            slot, sort = field.split()
            parameters[slot] = (_bank(f"{key} {slot}", entries), sort)
        found.append(Tool(_bank(f"{key} names", names), about, parameters, Bank(f"tool {key} requests", "\n".join(requests)),
                          RESULTS[results] if results else None))
    return tuple(found)


RESULTS = {
    "weather": Bank("result weather", """
        sunny, {n} degrees
        rain, {n} degrees
        cloudy, {n} degrees
        snow, {n} degrees
        windy, {n} degrees
        ~windy, sunny, {n} degrees
        """),
    "code": Bank("result code", """
        the number is {n}
        ready, number {n}
        the code is {n}
        done, the code is {n}
        ~ready, the code is {n}
        """),
    "day": Bank("result day", """
        ready on {d}
        it will be ready on {d}
        possible on {d}
        free on {d}
        ~it is free on {d}
        """),
    "name": Bank("result name", """
        ask {P}
        {P} will do it
        {P} knows more
        {P} will come
        ~{P} knows it
        """),
}
TOOLS = _read(pathlib.Path(__file__).with_name("tools_text.txt").read_text(encoding="utf-8"))
