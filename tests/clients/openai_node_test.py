"""openai-node against the server: node/openai_test.mjs, its cases one for one."""

import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True

import foreign
import packages

CASE = re.compile(r"^(not )?ok \d+ - (.*?)(?: # .*)?$")


def run(environment):
    command = [packages.node(), "--test", "--test-reporter=tap", "openai_test.mjs"]
    done = subprocess.run(
        command,
        cwd=packages.NODE_TESTS,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    found = [CASE.match(line) for line in done.stdout.splitlines()]
    failure = done.stdout + done.stderr
    results = [(case[2], failure if case[1] else None) for case in found if case]
    if not results:
        results = [("openai_test.mjs", failure)]
    return results


if __name__ == "__main__":
    foreign.main(run)
