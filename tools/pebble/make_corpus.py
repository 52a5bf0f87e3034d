#!/usr/bin/env python3
"""Write examples of pebble's corpus as JSON Lines, or print what the corpus consists of.

  make_corpus.py --seed N [--split train|heldout] [--examples N] [--kind K] [--length TOKENS] --out FILE.jsonl
  make_corpus.py --stats

The same arguments give the same bytes on every machine. Kinds take turns, so N examples hold N / 16 of each. A row has
id, kind, messages, tools where some are offered, gold and distance.
"""
import argparse
import json
import pathlib
import sys
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import corpus  # noqa: E402
from corpus import stats  # noqa: E402


def rows(args: argparse.Namespace) -> Iterator[dict]:
    kinds = [args.kind] if args.kind else list(corpus.KINDS)
    for number in range(args.examples):
        kind = kinds[number % len(kinds)]
        made = corpus.make_example(kind, args.seed, number // len(kinds), args.split, args.length)
        row = {"id": f"{kind}-{args.seed}-{number // len(kinds)}", "kind": kind, "messages": made.messages}
        if made.tools is not None:
            row["tools"] = made.tools
        yield row | {"gold": made.gold, "distance": made.distance}


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=corpus.SPLITS, default="train")
    parser.add_argument("--examples", type=int, default=1400)
    parser.add_argument("--kind", choices=corpus.KINDS, help="only this kind")
    parser.add_argument("--length", type=int, help="distance of long_recall in tokens (default: drawn, 40 to 1,500)")
    parser.add_argument("--out", help="the file to write; - is standard output")
    parser.add_argument("--stats", action="store_true", help="print templates, names, objects, words per kind; writes no file")
    args = parser.parse_args(argv)
    if not args.stats and not args.out:
        parser.error("--out is missing: name the file to write (or - for standard output), or ask for --stats")
    return args


def main(argv: list[str]) -> int:
    args = parse(argv)
    if args.stats:
        print(stats.report(args.seed))
        return 0
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows(args))
    if args.out == "-":
        sys.stdout.writelines(lines)
        return 0
    try:
        with open(args.out, "w", encoding="utf-8", newline="\n") as out:
            out.writelines(lines)
    except OSError as error:
        print(f"--out {args.out}: {error.strerror}; name a file that can be written", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
