"""Free stories for "Tell me a story about ...": start, wish, trouble, help, end, with one hero, one thing and one animal.

They are trained on and never scored, since no wording is the only right one.
"""
from . import nouns
from .bank import Bank
from .chat import Example, Turn, example
from .names import GENDER, TOWNS, person
from .rand import Rand

_CASES = {"she": {"he": "she", "him": "her", "his": "her"}, "he": {"he": "he", "him": "him", "his": "his"}}
START = Bank("tale start", """
    Once upon a time {P} lived in {T}. {He} had {a}, and {he} loved it very much.
    In the town of {T} lived {P}. Everybody knew {him}, because {he} always carried {a}.
    {P} was young and wanted to see the world. One day {he} took {a} and left {T}.
    There was once somebody called {P}. {He} owned nothing but {a}.
    Long ago {P} worked in {T} as {j}. {His} greatest treasure was {a}.
    {P} woke up early. Today {he} wanted to show {his} friends {a}.
    Nobody in {T} was as happy as {P}, for {he} had found {a}.
    ~Once upon a time {P} lived in {T}. Everybody knew {him}, because {he} had found {a}.
    """)
WISH = Bank("tale wish", """
    But {he} was lonely and wished for a friend.
    {He} wanted to bring it to {his} grandmother, who lived far away.
    {He} dreamed of a long journey.
    Every evening {he} sat {p} and looked at the stars.
    {He} had one wish: to meet {n}.
    On that day {he} took a walk and rested {p}.
    ~But {he} was lonely and dreamed of a friend.
    """)
TROUBLE = Bank("tale trouble", """
    Then a storm came, and the {o} was gone.
    But on the way {he} lost the {o}. {He} looked for it everywhere, and {he} began to cry.
    Suddenly {n} jumped out, took the {o} and ran away.
    One morning the {o} broke, and {P} was very sad.
    But {he} forgot the {o} {p}, and when {he} came back, it was not there.
    {He} fell into a deep hole, and nobody heard {him} shout.
    ~Then a storm came. {He} looked for the {o} everywhere, but it was gone.
    """)
HELP = Bank("tale help", """
    A friendly {k} saw this. "Do not worry," it said. "I will help you."
    {Q} heard about it and came at once. Together they looked {p}.
    "I know what to do," said {Q}, and they went to work.
    A little {k} showed {him} the way.
    {P} did not give up. {He} asked {Q}, and {Q} had a good idea.
    {P} shared {his} {f} with a hungry {k}, and it was so thankful that it helped {him}.
    ~{Q} heard about it and had a good idea. A friendly {k} showed them the way.
    """)
END = Bank("tale end", """
    Before the sun went down, all was well again. {P} smiled and went home.
    From that day on they were best friends.
    {P} thanked {Q} and never forgot that day.
    And when {he} was old, {P} still told the story of that day.
    They ate {f} together and laughed until midnight.
    So {P} learned that a good friend is worth more than gold.
    ~From that day on they were friends, and {P} never forgot it.
    """)
REQUESTS = Bank("story requests", """
    Tell me a short story about {x}.
    Please tell me a story about {x}.
    Write a short story about {x}.
    Can you tell me a story about {x}?
    I would like to hear a story about {x}.
    Tell me a story with {x} in it.
    Do you know a story about {x}?
    Write a fairy tale about {x}.
    ~Please write a story about {x}.
    """)
ANY = Bank("story requests open", """
    Tell me a story.
    Tell me a short story.
    Write a story for me.
    Please tell me a fairy tale.
    Do you know a story?
    ~Please tell me a short story.
    """)


def _slots(rand: Rand) -> dict[str, str]:
    hero, friend = person(rand), person(rand)
    while friend == hero:
        friend = person(rand)
    thing, animal = nouns.thing(rand), nouns.ANIMALS.pick(rand)
    cases = _CASES[GENDER[hero]]
    slots = cases | {nouns.capital(case): nouns.capital(word) for case, word in cases.items()}
    return slots | {"P": hero, "Q": friend, "T": TOWNS.pick(rand), "a": nouns.article(thing), "o": thing.split(" ", 1)[1],
                    "n": nouns.article(animal), "k": animal, "p": nouns.PLACES.pick(rand),
                    "j": nouns.article(nouns.JOBS.pick(rand)), "f": nouns.FOODS.pick(rand)}


def free(rand: Rand, length: int | None) -> Example:
    """A request and a story that is about what was asked for."""
    slots = _slots(rand)
    steps = [bank.pick(rand) for bank in (START, WISH, TROUBLE, HELP, END)]
    about = [slots["P"], slots["a"]]
    while "{k}" not in steps[3] and "{n}" not in steps[2] and rand.chance(0.5):
        steps[3] = HELP.pick(rand)
    if "{k}" in steps[3]:
        about.append(slots["n"])
    request = ANY.pick(rand) if rand.chance(0.2) else REQUESTS.pick(rand).format(x=rand.pick(about))
    return example("story", rand, [Turn(request, " ".join(step.format(**slots) for step in steps))])
