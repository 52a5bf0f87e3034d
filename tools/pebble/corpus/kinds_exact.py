"""Short turns that need no story: list, arithmetic, sort, count and format. Each function makes one turn.

Results stay small (0 to 99, lists of 1 to 7), and an answer about a list goes through it aloud ("1 wolf, 2 yak. It is yak."),
so that a model of six layers can learn them: a place or a number of items at once is more than it finds in few examples.
"""
import string

from . import nouns
from .bank import Bank
from .chat import Turn
from .names import TOWNS, person
from .rand import Rand

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
LIST_FRAMES = Bank("list frames", """
    {l}\\n{q}
    Here is a list: {l}\\n{q}
    Look at this list: {l}\\n{q}
    List: {l}\\nQuestion: {q}
    {q}\\nHere is the list: {l}
    {q}\\nThe list: {l}
    Read this list and answer. {l}\\n{q}
    These are the items: {l}\\n{q}
    ~Here is a list: {l}\\nQuestion: {q}
    """)
LIST_NTH = Bank("list nth", """
    What is the {o} item?
    Which item is the {o} one?
    What comes {o} in the list?
    Tell me the {o} item.
    What is the {o} item in the list?
    Name the {o} item.
    Which item comes {o}?
    Give me the {o} item of the list.
    ~Which one is the {o} item in the list?
    """)
LIST_AFTER = Bank("list after", """
    What comes right after {x}?
    Which item comes after {x}?
    What is the item after {x}?
    Tell me the item after {x}.
    Which item stands right after {x}?
    Name the item that comes after {x}.
    ~Which item comes right after {x}?
    """)
LIST_BEFORE = Bank("list before", """
    What comes right before {x}?
    Which item comes before {x}?
    What is the item before {x}?
    Tell me the item before {x}.
    Which item stands right before {x}?
    Name the item that comes before {x}.
    ~Which item comes right before {x}?
    """)
_SOURCES = (nouns.THINGS, nouns.ANIMALS, nouns.FOODS)


def items(rand: Rand, count: int) -> list[str]:
    """Different words of one sort."""
    sort = rand.below(5)
    if sort < 3:
        return rand.sample(_SOURCES[sort].of(rand), count)
    items: dict[str, None] = {}
    while len(items) < count:
        items[person(rand) if sort == 3 else TOWNS.pick(rand)] = None
    return list(items)


def _single_words(rand: Rand, count: int) -> list[str]:
    """As _items, without entries of two words."""
    while True:
        words = [item for item in items(rand, count + 3) if " " not in item]
        if len(words) >= count:
            return words[:count]


def shown(rand: Rand, items: list[str]) -> str:
    form = rand.below(4)
    if form == 0:
        return "\n" + "\n".join(f"{place}. {item}" for place, item in enumerate(items, 1))
    if form == 1:
        return "\n" + "\n".join(f"- {item}" for item in items)
    return ", ".join(items) + ("." if form == 2 else "")


def numbered(listed: list[str]) -> str:
    return ", ".join(f"{place} {item}" for place, item in enumerate(listed, 1))


def list_question(rand: Rand, listed: list[str]) -> Turn:
    """By place, or by neighbour. The answer goes through the list as far as needed."""
    kind = rand.below(10)
    if kind < 6:
        place = len(listed) - 1 if kind == 5 else rand.below(len(listed))
        word = "last" if kind == 5 else ORDINALS[place]
        question, read = LIST_NTH.pick(rand).format(o=word), place + 1
    elif kind < 8:
        place = 1 + rand.below(len(listed) - 1)
        question, read = LIST_AFTER.pick(rand).format(x=listed[place - 1]), place + 1
    else:
        place = rand.below(len(listed) - 1)
        question, read = LIST_BEFORE.pick(rand).format(x=listed[place + 1]), place + 2
    return Turn(question, f"{numbered(listed[:read])}. It is {listed[place]}.")


