"""Examples that ask about a story: story_qa, long_recall and unknown.

A story is followed by several questions, so that one document holds many answers; about a third of the examples
ask one question alone. Only the last answer is scored.
"""
import math

from . import story
from .bank import Bank
from .chat import Example, Turn, example
from .rand import Rand
from .relations import RELATIONS
from .world import Fact, World

SINGLE_SHARE = 0.35
WORDS_PER_TOKEN = 1 / 1.65  # measured on stories with the tokenizer of pebble
LONGEST_TOKENS = 1500
SHORTEST_TOKENS = 40

FRAMES = Bank("story frames", """
    {s}\\n\\n{q}
    {s}\\n\\nQuestion: {q}
    Read the story and answer the question.\\n\\n{s}\\n\\n{q}
    Here is a story.\\n\\n{s}\\n\\n{q}
    Story:\\n{s}\\n\\nQuestion: {q}
    ~Read this story.\\n\\n{s}\\n\\nQuestion: {q}
    """)
FOLLOW_UPS = Bank("follow-up frames", """
    {q}
    Question: {q}
    And this: {q}
    ~Next question: {q}
    """)
READ_FIRST = Bank("read first", """
    Here is a story. I will ask questions about it.\\n\\n{s}
    Read this story.\\n\\n{s}
    ~Read this story. I will ask questions about it.\\n\\n{s}
    """)
HAVE_READ = "I have read it. What do you want to know?"


def pairs_of(facts: list[Fact], rand: Rand) -> list[tuple[Fact, str]]:
    """What can be asked; whom a thing belongs to half as often as the rest."""
    return [(fact, ask) for fact in facts for ask in fact.answers if ask != "who" or rand.dense or rand.chance(0.5)]


def story_turns(rand: Rand, text: str, questions: list[Turn]) -> list[Turn]:
    """The story with the first question (or before it), then the other questions."""
    if rand.chance(0.15):
        return [Turn(READ_FIRST.pick(rand).format(s=text), HAVE_READ)] + questions
    first = Turn(FRAMES.pick(rand).format(s=text, q=questions[0].user), questions[0].gold)
    return [first] + [Turn(FOLLOW_UPS.pick(rand).format(q=turn.user), turn.gold) for turn in questions[1:]]


def _words(turns: list[Turn]) -> int:
    return sum(len(turn.user.split()) + len(turn.gold.split()) for turn in turns)


def _distance(told: story.Told, world: World, fact: Fact, turns: list[Turn]) -> int:
    """Words from the end of the fact's sentence to the end of the last question."""
    after = told.ends[next(place for place, known in enumerate(world.facts) if known is fact)]
    story_words = len(told.text.split())
    return after + _words(turns) - len(turns[-1].gold.split()) - story_words - _before_story(turns, told.text)


def _before_story(turns: list[Turn], text: str) -> int:
    return len(turns[0].user.partition(text)[0].split())


def _question_count(rand: Rand) -> int:
    if rand.dense:
        return rand.between(6, 18)
    return 1 if rand.chance(SINGLE_SHARE) else rand.between(3, 9)


def _world(rand: Rand) -> World:
    """In a training, half of the stories tell nearly the same of several people: that persons must be told apart is learned
    from few tokens there, and from many where the same relation comes back by chance."""
    if rand.dense and rand.chance(0.5):
        return story.rival_world(rand)
    return story.small_world(rand, rand.between(1, 5), rand.between(3, 10))


def story_qa(rand: Rand, length: int | None) -> Example:
    world = _world(rand)
    told = story.short_story(world)
    pairs = rand.shuffled(pairs_of(world.facts, rand))[: _question_count(rand)]
    questions = [Turn(fact.question(ask, rand), fact.answers[ask]) for fact, ask in pairs]
    for place in range(len(questions) - 1):
        if rand.chance(0.12):
            questions[place] = Turn(*world.unknown())
    turns = story_turns(rand, told.text, questions)
    return example("story_qa", rand, turns, _distance(told, world, pairs[-1][0], turns))


def unknown(rand: Rand, length: int | None) -> Example:
    """Asks what the story does not say; in two of five examples what it does say, so that guessing does not pay."""
    world = _world(rand)
    told = story.short_story(world)
    pairs = rand.shuffled(pairs_of(world.facts, rand))
    count = _question_count(rand)
    questions = []
    for _ in range(count):
        if rand.chance(0.6) or not pairs:
            questions.append(Turn(*world.unknown()))
        else:
            fact, ask = pairs.pop()
            questions.append(Turn(fact.question(ask, rand), fact.answers[ask]))
    return example("unknown", rand, story_turns(rand, told.text, questions))


def _drawn_length(rand: Rand) -> int:
    """Log-uniform between the shortest and the longest distance."""
    return int(SHORTEST_TOKENS * math.exp(rand.random() * math.log(LONGEST_TOKENS / SHORTEST_TOKENS)))


def _long_facts(world: World, wanted: int) -> list[tuple[int, Fact]]:
    """Up to `wanted` facts; a third of them share two relations, so that the asked one has many rivals."""
    rand = world.rand
    rivals = rand.sample(RELATIONS, 2)
    for _ in range(wanted * 4):
        if len(world.facts) >= wanted:
            break
        world.random_fact(rand.pick(rivals) if rand.chance(0.33) else None)
    return story.shuffled_facts(world)


def long_recall(rand: Rand, length: int | None) -> Example:
    """A fact far back, among one fact every 50 words and sentences that state none."""
    target = (_drawn_length(rand) if length is None else length) * WORDS_PER_TOKEN
    world = World(rand)
    wanted = 4 + int(target / 50)
    world.add_people(3 + wanted // 3)
    facts = _long_facts(world, wanted)
    told_sentences = story.sentences(world, facts, 0.35)
    while sum(len(text.split()) for _, text in told_sentences) < target + 30:
        told_sentences.insert(rand.below(len(told_sentences) + 1), (-1, story.filler(world)))
    told = story.tell(world, told_sentences)
    pairs = rand.shuffled(pairs_of(world.facts, rand))
    # The text is paid for by every token and learned from by few: a training asks for much of what it says.
    count = rand.between(8, 8 + len(pairs) * 2 // 3) if rand.dense else _question_count(rand)
    extra = 16 * (count - 1) + 12
    nearest = min(pairs, key=lambda pair: abs(told.ends[world.facts.index(pair[0])] + extra - target))
    asked = [pair for pair in pairs if pair[0] is not nearest[0]][: count - 1] + [nearest]
    turns = story_turns(rand, told.text, [Turn(fact.question(ask, rand), fact.answers[ask]) for fact, ask in asked])
    return example("long_recall", rand, turns, _distance(told, world, nearest[0], turns))
