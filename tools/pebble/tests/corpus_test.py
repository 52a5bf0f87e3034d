"""Tests of the corpus: same bytes everywhere, splits that share nothing, answers that are right and the only ones.

Needs nothing but Python. Answers are recomputed here from the question's text, not with the code that made them.
A change of the corpus that is meant changes DIGESTS: make_corpus.py --seed N --examples 280 --split S --out - | sha256sum.
"""
import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import corpus  # noqa: E402
from corpus import kinds_chat, kinds_story, nouns, rand, story, world  # noqa: E402
from corpus.bank import BANKS, WORDS  # noqa: E402
from corpus.relations import UNKNOWN  # noqa: E402

DIGESTS = {
    (1, "train"): "f96f86376102d4cf8f0c0efd1541995cee0cbea8e17d348815e73d4b38657d81",
    (2, "heldout"): "625924b37c5243e350b268be9b5f65c63f2eaa782def9b43aa56d59446c1440d",
}
WORD = re.compile(r"[A-Za-z']+")


def examples(kind, count, split="train", seed=77):
    return [corpus.make_example(kind, seed, index, split) for index in range(count)]


def asked(example):
    return example.messages[-2]["content"]


def slotless(template):
    return re.sub(r"\{\w+\}", " ", template).replace("_", " ")


def core_of(gold):
    """What an answer about a story names."""
    return re.sub(r"^(It was|.+\? That (was|is)|The name is|The word is|An?|The|In|On|Some) ", "", gold.rstrip("."))


def shown_items(opening):
    """The items of a drill's list, which stands before the first question."""
    text = opening.rpartition("\n")[0]
    rows = re.findall(r"^(?:\d\.|-) (.+)$", text, re.MULTILINE)
    return rows or (text.partition(": ")[2] or text).strip().rstrip(".").split(", ")


def asked_part(question, items):
    """The question without the list."""
    return question.replace(", ".join(items), " ")


def both(kind, count):
    return examples(kind, count) + examples(kind, count, "heldout")


class Bytes(unittest.TestCase):
    def test_the_same_arguments_give_the_committed_bytes(self):
        for (seed, split), digest in DIGESTS.items():
            command = [sys.executable, "-B", str(ROOT / "make_corpus.py"), "--seed", str(seed), "--split", split,
                       "--examples", "280", "--out", "-"]
            self.assertEqual(hashlib.sha256(subprocess.run(command, capture_output=True, check=True).stdout).hexdigest(), digest)

    def test_seed_index_and_split_each_matter(self):
        keys = ((1, 1, "train"), (1, 2, "train"), (2, 1, "train"), (1, 1, "heldout"))
        made = [corpus.make_example("story_qa", *key) for key in keys]
        self.assertEqual(len({json.dumps(example.messages) for example in made}), 4)

    def test_a_wrong_kind_or_split_is_refused(self):
        for kind, split in (("poem", "train"), ("list", "test")):
            with self.assertRaises(ValueError):
                corpus.make_example(kind, 1, 1, split)


