#!/usr/bin/env python3
"""Write the Hugging Face folder of a golden case, to run it by hand.

  write_case.py tests/golden/cases/llama2_mha OUT_DIR

Needs numpy. Also writes OUT_DIR/prompt.jsonl, a row for `strata generate --prompts`.
"""
import argparse
import json
import os

import folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case_dir")
    parser.add_argument("out_dir")
    args = parser.parse_args()
    with open(os.path.join(args.case_dir, "case.json")) as file:
        case = json.load(file)
    folder.write_folder(args.out_dir, case)
    with open(os.path.join(args.out_dir, "prompt.jsonl"), "w") as file:
        file.write(json.dumps({"id": case["name"], "ids": case["prompt_ids"]}) + "\n")


if __name__ == "__main__":
    main()
