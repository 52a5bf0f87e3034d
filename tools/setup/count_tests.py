"""Counts test cases in the JUnit files that ctest writes, or names the targets of a label's tests.

One ctest entry is one program; its cases are read from what it printed (GoogleTest or unittest), so
that "N passed" counts cases. A program that fails without naming a failed case (a crash, a time
limit) counts as one failure.

  count_tests.py REPORTS      prints "N passed, N failed" last; status 1 on failure or no test
  count_tests.py --targets BUILD_FOLDER LABEL
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml

GTEST_RESULT = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) +\] (\d+) tests?[.,]", re.MULTILINE)
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
UNITTEST_COUNT = re.compile(
    r"(failures|errors|skipped|expected failures|unexpected successes)=(\d+)"
)
ADD_TEST = re.compile(r"^add_test\(\[=*\[(\w+)\]=*\] (.*)\)$", re.MULTILINE)
TEST_PROPERTIES = re.compile(
    r"^set_tests_properties\(\[=*\[(\w+)\]=*\] PROPERTIES (.*)\)$", re.MULTILINE
)


def printed_counts(output):
    """(passed, failed, skipped) as the program printed them, or None for an unknown kind."""
    rows = {kind.lower(): int(number) for kind, number in GTEST_RESULT.findall(output)}
    if rows:
        return rows.get("passed", 0), rows.get("failed", 0), rows.get("skipped", 0)
    ran = UNITTEST_RAN.findall(output)
    if not ran:
        return None
    verdict = output[output.rindex("Ran ") :]
    counts = {name: int(number) for name, number in UNITTEST_COUNT.findall(verdict)}
    failed = (
        counts.get("failures", 0) + counts.get("errors", 0) + counts.get("unexpected successes", 0)
    )
    skipped = counts.get("skipped", 0)
    return int(ran[-1]) - failed - skipped, failed, skipped


def case_counts(case):
    """(passed, failed, skipped) of one ctest entry; its exit status has the last word."""
    succeeded = case.get("status") == "run"
    passed, failed, skipped = printed_counts(case.findtext("system-out") or "") or (
        int(succeeded),
        0,
        0,
    )
    if not succeeded and failed == 0:
        failed = 1
    if succeeded and failed > 0:
        # A nested run may print failures that are expected: the program said that all is well.
        passed, failed = passed + failed, 0
    return passed, failed, skipped


def count(reports):
    """Totals over all reports, and the names of the entries that failed."""
    totals = [0, 0, 0]
    failures = []
    for report in sorted(pathlib.Path(reports).glob("*.xml")):
        cases = list(xml.parse(report).getroot().iter("testcase"))
        if not cases:
            totals[1] += 1
            failures.append(f"{report.stem}: no test ran")
        for case in cases:
            counts = case_counts(case)
            totals = [total + number for total, number in zip(totals, counts)]
            if counts[1]:
                failures.append(f"{report.stem}: {case.get('name')}")
    return totals, failures


def targets_of(build_folder, label):
    """Build targets that the tests with this label run: paths in the build folder on their lines.

    Read from what CMake wrote: ctest does not tell the command of a program that is not built yet.
    A test that is a script names no such path; it drives the strata binary.
    """
    root = pathlib.Path(build_folder).resolve()
    targets = set()
    for listing in root.rglob("CTestTestfile.cmake"):
        text = listing.read_text()
        commands = dict(ADD_TEST.findall(text))
        for name, properties in TEST_PROPERTIES.findall(text):
            labels = re.search(r'\bLABELS "([^"]*)"', properties)
            labels = labels.group(1).split(";") if labels else []
            if label in labels and "static" not in labels:
                words = re.findall(r'"([^"]*)"', commands[name])
                inside = [
                    word.removeprefix(f"{root}/") for word in words if word.startswith(f"{root}/")
                ]
                targets.update(inside or ["strata"])
    return sorted(targets)


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "--targets":
        print("\n".join(targets_of(arguments[1], arguments[2])))
        return 0
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    (passed, failed, skipped), failures = count(arguments[0])
    for name in failures:
        print(f"failed: {name}")
    if skipped:
        print(f"{skipped} skipped (the machine lacks what they need)")
    if passed + failed == 0:
        print("no test ran")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
