"""multi_turn examples: facts are told one by one over a chat, with small talk between, and asked for at the end.

The user tells about others (facts of a small world) and about himself (ABOUT_ME). What was not told is not known.
"""
from . import nouns, small_talk, story
from .bank import Bank
from .chat import Example, Turn, example
from .names import PETS, TOWNS, person
from .rand import Rand
from .relations import UNKNOWN

NOTED = "Thank you, I will remember that."
UNKNOWN_SHARE = 0.1
TELLING = Bank("telling frames", """
    {f}
    Please remember this: {f}
    I want to tell you something. {f}
    Did you know this? {f}
    Here is some news. {f}
    I have heard this: {f}
    Remember: {f}
    Let me tell you something. {f}
    ~I want to tell you this: {f}
    """)
_ABOUT_ME = {  # what the user says of himself -> (statements, questions)
    "name": ("""
        My name is {v}.
        I am {v}.
        Hello, my name is {v}.
        You can call me {v}.
        Hi, I am {v}.
        Hello! I am {v}.
        ~Hello, I am {v}.
        """, """
        What is my name?
        Do you know my name?
        Who am I?
        Do you remember my name?
        Tell me my name.
        ~Please tell me my name.
        """),
    "town": ("""
        I live in {v}.
        My home is in {v}.
        I have found a home in {v}.
        I live in the town of {v}.
        ~I have a home in {v}.
        """, """
        Where do I live?
        Do you know where I live?
        In which town do I live?
        Tell me where I live.
        ~Do you remember where I live?
        """),
    "pet": ("""
        My dog is called {v}.
        I have a dog. His name is {v}.
        I have a dog named {v}.
        The name of my dog is {v}.
        ~I have a dog called {v}.
        """, """
        What is my dog called?
        What is the name of my dog?
        Do you know the name of my dog?
        Tell me the name of my dog.
        ~Do you remember the name of my dog?
        """),
    "friend": ("""
        My best friend is {v}.
        The name of my best friend is {v}.
        I have a good friend, {v}.
        {v} is my best friend.
        ~I have a best friend, {v}.
        """, """
        Who is my best friend?
        What is the name of my best friend?
        Do you know my best friend?
        ~Do you remember the name of my best friend?
        """),
    "colour": ("""
        My favourite colour is {v}.
        I like the colour {v}.
        The colour that I like most is {v}.
        ~The colour that I like is {v}.
        """, """
        What is my favourite colour?
        Which colour do I like?
        Do you know my favourite colour?
        ~Do you remember my favourite colour?
        """),
    "age": ("""
        I am {v} years old.
        My age is {v}.
        I turned {v} this year.
        I have just turned {v}.
        ~I have just turned {v} years old.
        """, """
        How old am I?
        What is my age?
        Do you know my age?
        Do you know how old I am?
        ~Do you remember how old I am?
        """),
    "job": ("""
        I am {a}.
        I work as {a}.
        I have worked as {a} for many years.
        ~I have a job as {a}.
        """, """
        What is my job?
        What do I work as?
        Do you know my job?
        ~Do you remember my job?
        """),
    "thing": ("""
        I have {a}.
        I own {a}.
        I bought {a}, and now I have it.
        ~I have {a} and I like it.
        """, """
        What thing do I have?
        What thing do I own?
        Which thing do I have?
        ~Which thing do I own?
        """),
    "month": ("""
        My birthday is in {v}.
        I was born in {v}.
        I have my birthday in {v}.
        ~I was born in {v}, so my birthday is in {v}.
        """, """
        When is my birthday?
        In which month is my birthday?
        In which month was I born?
        ~Do you remember when my birthday is?
        """),
}
ABOUT_ME = {what: (Bank(f"me {what}", say), Bank(f"me {what} asked", ask)) for what, (say, ask) in _ABOUT_ME.items()}
_OPEN = {"name": person, "friend": person, "town": TOWNS.pick, "pet": PETS.pick, "job": nouns.JOBS.pick, "thing": nouns.thing}
_GOLDS = {"name": "Your name is {v}.", "town": "In {v}.", "pet": "The name is {v}.", "friend": "It is {v}.", "age": "{v}",
          "month": "In {v}.", "colour": "{V}.", "job": "{A}.", "thing": "{A}."}


def _about_me(rand: Rand, what: str) -> tuple[dict[str, str], str]:
    """(slots of the statement, answer)."""
    if what in _OPEN:
        value = _OPEN[what](rand)
    elif what == "age":
        value = str(rand.between(2, 99))
    else:
        value = rand.pick(nouns.COLOURS if what == "colour" else nouns.MONTHS)
    form = nouns.article(value)
    gold = _GOLDS[what].format(v=value, V=nouns.capital(value), A=nouns.capital(form))
    return {"v": value, "a": form}, gold


def _told_about_me(rand: Rand, count: int) -> list[tuple[Turn, Turn]]:
    """(telling, question) for `count` things about the user."""
    pairs = []
    for what in rand.sample(list(ABOUT_ME), count):
        say, asked = ABOUT_ME[what]
        slots, gold = _about_me(rand, what)
        reply = f"Hello, {slots['v']}! How can I help you?" if what == "name" else NOTED
        pairs.append((Turn(say.pick(rand).format(**slots), reply), Turn(asked.pick(rand), gold)))
    return pairs


def _told_about_others(rand: Rand, count: int) -> list[tuple[Turn, Turn]]:
    pairs = []
    for fact in story.small_world(rand, rand.between(1, 3), count).facts if count else ():
        ask = rand.pick(list(fact.answers))
        telling = Turn(TELLING.pick(rand).format(f=story.fact_sentence(fact, rand, False)), NOTED)
        pairs.append((telling, Turn(fact.question(ask, rand), fact.answers[ask])))
    return pairs


def multi_turn(rand: Rand, length: int | None) -> Example:
    others = _told_about_others(rand, rand.between(0, 4))
    mine = _told_about_me(rand, rand.between(0 if others else 1, 4))
    turns = rand.shuffled([telling for telling, _ in others + mine])
    for _ in range(rand.between(0, 3)):
        turns.insert(rand.below(len(turns) + 1), small_talk.turn(rand))
    questions = rand.shuffled([question for _, question in others + mine])[: rand.between(1, 5)]
    if not mine and rand.chance(UNKNOWN_SHARE * 2):
        _, asked = ABOUT_ME[rand.pick(list(ABOUT_ME))]
        questions.insert(rand.below(len(questions) + 1), Turn(asked.pick(rand), UNKNOWN))
    return example("multi_turn", rand, turns + questions)
