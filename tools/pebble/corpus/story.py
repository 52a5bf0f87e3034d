"""Puts the facts of a world into the text of a story, in one of six styles, with sentences that state no fact between.

A Told story remembers where each fact stands, so that the distance to a question can be counted in words.
"""
from dataclasses import dataclass

from . import fillers, nouns
from .names import TOWNS, person
from .rand import Rand
from .relations import RELATIONS
from .world import Fact, World, pronoun


PRONOUNS = 0.25  # of the sentences about the person of the sentence before


@dataclass(frozen=True)
class Told:
    text: str
    ends: dict[int, int]  # index of the fact in its world -> words of the text after its sentence


def filler(world: World) -> str:
    """A sentence without a fact; it may name people of the world."""
    rand = world.rand
    if rand.chance(0.5) or len(world.people) < 2:
        return fillers.SCENE.pick(rand)
    first, second = rand.sample(world.people, 2)
    return fillers.PEOPLE.pick(rand).format(P=first, Q=second)


def fact_sentence(fact: Fact, rand: Rand, same_person: bool) -> str:
    """The fact as a sentence; a pronoun may stand for the person of the sentence before."""
    template = fact.statement(rand)
    starts = template.startswith("{P} ")
    slots = fact.slots
    if starts and same_person and template.count("{P}") == 1 and rand.chance(PRONOUNS):
        return template.format(**(slots | {"P": pronoun(fact.person)}))
    text = template.format(**slots)
    if starts and rand.chance(0.25):
        lead = (fillers.LEAD_PAST if fact.relation.past else fillers.LEAD_NOW).pick(rand)
        return f"{lead} {text}"
    return text


def sentences(world: World, facts: list[tuple[int, Fact]], filler_share: float) -> list[tuple[int, str]]:
    """(index of the fact or -1, sentence) in the order of `facts`, with fillers between."""
    rand = world.rand
    told = []
    before = ""  # whom "he" or "she" would mean
    for index, fact in facts:
        while rand.chance(filler_share):
            told.append((-1, filler(world)))
            before = ""
        told.append((index, fact_sentence(fact, rand, before == fact.person)))
        before = "" if "person" in fact.relation.values else fact.person
    return told


def tell(world: World, told: list[tuple[int, str]]) -> Told:
    """The sentences in a style, with its opening and closing."""
    rand, people = world.rand, world.people
    style = rand.pick(fillers.STYLES)
    speakers = [world.fresh(person), world.fresh(person)]
    slots = {"P": people[0], "Q": people[-1], "N": speakers[0], "T": world.fresh(TOWNS.pick), "n": rand.between(2, 99)}
    names_two = len(people) > 1
    opening = fillers.OPENINGS[style].pick(rand)
    while "{Q}" in opening and not names_two:
        opening = fillers.OPENINGS["fairy"].pick(rand)
    parts = [(-1, opening.format(**slots))]
    for place, (index, sentence) in enumerate(told):
        if style == "dialogue" and place % 2 == 0:
            sentence = f"\n{speakers[place // 2 % 2]}: {sentence}"
        elif style == "report":
            sentence = f"\n- {sentence}"
        elif place % 8 == 0:
            sentence = ("\n" if place or style == "letter" else " ") + sentence
        else:
            sentence = " " + sentence
        parts.append((index, sentence))
    closing = fillers.CLOSINGS[style].pick(rand).format(**(slots | {"N": speakers[1]}))
    parts.append((-1, ("\n" if style in ("dialogue", "report", "letter") else " ") + closing))
    ends, after = {}, 0
    for index, part in reversed(parts):
        if index >= 0:
            ends[index] = after
        after += len(part.split())
    return Told("".join(part for _, part in parts), ends)


def shuffled_facts(world: World) -> list[tuple[int, Fact]]:
    """The facts in an order that keeps those of a person together half of the time."""
    numbered = world.rand.shuffled(list(enumerate(world.facts)))
    if world.rand.chance(0.5):
        order = {name: place for place, name in enumerate(dict.fromkeys(fact.person for _, fact in numbered))}
        numbered.sort(key=lambda pair: order[pair[1].person])
    return numbered


def small_world(rand: Rand, people: int, facts: int) -> World:
    world = World(rand)
    world.add_people(people)
    for _ in range(facts * 3):
        if len(world.facts) == facts:
            break
        world.random_fact()
    return world


def rival_world(rand: Rand) -> World:
    """Some people of whom nearly the same is told, so that a question is answered by person and by nothing else."""
    world = World(rand)
    world.add_people(rand.between(3, 7))
    relations = rand.sample(RELATIONS, rand.between(2, 3))
    for name in world.people:
        for relation in relations:
            if rand.chance(0.75):
                world.fact(name, relation)
    return world if world.facts else small_world(rand, 3, 6)


def short_story(world: World) -> Told:
    """The story of a small world."""
    told = sentences(world, shuffled_facts(world), world.rand.pick((0.0, 0.2, 0.4)))
    return tell(world, told)
