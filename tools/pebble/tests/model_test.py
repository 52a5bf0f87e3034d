"""train.py's own module against Transformers, and a few steps of training. Needs torch and Transformers.

Never a part of the engine's tests.
"""

import pathlib
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOOLS), str(TOOLS / "tests")]

try:
    import export
    import torch
    import train
    from model import Pebble, Shape
    from made import tokenizer_folder
    from state import load_folder
    from transformers import AutoModelForCausalLM, AutoTokenizer
except ImportError as error:
    raise unittest.SkipTest(f"needs tools/pebble/requirements.txt: {error}") from error


class Model(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (self.folder / name).write_bytes((tokenizer_folder() / name).read_bytes())

    def random_model(self) -> Pebble:
        """No branch is zero and each weight is exact in bfloat16, so that nothing is lost on the way."""
        torch.manual_seed(3)
        model = Pebble(Shape(layers=3))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_((parameter + 0.05 * torch.randn_like(parameter)).bfloat16().float())
        return model

    def test_it_copies_from_the_first_step(self) -> None:
        torch.manual_seed(1)
        model = Pebble(Shape())
        start = torch.randint(20, 4096, (8, 40))
        ids = torch.cat([start, start], dim=1)
        with torch.no_grad():
            likeliest = model(ids)[:, 45:-1].topk(5).indices
        found = (likeliest == ids[:, 46:, None]).any(-1).float().mean().item()
        self.assertGreater(found, 0.6)

    def test_exported_weights_give_the_same_logits(self) -> None:
        model = self.random_model()
        export.write(self.folder, dict(model.named_parameters()), {})
        other = AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32)
        ids = torch.randint(0, 4096, (2, 300))
        with torch.no_grad():
            gap = (model(ids) - other(ids).logits).abs().max().item()
        self.assertLess(gap, 2e-4)

    def test_resume_reads_what_export_wrote(self) -> None:
        model = self.random_model()
        place = {"step": 7, "tokens": 11, "answer_tokens": 5, "document": 3, "micro": 1}
        export.write(self.folder, dict(model.named_parameters()), {"place": place})
        args = train.parse(["--model", str(self.folder), "--work", str(self.folder / "work"), "--layers", "3", "--resume",
                            str(self.folder)])
        trainer = train.Trainer(args)
        self.assertEqual(trainer.state.place(), place)
        for (name, a), b in zip(model.named_parameters(), trainer.model.parameters(), strict=True):
            self.assertTrue(torch.equal(a, b), name)

    def test_a_checkpoint_goes_on_where_it_stopped(self) -> None:
        flags = ["--model", str(self.folder), "--work", str(self.folder / "work"), "--layers", "1", "--dtype", "f32",
                 "--micro-tokens", "512"]
        first = train.Trainer(train.parse(flags))
        batches, _ = first.stream.window(0, 0)
        losses = [first.step(batches[:2])[0] for _ in range(4)]
        self.assertLess(losses[-1], losses[0])
        first.state.save()
        second = train.Trainer(train.parse(flags))
        self.assertEqual(second.state.place(), first.state.place())
        for name, value in first.state.averaged.items():
            self.assertTrue(torch.equal(value, second.state.averaged[name]), name)

    def test_the_rate_falls_to_nothing(self) -> None:
        trainer = train.Trainer(train.parse(["--model", str(self.folder), "--work", str(self.folder), "--layers", "1",
                                             "--decay-tokens", "1000", "--warmup", "10"]))
        trainer.state.step, trainer.state.tokens = 20, 500
        self.assertAlmostEqual(trainer.rate(), 0.5)
        trainer.state.tokens = 1000
        self.assertEqual(trainer.rate(), 0.0)
        self.assertTrue(trainer.finished(0.0))

    def test_a_fall_goes_on_after_a_stop(self) -> None:
        flags = ["--model", str(self.folder), "--work", str(self.folder / "work"), "--layers", "1", "--warmup", "1"]
        first = train.Trainer(train.parse([*flags, "--decay-tokens", "1000"]))
        first.state.tokens = 250
        first.state.save()
        same = train.Trainer(train.parse([*flags, "--decay-tokens", "1000"]))
        self.assertAlmostEqual(same.rate(), 0.75)
        other = train.Trainer(train.parse([*flags, "--decay-tokens", "500"]))
        self.assertAlmostEqual(other.rate(), 1.0)
        flat = train.Trainer(train.parse(flags))
        self.assertAlmostEqual(flat.rate(), 1.0)

    def test_the_template_has_one_bos_in_transformers(self) -> None:
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        messages = [{"role": "user", "content": "Hello!"}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        self.assertEqual(ids.count(tokenizer.bos_token_id), 1)
        self.assertEqual(ids[0], tokenizer.bos_token_id)
        self.assertEqual(tokenizer.eos_token, "<|end|>")


if __name__ == "__main__":
    unittest.main()
