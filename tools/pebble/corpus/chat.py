"""The shape of an example: chat messages, the tools on offer and the text that the last turn must be.

render_tool_call is the one place that fixes how a call is written; the chat template must print the same.
"""
import json
from dataclasses import dataclass

from .bank import Bank
from .rand import Rand

SYSTEM = Bank("system", """
    You are Pebble, a small helpful model.
    You are a helpful assistant.
    Answer shortly.
    Give short answers.
    You are Pebble. Answer the questions of the user.
    Read carefully and answer the question.
    ~You are Pebble, a helpful assistant. Give short answers.
    """)


@dataclass(frozen=True)
class Example:
    """`gold` is what the last assistant turn must be; `distance` counts the words between the fact and the question."""

    kind: str
    messages: list[dict]
    tools: list[dict] | None
    gold: str
    distance: int


@dataclass(frozen=True)
class Turn:
    """One thing the user says and the one right answer."""

    user: str
    gold: str


def render_tool_call(name: str, arguments: dict) -> str:
    """The text that the model emits for a call."""
    call = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>{call}</tool_call>"


def chat(rand: Rand, turns: list[Turn]) -> list[dict]:
    """Messages of the turns, sometimes behind a system message."""
    messages = [{"role": "system", "content": SYSTEM.pick(rand)}] if rand.chance(0.2) else []
    for turn in turns:
        messages += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.gold}]
    return messages


def example(kind: str, rand: Rand, turns: list[Turn], distance: int = 0) -> Example:
    return Example(kind, chat(rand, turns), None, turns[-1].gold, distance)
