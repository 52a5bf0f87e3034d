#!/usr/bin/env python3
"""Score pebble, in any engine: held-out questions of the corpus, greedy answers, exact match.

  eval.py --seed N --transformers MODEL_DIR            float32 in Hugging Face Transformers
  eval.py --seed N --base-url http://127.0.0.1:8000    an OpenAI-compatible server (/v1/chat/completions)
  eval.py --seed N --strata BINARY --model MODEL_DIR   through `BINARY generate MODEL_DIR --prompts`

Prints a table by kind with the score of always giving the most frequent answer, and long recall by distance. An answer is right
when it is the expected text after stripping white space at both ends. The last line is `overall X %`.
"""

import argparse
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import backends  # noqa: E402
import corpus  # noqa: E402
from scoring import Question, report  # noqa: E402

LONG_DISTANCES = (200, 500, 1000, 1500)


def questions(seed: int, count: int, split: str) -> list[Question]:
    """Kinds take turns; long_recall goes through the distances of the table."""
    made = []
    for number in range(count):
        kind, index = corpus.SCORED_KINDS[number % len(corpus.SCORED_KINDS)], number // len(corpus.SCORED_KINDS)
        length = LONG_DISTANCES[index % len(LONG_DISTANCES)] if kind == "long_recall" else None
        example = corpus.make_example(kind, seed, index, split, length)
        prompt = example.messages[:-1]
        made.append(Question(f"{kind}-{index}", kind, prompt, example.tools, example.gold, length))
    return made


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True, help="seed of the questions; training uses 1, 10 and 99000001")
    parser.add_argument("--questions", type=int, default=4000, help="how many (default 4000)")
    parser.add_argument("--split", choices=corpus.SPLITS, default="heldout", help="templates and names to use (default heldout)")
    engine = parser.add_mutually_exclusive_group(required=True)
    engine.add_argument("--transformers", metavar="MODEL_DIR", help="score a model folder in Transformers, float32")
    engine.add_argument("--base-url", metavar="URL", help="score a server with an OpenAI API")
    engine.add_argument("--strata", metavar="BINARY", help="score the strata program; needs --model")
    parser.add_argument("--model", help="with --strata: the model folder; with --base-url: the model's name there")
    parser.add_argument("--max-tokens", type=int, default=160, help="longest answer (default 160)")
    parser.add_argument("--batch-tokens", type=int, default=12288, help="with --transformers: tokens in a batch (default 12288)")
    parser.add_argument("--parallel", type=int, default=8, help="with --base-url: requests at a time (default 8)")
    parser.add_argument("--flags", default="", help="with --strata: more flags for generate, in one text")
    parser.add_argument("--out", help="write every question, answer and verdict here, as JSON Lines")
    args = parser.parse_args(argv)
    if args.strata and not args.model:
        parser.error("--strata needs --model MODEL_DIR")
    return args


def answered(args: argparse.Namespace, asked: list[Question]) -> dict[str, backends.Answer]:
    if args.transformers:
        return backends.transformers_answers(args.transformers, asked, args.max_tokens, args.batch_tokens)
    if args.base_url:
        return backends.server_answers(args.base_url, args.model, asked, args.max_tokens, args.parallel)
    return backends.strata_answers(args.strata, args.model, asked, args.max_tokens, args.flags.split())


def main(argv: list[str]) -> int:
    args = parse(argv)
    asked = questions(args.seed, args.questions, args.split)
    began = time.monotonic()
    try:
        answers = answered(args, asked)
    except backends.EngineError as error:
        print(error, file=sys.stderr)
        return 1
    if args.out:
        with open(args.out, "w", encoding="utf-8", newline="\n") as out:
            for question in asked:
                answer = answers[question.id]
                row = {"id": question.id, "gold": question.gold, "answer": answer.text, "right": question.right(answer),
                       "stopped": answer.stopped, "tokens": answer.tokens}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{len(asked)} questions of seed {args.seed}, split {args.split}, in {time.monotonic() - began:.0f} s\n")
    print(report(asked, answers))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
