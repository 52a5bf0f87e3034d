"""The corpus of pebble: examples that are pure functions of (kind, seed, index, split, length).

make_corpus.py writes them to files, train.py and eval.py draw them directly. The train and the held-out split share
no template of any bank and no name or noun of any open word list.
"""
from . import drills, free_story, kinds_chat, kinds_exact, kinds_json, kinds_story, kinds_tools, small_talk
from .chat import Example, Turn, example, render_tool_call
from .rand import Rand

_TURNS = {
    "list": kinds_exact.list_turn, "arithmetic": kinds_exact.arithmetic_turn, "sort": kinds_exact.sort_turn,
    "count": kinds_exact.count_turn, "to_json": kinds_json.to_json_turn, "from_json": kinds_json.from_json_turn,
    "format": kinds_exact.format_turn, "small_talk": small_talk.any_turn,
}
_CHATS = {
    "story_qa": kinds_story.story_qa, "long_recall": kinds_story.long_recall, "multi_turn": kinds_chat.multi_turn,
    "tool_call": kinds_tools.tool_call, "unknown": kinds_story.unknown, "story": free_story.free,
    "list_drill": drills.list_drill, "count_drill": drills.count_drill, "crowd_drill": drills.crowd_drill,
}
KINDS = ("story_qa", "long_recall", "list", "arithmetic", "sort", "count", "to_json", "from_json", "format", "multi_turn",
         "tool_call", "unknown", "small_talk", "story", "list_drill", "count_drill", "crowd_drill")
SCORED_KINDS = KINDS[:13]  # a free story has no single right wording, and drills ask what other kinds ask
SPLITS = ("train", "heldout")

__all__ = ["KINDS", "SCORED_KINDS", "SPLITS", "Example", "make_example", "render_tool_call"]


def _short(kind: str, rand: Rand) -> Example:
    """One to six turns; the last is of `kind`, most of the others too."""
    earlier = 0 if rand.chance(0.35) else rand.between(1, 5)
    turns: list[Turn] = []
    for _ in range(earlier):
        turns.append(_TURNS[kind if rand.chance(0.6) else rand.pick(tuple(_TURNS))](rand))
    return example(kind, rand, turns + [_TURNS[kind](rand)])


def make_example(kind: str, seed: int, index: int, split: str = "train", length: int | None = None,
                 dense: bool = False) -> Example:
    """The example of this kind, seed and index.

    `length` sets the distance of a long_recall in tokens; `dense` asks many questions about each story, so that a
    training learns more from the tokens it reads.
    """
    if kind not in KINDS or split not in SPLITS:
        raise ValueError(f"kind {kind!r} and split {split!r} must be of {KINDS} and {SPLITS}")
    rand = Rand(f"pebble/{kind}/{seed}/{index}/{split}/{length}{'/dense' * dense}", split == "heldout", dense)
    if kind in _TURNS:
        return _short(kind, rand)
    return _CHATS[kind](rand, length)
