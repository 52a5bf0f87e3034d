"""openai-go against the server: go/openai_test.go, its cases one for one."""

import json
import sys

sys.dont_write_bytecode = True

import foreign
import packages


def run(environment):
    done = packages.run_go(
        "test", "-count=1", "-json", environment=environment, capture_output=True, text=True
    )
    said, results = {}, []
    for line in done.stdout.splitlines():
        event = json.loads(line)
        case, action = event.get("Test"), event["Action"]
        said[case] = said.get(case, "") + event.get("Output", "")
        if case and action in ("pass", "fail"):
            results.append((case, said[case] if action == "fail" else None))
    if done.returncode != 0 and not any(failure for _, failure in results):
        results.append(("openai_test.go", done.stdout + done.stderr))
    return results


if __name__ == "__main__":
    foreign.main(run)
