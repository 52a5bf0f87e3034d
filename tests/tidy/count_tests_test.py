"""Holds the last line of ./run test to its word, and the targets of a label, on reports by hand."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import xml.sax.saxutils

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/setup"))

import count_tests

GTEST_GREEN = (
    "[==========] 5 tests from 2 test suites ran. (3 ms total)\n[  PASSED  ] 4 tests.\n"
    "[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] A.b\n"
)
GTEST_RED = (
    "[  FAILED  ] A.b (0 ms)\n[  PASSED  ] 3 tests.\n"
    "[  FAILED  ] 2 tests, listed below:\n[  FAILED  ] A.b\n"
)
UNITTEST_GREEN = "Ran 12 tests in 0.1s\n\nOK (skipped=2)\n"
UNITTEST_RED = "Ran 12 tests in 0.1s\n\nFAILED (failures=2, errors=1)\n"
CTEST_LISTING = """\
add_test([=[a_test]=] "ROOT/a_test" "--fast")
set_tests_properties([=[a_test]=] PROPERTIES  ENVIRONMENT "X=ROOT" LABELS "quick;tsan" TIMEOUT "1")
add_test([=[b_test]=] "ROOT/b_test")
set_tests_properties([=[b_test]=] PROPERTIES  LABELS "full" TIMEOUT "120")
add_test([=[api]=] "/usr/bin/python3" "/elsewhere/api.py")
set_tests_properties([=[api]=] PROPERTIES  LABELS "quick" TIMEOUT "120")
add_test([=[tidy]=] "/usr/bin/python3" "/elsewhere/tidy.py" "ROOT/c")
set_tests_properties([=[tidy]=] PROPERTIES  LABELS "quick;static" TIMEOUT "120")
"""


def report(*cases):
    """A JUnit file of (status, output) entries."""
    rows = "".join(
        f'<testcase name="t" status="{status}"><system-out>'
        f"{xml.sax.saxutils.escape(output)}</system-out></testcase>"
        for status, output in cases
    )
    return f"<testsuite>{rows}</testsuite>"


class CountTests(unittest.TestCase):
    def last_line(self, *reports):
        """(exit status, last line) for these report files."""
        with tempfile.TemporaryDirectory() as folder:
            for number, text in enumerate(reports):
                pathlib.Path(folder, f"{number}.xml").write_text(text)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                status = count_tests.main([folder])
            return status, printed.getvalue().split("\n")[-2]

    def test_cases_are_summed_over_programs_and_reports(self):
        reports = report(("run", GTEST_GREEN), ("run", UNITTEST_GREEN)), report(("run", "done"))
        self.assertEqual(self.last_line(*reports), (0, "15 passed, 0 failed"))

    def test_failures_are_counted_one_by_one(self):
        reports = report(("fail", GTEST_RED), ("fail", UNITTEST_RED))
        self.assertEqual(self.last_line(reports), (1, "12 passed, 5 failed"))

    def test_a_crash_and_a_missing_program_are_failures(self):
        crash = "[ RUN      ] A.b\nSegmentation fault\n"
        self.assertEqual(
            self.last_line(report(("fail", crash), ("notrun", ""))), (1, "0 passed, 2 failed")
        )
        self.assertEqual(self.last_line(report(("fail", GTEST_GREEN))), (1, "4 passed, 1 failed"))

    def test_nothing_at_all_is_a_failure(self):
        self.assertEqual(self.last_line(), (1, "0 passed, 1 failed"))
        self.assertEqual(self.last_line(report(("run", "")), report()), (1, "1 passed, 1 failed"))

    def test_targets_of_a_label(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            place = root / "src" / "CTestTestfile.cmake"
            place.parent.mkdir()
            place.write_text(CTEST_LISTING.replace("ROOT", str(root)))
            self.assertEqual(count_tests.targets_of(folder, "quick"), ["a_test", "strata"])
            self.assertEqual(count_tests.targets_of(folder, "full"), ["b_test"])
            self.assertEqual(count_tests.targets_of(folder, "nightly"), [])


if __name__ == "__main__":
    unittest.main()
