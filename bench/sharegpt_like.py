"""Lengths like those of ShareGPT conversations, and files of requests with these lengths.

  sharegpt_like.py --table                                  the rows of sharegpt_like.csv, to standard output
  sharegpt_like.py --prompts FILE [--requests N] [--vocab N]   rows for `strata generate --prompts`
  sharegpt_like.py --batch FILE [--requests N] [--vocab N]     rows for `strata batch`

Lengths are lognormal with sigma 1.0 and means 161 (prompt) and 338 (answer) before they are cut to 4..2,048 tokens, an answer
also to what 2,048 tokens leave it. `strata bench schedule --lengths` reads the same table, so a measured ratio and the one that the
schedule allows stand side by side. Answers have their full length (ignore_eos, max_tokens); prompts are random token ids.
"""

import argparse
import json
import math
import pathlib
import random

SEED = 20_240_607
ROWS = 2_000
MEAN_PROMPT, MEAN_ANSWER, SIGMA = 161, 338, 1.0
LEAST, MOST = 4, 2_048
TABLE = pathlib.Path(__file__).with_name("sharegpt_like.csv")


def draw_lengths():
    """(prompt tokens, answer tokens) of every row."""
    draw = random.Random(SEED)

    def length(mean, most):
        # The mean of a lognormal is exp(mu + sigma^2 / 2).
        mu = math.log(mean) - SIGMA**2 / 2
        return min(max(round(draw.lognormvariate(mu, SIGMA)), LEAST), most)

    rows = []
    for _ in range(ROWS):
        prompt = length(MEAN_PROMPT, MOST - LEAST)
        rows.append((prompt, length(MEAN_ANSWER, MOST - prompt)))
    return rows


def table_text(rows):
    prompts, answers = (sum(column) / len(rows) for column in zip(*rows))
    lines = [
        "# prompt tokens,answer tokens; written by sharegpt_like.py --table",
        f"# lognormal, sigma {SIGMA}, means {MEAN_PROMPT} and {MEAN_ANSWER}, seed {SEED};"
        f" cut to {LEAST}..{MOST}: means {prompts:.1f} and {answers:.1f}",
    ]
    return "\n".join(lines + [f"{prompt},{answer}" for prompt, answer in rows]) + "\n"


def read_table():
    rows = [line.split(",") for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return [(int(prompt), int(answer)) for prompt, answer in rows]


def requests(count, vocab):
    """Bodies of requests with the table's first lengths."""
    draw = random.Random(SEED + 1)
    for prompt, answer in read_table()[:count]:
        ids = [draw.randrange(vocab) for _ in range(prompt)]
        yield ids, {"max_tokens": answer, "ignore_eos": True, "temperature": 0}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--prompts", type=pathlib.Path)
    parser.add_argument("--batch", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=256)
    parser.add_argument("--vocab", type=int, default=256, help="prompts hold ids below this")
    args = parser.parse_args()
    if args.table:
        print(table_text(draw_lengths()), end="")
    if args.prompts:
        with args.prompts.open("w") as file:
            for i, (ids, fields) in enumerate(requests(args.requests, args.vocab)):
                file.write(json.dumps({"id": str(i), "ids": ids, **fields}) + "\n")
    if args.batch:
        with args.batch.open("w") as file:
            for i, (ids, fields) in enumerate(requests(args.requests, args.vocab)):
                body = {"model": "strata", "prompt": ids, **fields}
                row = {"custom_id": str(i), "method": "POST", "url": "/v1/completions", "body": body}
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