class Splits(unittest.TestCase):
    def test_no_entry_stands_in_both_parts(self):
        for part in list(BANKS.values()) + list(WORDS.values()):
            self.assertFalse(set(part.train) & set(part.heldout), part.name)
            self.assertTrue(part.heldout, part.name)

    def test_banks_and_words_are_drawn_from_their_split(self):
        for heldout in (False, True):
            draws = rand.Rand("draws", heldout)
            for part in list(BANKS.values()) + list(WORDS.values()):
                own = part.heldout if heldout else part.train
                self.assertTrue(all(part.pick(draws) in own for _ in range(40)), part.name)

    def test_shares_of_the_heldout_parts(self):
        train, heldout = (sum(len(getattr(bank, part)) for bank in BANKS.values()) for part in ("train", "heldout"))
        self.assertGreater(train, 1000)
        self.assertTrue(0.1 < heldout / (train + heldout) < 0.2, heldout)
        for words in WORDS.values():
            self.assertTrue(0.1 < len(words.heldout) / len(words.train + words.heldout) < 0.2, words.name)

    def test_heldout_words_are_in_no_template_and_no_train_entry(self):
        heldout = {word for words in WORDS.values() for word in words.heldout}
        train = {part for words in WORDS.values() for word in words.train for part in word.split()}
        self.assertFalse(heldout & train)
        for bank in BANKS.values():
            for template in bank.train + bank.heldout:
                self.assertFalse(set(WORD.findall(slotless(template))) & heldout, template)

    def test_heldout_templates_use_only_words_that_train_shows(self):
        known = {word.lower() for bank in BANKS.values() for template in bank.train for word in WORD.findall(slotless(template))}
        for bank in BANKS.values():
            for template in bank.heldout:
                self.assertFalse({word.lower() for word in WORD.findall(slotless(template))} - known, template)

    def test_examples_hold_no_word_of_the_other_split(self):
        for split, other in (("train", "heldout"), ("heldout", "train")):
            apart = {word for name, words in WORDS.items() for word in getattr(words, other) if name in NAME_LISTS}
            for kind in corpus.KINDS:
                for example in examples(kind, 30, split):
                    found = set(WORD.findall(json.dumps([example.messages, example.tools]))) & apart
                    self.assertFalse(found - LITERAL, (kind, split))


NAME_LISTS = ("first names", "built names", "towns", "pets", "secret words", "things", "animals")
LITERAL = {word for bank in BANKS.values() for template in bank.train + bank.heldout for word in WORD.findall(slotless(template))}


