"""lm-eval's local-completions against the server: what Transformers says of the same weights.

loglikelihoods.json is Transformers' (tools/golden/make_loglikelihoods.py). The server computes in
float32 for it, as the reference does.
"""

import hashlib
import json
import logging
import os
import pathlib
import sys

sys.dont_write_bytecode = True

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TQDM_DISABLE"] = "1"

import client_case
from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalCompletionsAPI
from served import PEBBLE

EXPECTED = json.loads(pathlib.Path(__file__).with_name("loglikelihoods.json").read_text("utf-8"))
TOLERANCE = 1e-3  # of a sum over up to 800 tokens


def asked(kind, *arguments):
    return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)


class LmEval(client_case.ClientCase):
    FLAGS = ("--dtype", "f32")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        logging.disable(logging.WARNING)
        cls.pairs = [
            asked("loglikelihood", pair["context"], pair["continuation"])
            for pair in EXPECTED["pairs"]
        ]

    def model(self, **more):
        return LocalCompletionsAPI(
            base_url=f"{self.server.url}/v1/completions",
            model="pebble",
            tokenizer=str(PEBBLE),
            max_length=4096,
            max_retries=1,
            **more,
        )

    def test_the_reference_is_of_these_weights(self):
        weights = hashlib.sha256((PEBBLE / "model.safetensors").read_bytes()).hexdigest()
        self.assertEqual(
            EXPECTED["weights_sha256"], weights, "run tools/golden/make_loglikelihoods.py"
        )

    def test_loglikelihoods_are_those_of_transformers(self):
        results = self.model().loglikelihood(self.pairs, disable_tqdm=True)
        for (total, greedy), pair in zip(results, EXPECTED["pairs"], strict=True):
            self.assertAlmostEqual(total, pair["loglikelihood"], delta=TOLERANCE)
            self.assertEqual(greedy, pair["greedy"])

    def test_batches_and_many_at_once_change_nothing(self):
        alone = self.model().loglikelihood(self.pairs, disable_tqdm=True)
        batched = self.model(batch_size=4).loglikelihood(self.pairs, disable_tqdm=True)
        at_once = self.model(num_concurrent=4, batch_size=2).loglikelihood(
            self.pairs, disable_tqdm=True
        )
        self.assertEqual(batched, alone)
        self.assertEqual(at_once, alone)

    def test_rolling_loglikelihoods_are_those_of_transformers(self):
        texts = [asked("loglikelihood_rolling", text["text"]) for text in EXPECTED["texts"]]
        totals = self.model().loglikelihood_rolling(texts, disable_tqdm=True)
        for total, text in zip(totals, EXPECTED["texts"], strict=True):
            self.assertAlmostEqual(total, text["loglikelihood"], delta=TOLERANCE)

    def test_greedy_texts_are_those_of_transformers(self):
        prompts = [
            asked("generate_until", row["prompt"], {"max_gen_toks": row["max_tokens"]})
            for row in EXPECTED["prompts"]
        ]
        texts = self.model().generate_until(prompts, disable_tqdm=True)
        self.assertEqual(texts, [row["text"] for row in EXPECTED["prompts"]])


if __name__ == "__main__":
    client_case.main()
