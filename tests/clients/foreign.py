"""Tests of clients in other languages as unittest's: their runners' cases, one for one."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import packages
from served import BINARY, Server

TAP_CASE = re.compile(r"^(not )?ok \d+ - (.*?)(?: # .*)?$")


class Case(unittest.TestCase):
    """A case that another runner has run: passes, or fails with what that runner said."""

    def __init__(self, name, failure):
        super().__init__("report")
        self.name, self.failure = name, failure

    def report(self):
        if self.failure is not None:
            self.fail(self.failure)

    def __str__(self):
        return self.name


def cases_of_node(script):
    """run() of main() below: what node's test runner says of a script in node/."""

    def run(environment):
        done = subprocess.run(
            [packages.node(), "--test", "--test-reporter=tap", script],
            cwd=packages.NODE_TESTS,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        said = done.stdout + done.stderr
        found = [TAP_CASE.match(line) for line in done.stdout.splitlines()]
        results = [(case[2], said if case[1] else None) for case in found if case]
        return results or [(script, said)]

    return run


def main(run):
    """run(environment) -> [(name, failure or None)], with servers at STRATA_URL and STRATA_KEY_URL.

    The servers are idle when it returns, or that is a failure of its own: a client that gave up
    has left nothing behind.
    """
    if not BINARY.exists():
        sys.exit(f"{BINARY} must be there: ./run clients builds it")
    with tempfile.TemporaryDirectory() as folder:
        server = Server("--files-dir", f"{folder}/open")
        keyed = Server("--files-dir", f"{folder}/keyed", key="right")
        results = run({"STRATA_URL": server.url, "STRATA_KEY_URL": keyed.url})
        idle = None if server.is_idle_within(10) else "requests are left in the server"
        server.stop()
        keyed.stop()
    results.append(("nothing is left in the server", idle))
    suite = unittest.TestSuite(Case(*result) for result in results)
    outcome = unittest.TextTestRunner(verbosity=0).run(suite)
    sys.exit(not outcome.wasSuccessful())