def list_turn(rand: Rand) -> Turn:
    listed = items(rand, rand.between(3, 7))
    asked = list_question(rand, listed)
    return Turn(LIST_FRAMES.pick(rand).format(l=shown(rand, listed), q=asked.user).strip(), asked.gold)


ADD = Bank("add", """
    What is {a} + {b}?
    {a} + {b} = ?
    How much is {a} plus {b}?
    Add {a} and {b}.
    {a} + {b}
    What is the sum of {a} and {b}?
    There are {a} birds in a tree, and {b} more birds come. How many birds are there now?
    {P} has {a} apples and gets {b} more. How many apples does {P} have now?
    {P} walks {a} miles in the morning and {b} miles in the evening. How many miles is that?
    Please add {a} and {b}.
    {a} plus {b}
    {a} plus {b} is how much?
    Calculate {a} + {b}.
    {P} read {a} pages today and {b} pages yesterday. How many pages is that?
    There are {a} red balls and {b} blue balls. How many balls are there?
    ~What is {a} plus {b}?
    ~{P} has {a} birds and gets {b} more. How many birds does {P} have now?
    """)
SUBTRACT = Bank("subtract", """
    What is {a} - {b}?
    {a} - {b} = ?
    How much is {a} minus {b}?
    Take {b} away from {a}.
    {a} - {b}
    There are {a} birds in a tree, and {b} of them fly away. How many birds are left?
    {P} has {a} apples and gives away {b} of them. How many apples are left?
    {a} minus {b}
    {a} minus {b} is how much?
    Calculate {a} - {b}.
    What is the difference of {a} and {b}?
    {P} has {a} coins and pays {b} of them. How many coins are left?
    There are {a} people on a bus, and {b} of them get off. How many people are left?
    ~What is {a} minus {b}?
    ~{P} has {a} birds and {b} of them fly away. How many birds are left?
    """)
MULTIPLY = Bank("multiply", """
    What is {a} * {b}?
    {a} * {b} = ?
    How much is {a} times {b}?
    Multiply {a} by {b}.
    {a} x {b}
    There are {a} bags with {b} apples in each bag. How many apples are there?
    {P} buys {a} boxes. There are {b} eggs in each box. How many eggs is that?
    {a} times {b}
    {a} times {b} is how much?
    Calculate {a} * {b}.
    What is the product of {a} and {b}?
    {P} has {a} bags with {b} coins in each bag. How many coins is that?
    ~What is {a} times {b}?
    ~There are {a} boxes with {b} eggs in each box. How many eggs are there?
    """)


def _operands(rand: Rand) -> tuple[int, int]:
    """Two numbers up to 12; of one pair in ten, one is up to 49 and the other has one digit."""
    first, second = rand.between(0, 12), rand.between(0, 12)
    if rand.chance(0.1):
        first, second = rand.between(10, 49), rand.between(1, 9)
    return (first, second) if rand.chance(0.5) else (second, first)


def arithmetic_turn(rand: Rand) -> Turn:
    operation = rand.below(3)
    if operation == 2:
        first, second = rand.between(0, 9), rand.between(0, 10)
        text, result = MULTIPLY.pick(rand), first * second
    else:
        first, second = _operands(rand)
        text, result = ADD.pick(rand), first + second
        if operation == 1:
            text, first, result = SUBTRACT.pick(rand), first + second, first
    return Turn(text.format(a=first, b=second, P=person(rand)), str(result))


SORT_UP = Bank("sort up", """
    Sort these numbers from small to large: {l}
    Put these numbers in order, the smallest first: {l}
    Sort in ascending order: {l}
    Sort these numbers: {l}
    Write these numbers from the smallest to the largest: {l}
    Here are some numbers: {l}\\nSort them from small to large.
    Please sort these numbers from small to large: {l}
    Put these numbers in ascending order: {l}
    Sort from the smallest to the largest: {l}
    {l}\\nSort these numbers from small to large.
    ~Put these numbers in order from small to large: {l}
    """)
