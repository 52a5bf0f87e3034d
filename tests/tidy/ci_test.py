"""Holds .ci/run to its last line and its status, with jobs of the test's own in ./run's place."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

CI = pathlib.Path(__file__).resolve().parents[2] / ".ci/run"
GREEN = "printf '12 passed, 0 failed\\n'"
RED = "printf 'failed: a\\n11 passed, 1 failed\\n'; exit 1"


class ContinuousIntegration(unittest.TestCase):
    def ran(self, test, clients):
        """(exit status, last line) where the two jobs are these lines of shell."""
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / ".ci").mkdir()
            shutil.copy(CI, f"{folder}/.ci/run")
            run = pathlib.Path(folder, "run")
            run.write_text(f"#!/bin/sh\ncase $1 in test) {test};; clients) {clients};; esac\n")
            run.chmod(0o755)
            done = subprocess.run(
                [f"{folder}/.ci/run"], capture_output=True, text=True, check=False, timeout=60
            )
            return done.returncode, done.stdout.splitlines()[-1]

    def test_cases_of_both_are_summed(self):
        self.assertEqual(self.ran(GREEN, GREEN), (0, "24 passed, 0 failed"))

    def test_one_failure_anywhere_fails_all(self):
        self.assertEqual(self.ran(RED, GREEN), (1, "23 passed, 1 failed"))
        self.assertEqual(self.ran(GREEN, RED), (1, "23 passed, 1 failed"))

    def test_a_job_that_does_not_count_is_a_failure(self):
        self.assertEqual(self.ran(GREEN, "echo what >&2; exit 69"), (1, "12 passed, 1 failed"))
        self.assertEqual(self.ran("exit 69", GREEN), (1, "12 passed, 1 failed"))
        self.assertEqual(self.ran(GREEN, "true"), (1, "12 passed, 1 failed"))

    def test_a_status_counts_whatever_was_printed(self):
        self.assertEqual(self.ran(GREEN, f"{GREEN}; exit 1")[0], 1)


if __name__ == "__main__":
    unittest.main(verbosity=0)