class Answers(unittest.TestCase):
    def test_the_gold_is_the_last_turn(self):
        for kind in corpus.KINDS:
            for example in both(kind, 60):
                last = example.messages[-1]
                self.assertEqual(last["role"], "assistant")
                calls = last.get("tool_calls")
                text = last["content"] if not calls else corpus.render_tool_call(*calls[0]["function"].values())
                self.assertEqual(text, example.gold)
                self.assertEqual(text, text.strip())
                self.assertNotRegex(json.dumps(example.messages), r"\{\w*\}|~")

    def test_arithmetic(self):
        words = {"sum": "+", "plus": "+", "Add": "+", "add": "+", "more": "+", "that": "+", "minus": "-", "difference": "-",
                 "left": "-", "away": "-", "times": "*", "Multiply": "*", "product": "*", "each": "*", "x": "*", "balls": "+"}
        for example in both("arithmetic", 500):
            text = asked(example)
            first, second = (int(number) for number in re.findall(r"\d+", text))
            mark = next((mark for mark in "+*" if mark in text), None) or ("-" if re.search(r"\d - \d", text) else None)
            mark = mark or ("*" if " each " in text else "-" if re.search("left|away", text) else None)
            mark = mark or next(words[word] for word in WORD.findall(text) if word in words)
            if text.startswith("Take"):
                first, second = second, first
            result = {"+": first + second, "-": first - second, "*": first * second}[mark]
            self.assertEqual(example.gold, str(result), text)
            self.assertTrue(0 <= result <= 99)

    def test_sort(self):
        for example in both("sort", 500):
            text = asked(example)
            numbers = [int(number) for number in re.findall(r"\d+", text)]
            self.assertTrue(all(10 <= number <= 99 for number in numbers))
            given = example.gold.removeprefix("In order: ").split(", ")
            if not numbers:
                self.assertEqual(given, sorted(given))
                self.assertEqual(set(given), set(re.findall(r"\b[a-z]\b", text)))
                self.assertTrue(3 <= len(given) <= 5)
                continue
            falls = re.search("large to small|largest first|descending|largest to the smallest", text)
            self.assertEqual([int(number) for number in given], sorted(numbers, reverse=bool(falls)))
            self.assertTrue(3 <= len(numbers) <= 6)

    def test_count(self):
        for example in both("count", 500):
            text = asked(example)
            parts = [part.strip() for part in re.split(r"[:?\n]", text) if part.strip()]
            shown = max((part for part in parts if f"{part.split(', ')[0]}" in example.gold), key=len)
            self.check_counted(shown.split(", "), example.gold, text)

    def check_counted(self, items, gold, question):
        """The answer goes through the list; its last number is how many there are, or how many end in the asked word."""
        self.assertLessEqual(len(items), 7)
        if gold.startswith("1 "):
            told = ", ".join(f"{place} {item}" for place, item in enumerate(items, 1))
            self.assertEqual(gold, f"{told}. That makes {len(items)}.")
            return
        words = {item.partition(" ")[2] for item in items}
        nouns_asked = {noun for noun in words if re.search(rf"\b{noun}\b", asked_part(question, items))}
        self.assertEqual(len(nouns_asked), 1, question)
        noun, seen, told = nouns_asked.pop(), 0, []
        for item in items:
            ends = item.partition(" ")[2] == noun
            seen += ends
            told.append(f"{item} {seen}" if ends else item)
        self.assertEqual(gold, f"{', '.join(told)}. That makes {seen}.")
        self.assertGreater(seen, 0)

    def check_found(self, items, gold, question):
        """The answer goes through the list as far as it must, and names the item of the asked place."""
        item = re.search(r"\. It is (.+)\.$", gold).group(1)
        at = items.index(item)
        place = next((place for place, word in enumerate(ORDINALS) if re.search(rf"\b{word}\b", question)), None)
        read = at + 1
        if re.search(r"\blast (item|one|in)|comes last", question):
            self.assertEqual(at, len(items) - 1)
        elif place is not None:
            self.assertEqual(at, place, question)
        else:
            step = 1 if " after " in question else -1
            self.assertIn(re.search(r"(?:after|before) (.+?)[?.]", question).group(1), items[at - step], question)
            read += step == -1
        self.assertEqual(gold, ", ".join(f"{n} {word}" for n, word in enumerate(items[:read], 1)) + f". It is {item}.")

    def test_drills(self):
        for kind in ("list_drill", "count_drill"):
            for example in both(kind, 100):
                turns = [message["content"] for message in example.messages if message["role"] != "system"]
                items = shown_items(turns[0])
                questions = [turns[0].rpartition("\n")[2], *turns[2::2]]
                for question, gold in zip(questions, turns[1::2], strict=True):
                    self.assertRegex(question, r"[?.]$")
                    check = self.check_found if " It is " in gold else self.check_counted
                    check(items, gold, question)

    def test_crowd_drill(self):
        """Every answer names what the story says beside what the question names; both directions are asked."""
        asked_who = 0
        for example in both("crowd_drill", 60):
            turns = [message["content"] for message in example.messages if message["role"] != "system"]
            self.assertTrue(len(turns) >= 2 and len(turns) % 2 == 0)
            self.assertEqual(len(set(zip(turns[::2], turns[1::2], strict=True))), len(turns) // 2)
            for gold in turns[1::2]:
                if gold != kinds_story.HAVE_READ:
                    self.assertIn(core_of(gold).lower(), turns[0].lower())
                    asked_who += "? That " in gold
        self.assertGreater(asked_who, 700)

    def test_list(self):
        for example in both("list", 300):
            text = asked(example)
            rows = re.findall(r"^(?:\d\.|-) (.+)$", text, re.MULTILINE)
            line = max(re.split(r"[:\n?]|answer\.", text), key=lambda part: part.count(","))
            self.check_found(rows or line.strip().rstrip(".").split(", "), example.gold, text)

    def test_json(self):
        for example in both("to_json", 300):
            record = json.loads(example.gold)
            keys = re.search(r"[Tt]he keys (?:are )?([a-z, ]+)", asked(example)).group(1).removesuffix(" from this").split(", ")
            self.assertEqual(list(record), keys)
            self.assertTrue(all(str(value) in asked(example) for value in record.values()))
            self.assertEqual(example.gold, json.dumps(record, separators=(",", ":")))
        for example in both("from_json", 300):
            record = json.loads(re.search(r"\{.*\}", asked(example)).group())
            told = " ".join(f"The {key} is {value}." for key, value in record.items())
            self.assertIn(example.gold, [told] + [str(value) for value in record.values()])

    def test_tool_calls_copy_from_the_offer_and_the_request(self):
        calls = 0
        for example in both("tool_call", 300):
            if "<tool_call>" not in example.gold:
                continue
            calls += 1
            call = json.loads(example.gold.removeprefix("<tool_call>").removesuffix("</tool_call>"))
            offer = next(tool["function"] for tool in example.tools if tool["function"]["name"] == call["name"])
            self.assertEqual(list(call["arguments"]), offer["parameters"]["required"])
            for name, value in call["arguments"].items():
                self.assertIn(str(value), asked(example))
                kind = {"integer": int, "string": str}[offer["parameters"]["properties"][name]["type"]]
                self.assertIsInstance(value, kind)
        self.assertTrue(300 < calls < 500, calls)


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


class Stories(unittest.TestCase):
    def test_no_question_has_two_answers(self):
        for seed in range(300):
            made = story.small_world(rand.Rand(f"world {seed}", seed % 2 == 1), 12, 40)
            answers = collections.defaultdict(set)
            for fact in made.facts:
                for ask in fact.answers:
                    for bank in fact.relation.asks[ask].train + fact.relation.asks[ask].heldout:
                        answers[bank.format(**fact.slots)].add(fact.answers[ask])
            for question, golds in answers.items():
                self.assertEqual(len(golds), 1, question)

    def test_what_is_not_known_is_stated_by_no_fact(self):
        for seed in range(300):
            made = story.small_world(rand.Rand(f"unknown {seed}", seed % 2 == 1), 4, 10)
            stated = {bank.format(**fact.slots) for fact in made.facts for ask in fact.answers
                      for bank in fact.relation.asks[ask].train + fact.relation.asks[ask].heldout}
            for _ in range(10):
                question, gold = made.unknown()
                self.assertEqual(gold, UNKNOWN)
                self.assertNotIn(question, stated)

    def test_the_answer_stands_in_the_story(self):
        for kind in ("story_qa", "long_recall"):
            for example in both(kind, 60):
                text = " ".join(message["content"] for message in example.messages[:-1])
                self.assertIn(core_of(example.gold).lower(), text.lower())

    def test_long_recall_keeps_the_asked_distance(self):
        for split in corpus.SPLITS:
            for tokens in (200, 500, 1000, 1500):
                for index in range(20):
                    example = corpus.make_example("long_recall", 5, index, split, tokens)
                    self.assertLess(abs(example.distance * 1.65 - tokens), 120 + tokens * 0.1, (split, tokens))

    def test_distance_counts_the_words_after_the_fact(self):
        for example in both("long_recall", 80):
            words = " ".join(message["content"] for message in example.messages[:-1] if message["role"] != "system").split()
            fact = " ".join(words[max(0, len(words) - example.distance - 40):len(words) - example.distance]).lower()
            if not re.search(r"^It was|\? That ", example.gold):  # a person may stand there as "he" or "she"
                self.assertIn(core_of(example.gold).lower(), fact)

    def test_unknown_is_not_always_the_answer(self):
        golds = [example.gold for example in both("unknown", 200)]
        self.assertTrue(0.5 < golds.count(UNKNOWN) / len(golds) < 0.7)

    def test_pronouns_and_articles(self):
        for example in both("story_qa", 300):
            text = example.messages[-2]["content"] + example.messages[0]["content"]
            self.assertNotRegex(text, r"\b[Aa] [aeio][a-z]|\b[Aa]n [^aeiouhAEIOU]|  |\. [a-z]|\b(She|He) \w+[^.]*\b(She|He) ")
        self.assertEqual([nouns.article(word) for word in ("umbrella", "unicorn", "hourglass", "kite")],
                         ["an umbrella", "a unicorn", "an hourglass", "a kite"])
        plurals = [nouns.plural(word) for word in ("fox", "canary", "donkey", "mouse")]
        self.assertEqual(plurals, ["foxes", "canaries", "donkeys", "mice"])

    def test_an_animal_of_the_user_and_a_thing_are_asked_apart(self):
        asks = kinds_chat.ABOUT_ME["thing"][1]
        self.assertTrue(all("thing" in question for question in asks.train + asks.heldout))
        self.assertTrue(world.answer("thing", "an old map") == "An old map.")


if __name__ == "__main__":
    unittest.main()