SORT_DOWN = Bank("sort down", """
    Sort these numbers from large to small: {l}
    Put these numbers in order, the largest first: {l}
    Sort in descending order: {l}
    Write these numbers from the largest to the smallest: {l}
    Here are some numbers: {l}\\nSort them from large to small.
    Please sort these numbers from large to small: {l}
    Put these numbers in descending order: {l}
    Sort from the largest to the smallest: {l}
    {l}\\nSort these numbers from large to small.
    ~Put these numbers in order from large to small: {l}
    """)
SORT_LETTERS = Bank("sort letters", """
    Sort these letters by the alphabet: {l}
    Put these letters in alphabetical order: {l}
    Sort these letters from A to Z: {l}
    Write these letters in alphabetical order: {l}
    Please sort these letters by the alphabet: {l}
    Sort by the alphabet: {l}
    Here are some letters: {l}\\nSort them by the alphabet.
    ~Put these letters in order from A to Z: {l}
    """)


def sort_turn(rand: Rand) -> Turn:
    """Numbers of two digits, or letters."""
    if rand.chance(0.25):
        letters = rand.sample(string.ascii_lowercase, rand.between(3, 5))
        bank, ordered, shown = SORT_LETTERS, sorted(letters), ", ".join(letters)
    else:
        numbers = rand.sample(range(10, 100), rand.between(3, 6))
        down = rand.chance(0.4)
        bank = SORT_DOWN if down else SORT_UP
        ordered = [str(number) for number in sorted(numbers, reverse=down)]
        shown = ", ".join(str(number) for number in numbers)
    return Turn(bank.pick(rand).format(l=shown), "In order: " + ", ".join(ordered))


COUNT_ALL = Bank("count all", """
    How many items are in this list? {l}
    Count the items: {l}
    How many words are in this list? {l}
    How many items are there? {l}
    Count the words in this list: {l}
    Please count these items: {l}
    What is the number of items in this list? {l}
    Here is a list: {l}\\nHow many items does it have?
    {l}\\nHow many items are these?
    List: {l}\\nCount the items.
    The list: {l}\\nHow many words are in it?
    Look at this list: {l}\\nHow many items are there?
    ~Here is a list: {l}\\nHow many items are in this list?
    """)
COUNT_ONE = Bank("count one", """
    How often does the word {x} stand in this list? {l}
    How many times is {x} in this list? {l}
    Count the word {x}: {l}
    How often is {x} in this list? {l}
    Please count how often {x} stands here: {l}
    How many times does {x} stand in this list? {l}
    Here is a list: {l}\\nHow many times is {x} in it?
    {l}\\nHow often does {x} stand here?
    List: {l}\\nCount the word {x}.
    The list: {l}\\nHow many times does the word {x} stand in this list?
    Look at this list: {l}\\nHow often is {x} in the list?
    ~Here is a list: {l}\\nHow often does the word {x} stand in it?
    """)


def coloured(rand: Rand, most: int) -> list[str]:
    """"red kite, blue kite, red crab": 2 to `most` different pairs of a colour and one of two or three nouns."""
    sort = _SOURCES[rand.below(2)].of(rand)
    pairs = [f"{colour} {noun}" for noun in rand.sample(sort, rand.between(2, 3)) for colour in nouns.COLOURS]
    return rand.sample(pairs, rand.between(2, most))


def counted_all(listed: list[str]) -> str:
    return f"{numbered(listed)}. That makes {len(listed)}."


def counted(listed: list[str], noun: str) -> str:
    """The list again, with a running number behind each item that ends in the noun."""
    told, seen = [], 0
    for item in listed:
        found = item.endswith(f" {noun}")
        seen += found
        told.append(f"{item} {seen}" if found else item)
    return f"{', '.join(told)}. That makes {seen}."


def count_turn(rand: Rand) -> Turn:
    if rand.chance(0.5):
        listed = items(rand, rand.between(1, 7))
        return Turn(COUNT_ALL.pick(rand).format(l=", ".join(listed)), counted_all(listed))
    listed = coloured(rand, 6)
    noun = rand.pick(listed).split(" ", 1)[1]
    return Turn(COUNT_ONE.pick(rand).format(x=noun, l=", ".join(listed)), counted(listed, noun))


