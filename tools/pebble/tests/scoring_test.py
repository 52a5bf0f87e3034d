"""eval.py's scoring on canned questions and answers: exact match, baseline, stops, the last line. Needs no torch."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import backends  # noqa: E402
import scoring  # noqa: E402
from scoring import Answer, Question  # noqa: E402


def question(name: str, gold: str, kind: str = "count", length: int | None = None) -> Question:
    return Question(name, kind, [{"role": "user", "content": "?"}], None, gold, length)


class Scoring(unittest.TestCase):
    def test_exact_match_ignores_outer_white_space_only(self) -> None:
        asked = question("a", "Near the well.")
        self.assertTrue(asked.right(Answer(" Near the well.\n", 4, True)))
        for wrong in ("near the well.", "Near the well", "Near  the well.", ""):
            self.assertFalse(asked.right(Answer(wrong, 4, True)), wrong)

    def test_majority_is_the_most_frequent_answer(self) -> None:
        self.assertEqual(scoring.majority([question("a", "3"), question("b", "4"), question("c", "4")]), 2)

    def test_report(self) -> None:
        asked = [question("a", "3"), question("b", "4"), question("c", "4"), question("d", "It was Al.", "long_recall", 500)]
        answers = {"a": Answer("3", 1, True), "b": Answer("5", 1, True), "c": Answer("4", 2, False),
                   "d": Answer("It was Al.", 8, True)}
        lines = scoring.report(asked, answers).split("\n")
        self.assertEqual(lines[-1], "overall 75.00 %")
        rows = {line[:18].strip(): line[18:].split() for line in lines if line}
        self.assertEqual(rows["count"], ["3", "66.7", "66.7", "66.7", "1.3"])
        self.assertEqual(rows["all"], ["4", "75.0", "75.0", "75.0", "3.0"])
        self.assertEqual(rows["recall at 500"], ["1", "100.0", "100.0", "100.0", "8.0"])

    def test_tool_call_of_a_server_becomes_the_text_of_the_model(self) -> None:
        call = {"function": {"name": "buy", "arguments": '{"thing":"map","count":3}'}}
        body = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}],
                "usage": {"completion_tokens": 21}}
        want = '<tool_call>{"name": "buy", "arguments": {"thing": "map", "count": 3}}</tool_call>'
        self.assertEqual(backends.answer_of(body), Answer(want, 21, True))

    def test_a_missing_program_names_the_flag(self) -> None:
        with self.assertRaisesRegex(backends.EngineError, "--strata /no/such/program"):
            backends.strata_answers("/no/such/program", "m", [question("a", "3")], 8, [])


if __name__ == "__main__":
    unittest.main()
