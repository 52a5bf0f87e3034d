"""The facts behind a story, drawn so that no question about them has two answers.

A person has at most one fact of each relation group, and every value that can be asked back ("Who has ...?") is
used once. What nobody stated can be asked too; its answer is that the model does not know.
"""
from dataclasses import dataclass, field

from . import nouns
from .names import GENDER, PETS, SECRETS, TOWNS, person
from .rand import Rand
from .relations import ANSWERS, RELATIONS, UNKNOWN, Relation


@dataclass(frozen=True)
class Fact:
    relation: Relation
    person: str
    slots: dict[str, str]
    answers: dict[str, str]

    def statement(self, rand: Rand) -> str:
        return self.relation.say.pick(rand)

    def asks(self) -> list[str]:
        return list(self.answers)

    def question(self, ask: str, rand: Rand) -> str:
        return self.relation.asks[ask].pick(rand).format(**self.slots)


@dataclass
class World:
    rand: Rand
    people: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)  # names and values taken, "P/group" pairs

    def fresh(self, draw) -> str:
        """A drawn value that this world does not hold yet."""
        while True:
            value = draw(self.rand)
            if value not in self.used:
                self.used[value] = None
                return value

    def add_people(self, count: int) -> None:
        self.people += [self.fresh(person) for _ in range(count)]

    def fact(self, name: str, relation: Relation) -> Fact | None:
        """A new fact of `relation` about a person; None when the person has one of its group."""
        if f"{name}/{relation.group}" in self.used:
            return None
        values = [self._value(sort, name, relation) for sort in relation.values]
        if None in values:
            return None
        fact = _made(relation, name, values)
        self.used[f"{name}/{relation.group}"] = None
        self.facts.append(fact)
        return fact

    def random_fact(self, relation: Relation | None = None) -> Fact | None:
        return self.fact(self.rand.pick(self.people), relation or self.rand.pick(RELATIONS))

    def _value(self, sort: str, name: str, relation: Relation) -> tuple[str, str, str] | None:
        if sort == "person":
            free = [other for other in self.people if other != name and f"{other}/{relation.group}" not in self.used]
            if not free:
                return None
            other = self.rand.pick(free)
            self.used[f"{other}/{relation.group}"] = None
            return sort, other, other
        return value_of(sort, self)

    def unknown(self) -> tuple[str, str]:
        """A question about these people that no fact answers, and its answer."""
        rand = self.rand
        while True:
            name = rand.pick(self.people) if rand.chance(0.75) else self.fresh(person)
            relation = rand.pick(self.facts).relation if self.facts and rand.chance(0.5) else rand.pick(RELATIONS)
            if f"{name}/{relation.group}" in self.used or relation.name == "has" and f"{name}/pet" in self.used:
                continue
            values = [value_of(sort, self) for sort in relation.values]
            if None in values:
                continue
            fact = _made(relation, name, values)
            ask = "who" if "who" in fact.answers and rand.chance(0.3) else "first"
            return fact.question(ask, rand), UNKNOWN


_DRAWS = {
    "thing": nouns.thing, "town": TOWNS.pick, "pet": PETS.pick, "secret": SECRETS.pick, "place": nouns.PLACES.pick,
    "job": nouns.JOBS.pick, "food": nouns.FOODS.pick, "animal": nouns.ANIMALS.pick, "person": person,
}
_CLOSED = {"colour": nouns.COLOURS, "day": nouns.DAYS, "month": nouns.MONTHS, "instrument": nouns.INSTRUMENTS}


def value_of(sort: str, world: World) -> tuple[str, str, str] | None:
    """(sort, form for a sentence, definite form) of a value the world has not used."""
    rand = world.rand
    if sort == "number":
        number = str(rand.between(2, 99))
        return sort, number, number
    if sort in _CLOSED:
        value = rand.pick(_CLOSED[sort])
        return (sort, f"the {value}", f"the {value}") if sort == "instrument" else (sort, value, value)
    if sort == "animals":
        kind = nouns.plural(nouns.ANIMALS.pick(rand))
        return sort, kind, kind
    for _ in range(20):
        value = _DRAWS[sort](rand)
        if value not in world.used:
            world.used[value] = None
            break
    else:
        return None
    if sort in ("thing", "job", "animal"):
        return sort, nouns.article(value), f"the {value}"
    if sort == "food":
        return sort, f"some {value}", f"the {value}"
    return sort, value, value


def _made(relation: Relation, name: str, values: list[tuple[str, str, str]]) -> Fact:
    sort, form, definite = values[0]
    slots = {"P": name, "a": form, "the": definite}
    answers = {"first": answer(sort, form)}
    if len(values) > 1:
        slots |= {"b": values[1][1], "theb": values[1][2]}
        if "second" in relation.asks:
            answers["second"] = answer(values[1][0], values[1][1])
    if "who" in relation.asks:
        # The value again before the name: a small model finds a person by what stands beside it.
        known = f"the word {form}" if sort == "secret" else definite if sort in ("thing", "food") else form
        answers["who"] = f"{nouns.capital(known)}? That {'was' if relation.past else 'is'} {name}."
    return Fact(relation, name, slots, answers)


def answer(sort: str, form: str) -> str:
    return ANSWERS[sort].format(v=form, V=nouns.capital(form))


def pronoun(name: str) -> str:
    return nouns.capital(GENDER[name])
