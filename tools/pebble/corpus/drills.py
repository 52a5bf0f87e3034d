"""Drills: many short questions about one list or one crowd of people, for training only.

A list question of its own brings a new list for one answer; here each further answer costs a dozen tokens. What is asked is
what the kinds `list`, `count` and `long_recall` ask: a long story is hard for its many people, not for its length.
"""
from . import kinds_exact, kinds_story, story
from .bank import Bank
from .chat import Example, Turn, example
from .rand import Rand
from .relations import RELATIONS
from .world import World

OPENINGS = Bank("drill openings", """
    {l}\\n{q}
    Here is a list: {l}\\n{q}
    Look at this list: {l}\\n{q}
    I have a list: {l}\\n{q}
    ~This is a list: {l}\\n{q}
    """)
HOW_MANY = Bank("drill how many", """
    How many items are in the list?
    How many items does the list have?
    Count the items of the list.
    How long is the list?
    ~What is the number of items?
    """)
HOW_OFTEN = Bank("drill how often", """
    How often does the word {x} stand in the list?
    How many times is {x} in the list?
    Count the word {x}.
    How often is {x} there?
    ~How many times does the list say {x}?
    """)


def _drill(kind: str, rand: Rand, shown: str, questions: list[Turn]) -> Example:
    first = Turn(OPENINGS.pick(rand).format(l=shown, q=questions[0].user), questions[0].gold)
    return example(kind, rand, [first, *questions[1:]])


def list_drill(rand: Rand, length: int | None) -> Example:
    items = kinds_exact.items(rand, rand.between(3, 7))
    questions = [kinds_exact.list_question(rand, items) for _ in range(rand.between(3, 7))]
    if rand.chance(0.5):
        questions[rand.below(len(questions))] = Turn(HOW_MANY.pick(rand), kinds_exact.counted_all(items))
    return _drill("list_drill", rand, kinds_exact.shown(rand, items), questions)


def count_drill(rand: Rand, length: int | None) -> Example:
    listed = kinds_exact.coloured(rand, 7)
    sorts = dict.fromkeys(item.split(" ", 1)[1] for item in listed)
    questions = [Turn(HOW_OFTEN.pick(rand).format(x=noun), kinds_exact.counted(listed, noun)) for noun in sorts]
    questions.append(Turn(HOW_MANY.pick(rand), kinds_exact.counted_all(listed)))
    return _drill("count_drill", rand, kinds_exact.shown(rand, listed), rand.shuffled(questions))


def crowd_drill(rand: Rand, length: int | None) -> Example:
    """Many people, each with the same few relations, asked about in both directions, or only who it was.

    Whose value it is takes most to learn: the name stands before the value and must be found from behind.
    """
    world = World(rand)
    world.add_people(rand.between(3, 14))
    only_who = rand.chance(0.6)
    relations = rand.sample([relation for relation in RELATIONS if "who" in relation.asks or not only_who], rand.between(1, 4))
    for name in world.people:
        for relation in relations:
            if rand.chance(0.7):
                world.fact(name, relation)
    if not world.facts:
        world, only_who = story.small_world(rand, 6, 8), False
    told = story.tell(world, story.sentences(world, story.shuffled_facts(world), rand.pick((0.0, 0.0, 0.2))))
    asked = [(fact, ask) for fact in world.facts for ask in fact.asks() if ask == "who" or not only_who]
    asked = rand.shuffled(asked)[: rand.between(8, 24)]
    questions = [Turn(fact.question(ask, rand), fact.answers[ask]) for fact, ask in asked]
    return example("crowd_drill", rand, kinds_story.story_turns(rand, told.text, questions))