CAPITALS = Bank("format capitals", """
    Write the word {x} in capital letters.
    Write {x} in capitals.
    Say {x} in capital letters.
    Make all letters of {x} capital letters.
    Turn {x} into capital letters.
    Use capital letters only: {x}
    Please write the word {x} in capitals.
    Please say {x} in capital letters.
    ~Please write {x} in capital letters.
    """)
QUOTES = Bank("format quotes", """
    Write the word {x} in quotes.
    Write {x} between quotes.
    Put quotes around the word {x}.
    Put {x} in quotes.
    Write the word {x} between quotes.
    Repeat {x} in quotes.
    Please write {x} in quotes.
    Please put quotes around {x}.
    Please repeat the word {x} in quotes.
    ~Please put {x} in quotes.
    """)
COMMAS = Bank("format commas", """
    Write these words with commas between them: {w}
    Separate these words with commas: {w}
    Put commas between these words: {w}
    Write these words again, with commas: {w}
    Make a list with commas: {w}
    These words need commas between them: {w}
    Please put commas between these words: {w}
    Please make a list with commas: {w}
    ~Please write these words with commas: {w}
    """)
PREFIX = Bank("format prefix", """
    Begin your answer with "{p}" and then write {x}.
    Start with "{p}" and then write the word {x}.
    Write {x}, but begin with "{p}".
    Write "{p}" and then the word {x}.
    Begin with "{p}" and write the word {x}.
    Put "{p}" before the word {x}.
    Please begin with "{p}" and then write {x}.
    Please write "{p}" and then {x}.
    ~Start your answer with "{p}" and then write {x}.
    """)
TWICE = Bank("format twice", """
    Write the word {x} two times.
    Write {x} twice.
    Say the word {x} twice.
    Repeat the word {x} two times.
    Say {x} two times.
    Please say {x} twice.
    Please repeat {x} two times.
    ~Please write {x} two times.
    """)
LINES = Bank("format lines", """
    Write each of these words on its own line: {c}
    Write these words one below the other: {c}
    Make a list with one word on each line: {c}
    Put each word on its own line: {c}
    One word on each line: {c}
    Please put each of these words on its own line: {c}
    Please write these words one below the other: {c}
    ~Please write each of these words on a line: {c}
    """)
BRACKETS = Bank("format brackets", """
    Write the word {x} in brackets.
    Put brackets around {x}.
    Write {x} between brackets.
    Put {x} in brackets.
    Write the word {x} between brackets.
    Please write {x} in brackets.
    Please put brackets around the word {x}.
    ~Please put the word {x} in brackets.
    """)
PREFIXES = ("Answer:", "Result:", "Note:", "Final:", "Word:", "Output:")
SHOUTED = nouns.COLOURS + nouns.DAYS + nouns.MONTHS + ["yes", "no", "north", "south", "east", "west", "stop", "go", "left", "right"]


def format_turn(rand: Rand) -> Turn:
    form = rand.below(7)
    if form == 0:
        word = rand.pick(SHOUTED)
        return Turn(CAPITALS.pick(rand).format(x=word), word.upper())
    words = _single_words(rand, rand.between(2, 5))
    word = words[0]
    if form == 1:
        return Turn(QUOTES.pick(rand).format(x=word), f'"{word}"')
    if form == 2:
        return Turn(COMMAS.pick(rand).format(w=" ".join(words)), ", ".join(words))
    if form == 3:
        prefix = rand.pick(PREFIXES)
        return Turn(PREFIX.pick(rand).format(p=prefix, x=word), f"{prefix} {word}")
    if form == 4:
        return Turn(TWICE.pick(rand).format(x=word), f"{word} {word}")
    if form == 5:
        return Turn(LINES.pick(rand).format(c=", ".join(words)), "\n".join(words))
    return Turn(BRACKETS.pick(rand).format(x=word), f"({word})")
