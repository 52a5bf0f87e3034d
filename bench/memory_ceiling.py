#!/usr/bin/env python3
"""Random loads under a memory cgroup that is set to --memory: is anything killed, is everything answered?

  memory_ceiling.py --binary build/release/strata --model models/pebble --loads 50 --seed 1 [--stream]

Needs a writable memory cgroup (version 1 or 2). Each load draws a ceiling, flags and a batch of rows: spikes of long prompts,
prompt_logprobs, several answers, echo; with --stream also where the weights lie, how they are read and through what ring.
Prints a line per load (flags, ceiling, peak of the group, rows) and a last line "N loads, N failures"; exit code 1 where a
process was killed or a row was not answered.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

MIB = 1 << 20


class Cgroup:
    """A child group with a limit; files of version 1 and 2 differ in name only."""

    def __init__(self, name: str) -> None:
        second = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
        root = pathlib.Path("/sys/fs/cgroup" if second else "/sys/fs/cgroup/memory")
        self.folder = root / name
        self.limit, self.peak = ("memory.max", "memory.peak") if second else ("memory.limit_in_bytes", "memory.max_usage_in_bytes")
        self.second = second

    def __enter__(self) -> "Cgroup":
        self.folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.rmdir()

    def set_limit(self, size: int) -> None:
        (self.folder / self.limit).write_text(str(size))
        if not self.second:
            (self.folder / "memory.swappiness").write_text("0")

    def enter(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak_bytes(self) -> int:
        return int((self.folder / self.peak).read_text())


def body(draw: random.Random, context: int) -> tuple[str, dict]:
    words = ["the", "cat", "saw", "a", "red", "house", "and", "went", "home", "17", "Anna"]
    size = draw.choice((5, 50, 400, context // 3))
    text = " ".join(draw.choice(words) for _ in range(size))
    made: dict = {"max_tokens": draw.randint(1, 60), "temperature": draw.choice((0, 1.0)), "seed": draw.randint(0, 999),
                  "ignore_eos": draw.random() < 0.5}
    if draw.random() < 0.3:
        made["prompt_logprobs"] = draw.choice((0, 5, 20))
    if draw.random() < 0.3:
        made["n"] = draw.randint(2, 6)
    if draw.random() < 0.5:
        return "/v1/chat/completions", made | {"messages": [{"role": "user", "content": text}]}
    if draw.random() < 0.5:
        made |= {"echo": True, "logprobs": draw.randint(0, 5)}
    return "/v1/completions", made | {"prompt": text}


def least_ceiling(args: argparse.Namespace, flags: list[str]) -> int:
    """What the program says would do, in MiB."""
    done = subprocess.run([args.binary, "generate", args.model, "--prompt", "x", "--memory", "16MiB", *flags], check=False,
                          capture_output=True, text=True)
    return int(done.stderr.rpartition("(--memory ")[2].partition("MiB")[0])


def run_load(args: argparse.Namespace, number: int, folder: pathlib.Path) -> bool:
    draw = random.Random(f"{args.seed} {number}")
    flags = ["--max-num-seqs", str(draw.choice((1, 8, 64))), "--prefill-chunk", str(draw.choice((64, 512)))]
    if args.stream:
        flags += ["--weights-on", draw.choice(("auto", "disk")), "--io", draw.choice(("auto", "uring", "pread"))]
        flags += draw.choice(([], ["--ring-bytes", f"{draw.randint(8, 24)}MiB"]))
    least = least_ceiling(args, flags)
    ceiling = least + draw.choice((0, 4, 32, 200))
    rows = [{"custom_id": str(row), "method": "POST", "url": url, "body": fields}
            for row, (url, fields) in enumerate(body(draw, args.context) for _ in range(draw.randint(20, 120)))]
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out.unlink(missing_ok=True)
    with Cgroup(f"strata-ceiling-{os.getpid()}") as group:
        group.set_limit(ceiling * MIB)
        done = subprocess.run([args.binary, "batch", args.model, str(source), str(out), "--memory", f"{ceiling}MiB", *flags],
                              check=False, capture_output=True, text=True, preexec_fn=group.enter)
        peak = group.peak_bytes()
    answers = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    # What could never fit was refused with the numbers; all else must have been answered.
    refused = sum(1 for answer in answers if (answer["error"] or {}).get("code") in ("resource_limit", "invalid_argument"))
    failed = sum(1 for answer in answers if answer["error"]) - refused
    fine = done.returncode in (0, 65) and len(answers) == len(rows) and failed == 0
    print(f"load {number}: {' '.join(flags)}: ceiling {ceiling} MiB (least {least}), peak of the group {peak / MIB:.0f} MiB, "
          f"{len(rows)} rows, "
          f"{refused} refused, {failed} failed, exit code {done.returncode}{'' if fine else '  FAILED'}", flush=True)
    if not fine:
        print(done.stderr[-600:], flush=True)
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/strata")
    parser.add_argument("--model", default="models/pebble")
    parser.add_argument("--context", type=int, default=3000, help="longest prompts have about a third as many words (default 3000)")
    parser.add_argument("--loads", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stream", action="store_true", help="draw --weights-on, --io and --ring-bytes too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        failures = sum(not run_load(args, number, pathlib.Path(folder)) for number in range(args.loads))
    print(f"{args.loads} loads, {failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
