"""Made-up words stand wherever the word stood, and what an example asks is still answered by its last turn."""

import pathlib
import random
import re
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import corpus
import renaming

PIECES = ["zu", "qua", "xilm", "vop", "yn"]


def changed(kind, index):
    before = corpus.make_example(kind, 11, index)
    with mock.patch.object(renaming, "RENAMED", 1.0):
        return before, renaming.renamed(before, PIECES, random.Random(index))


def texts(example):
    return " ".join(message["content"] or "" for message in example.messages)


class Renaming(unittest.TestCase):
    def test_a_word_is_replaced_everywhere_or_nowhere(self):
        replaced = 0
        for kind in ("story_qa", "list", "to_json", "format", "sort", "long_recall"):
            for index in range(30):
                before, after = changed(kind, index)
                old, new = re.findall(r"[A-Za-z]+", texts(before)), re.findall(r"[A-Za-z]+", texts(after))
                self.assertEqual(len(old), len(new))
                table = {}
                for one, other in zip(old, new, strict=True):
                    self.assertEqual(table.setdefault(one, other), other, (kind, index))
                    self.assertEqual(one[0], other[0], "order and articles depend on the first letter")
                    replaced += one != other
        self.assertGreater(replaced, 300)

    def test_the_gold_follows_the_last_turn(self):
        for kind in corpus.SCORED_KINDS:
            for index in range(20):
                _, after = changed(kind, index)
                last = after.messages[-1]
                calls = last.get("tool_calls")
                text = corpus.render_tool_call(*calls[0]["function"].values()) if calls else last["content"]
                self.assertEqual(after.gold, text)

    def test_lists_are_still_answered_from_the_list(self):
        for index in range(40):
            _, after = changed("list_drill", index)
            shown = next(message["content"] for message in after.messages if message["role"] == "user")
            for message in after.messages:
                if message["role"] == "assistant" and message["content"].startswith("It is "):
                    self.assertIn(message["content"][6:-1], shown)

    def test_calls_name_functions_and_parameters_that_are_offered(self):
        renamed_functions = 0
        for index in range(60):
            before, after = changed("tool_call", index)
            offered = {tool["function"]["name"]: set(tool["function"]["parameters"]["properties"]) for tool in after.tools}
            renamed_functions += offered != {tool["function"]["name"]: set(tool["function"]["parameters"]["properties"])
                                             for tool in before.tools}
            for message in after.messages:
                for call in message.get("tool_calls") or []:
                    self.assertEqual(set(call["function"]["arguments"]), offered[call["function"]["name"]])
        self.assertGreater(renamed_functions, 30)

    def test_words_of_templates_and_of_the_heldout_split_stay_out(self):
        self.assertFalse(renaming._OPEN & renaming._FIXED)
        for index in range(20):
            before, after = changed("arithmetic", index)
            self.assertEqual(before, after)


if __name__ == "__main__":
    unittest.main()
