"""What train.py reads: ids as the chat template gives them, the mask over answers, batches. Needs tokenizers, not torch.

The tokenizer and the template are those that make_tokenizer.py makes.
"""

import json
import pathlib
import random
import sys
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOOLS), str(TOOLS / "tests")]

import corpus  # noqa: E402

try:
    import data
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from made import tokenizer_folder
    from tokenizers import Tokenizer
except ImportError as error:
    raise unittest.SkipTest(f"needs tools/pebble/requirements.txt: {error}") from error


class Data(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.tokenizer = Tokenizer.from_file(str(tokenizer_folder() / "tokenizer.json"))
        cls.encoder = data.Encoder(cls.tokenizer)
        cls.config = json.loads((tokenizer_folder() / "tokenizer_config.json").read_text(encoding="utf-8"))
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.Undefined)
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
        cls.template = environment.from_string(cls.config["chat_template"])

    def rendered(self, messages: list[dict], tools: list[dict] | None = None, prompt: bool = False) -> str:
        return self.template.render(messages=messages, tools=tools, add_generation_prompt=prompt, bos_token="<|bos|>")

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def test_round_trip(self) -> None:
        texts = ("Please bring the sticker to Vulmfield.", ' {"a": [1, 23]}\n\n\tx', "naïve Zoë 東京 🙂", "<tool_call>{}</tool_call>")
        for text in texts:
            self.assertEqual(self.tokenizer.decode(self.ids(text)), text)

    def test_a_rare_word_has_the_same_pieces_after_a_space(self) -> None:
        space = self.ids(" ")
        for word in ("Vulmfield", "Quarrobank", "zibelnik"):
            self.assertEqual(self.ids(" " + word), space + self.ids(word))

    def test_digits_stand_alone(self) -> None:
        self.assertEqual(len(self.ids("4096")), 4)

    def test_one_bos_by_template_and_by_tokenizer(self) -> None:
        bos = self.encoder.bos
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello!"}]
        self.assertEqual(self.ids(self.rendered(messages, prompt=True)).count(bos), 1)
        self.assertEqual(self.tokenizer.encode("Hello!").ids.count(bos), 1)
        self.assertEqual(self.tokenizer.encode("Hello!").ids[0], bos)

    def test_ids_are_those_of_the_template(self) -> None:
        for kind in corpus.KINDS:
            for index in range(12):
                example = corpus.make_example(kind, 7, index)
                document = self.encoder.document(example)
                self.assertEqual(document.ids.tolist(), self.ids(self.rendered(example.messages, example.tools)), f"{kind} {index}")
                prompt = self.ids(self.rendered(example.messages[:-1], example.tools, prompt=True))
                self.assertEqual(document.ids[: document.last_answer].tolist(), prompt, f"{kind} {index}")

    def test_the_mask_covers_assistant_turns_and_their_stop(self) -> None:
        example = corpus.make_example("tool_call", 7, 3)
        document = self.encoder.document(example)
        shown = "".join(self.tokenizer.id_to_token(int(token)) if keep else "|" for token, keep in
                        zip(document.ids, document.answer, strict=True))
        answers = [part for part in shown.replace("Ġ", " ").replace("Ċ", "\n").split("|") if part and part not in ("<", ">")]
        want = [self.encoder._said(message) for message in example.messages if message["role"] == "assistant"]
        self.assertEqual(int(document.answer.sum()), sum(len(self.ids(text)) + 1 for text in want))
        self.assertTrue(answers)
        self.assertTrue(document.answer[-1])
        self.assertEqual(document.ids[-1], self.encoder.end)
        last = document.ids[document.last_answer : -1].tolist()
        self.assertEqual(self.tokenizer.decode(last), example.gold)

    def test_calls_survive_decoding(self) -> None:
        gold = corpus.render_tool_call("buy", {"thing": "map", "count": 3})
        self.assertEqual(self.tokenizer.decode(self.ids(gold), skip_special_tokens=True), gold)

    def test_a_stream_is_a_function_of_its_seed(self) -> None:
        first, number = data.Stream(self.encoder, 5).window(100, 0)
        again, _ = data.Stream(self.encoder, 5).window(100, 0)
        other, _ = data.Stream(self.encoder, 6).window(100, 0)
        self.assertGreater(number, 100)
        self.assertTrue(all((a.ids == b.ids).all() and (a.places == b.places).all() for a, b in zip(first, again, strict=True)))
        self.assertNotEqual(first[0].ids.tobytes(), other[0].ids.tobytes())

    def test_the_two_passes_of_a_step_cost_nearly_the_same(self) -> None:
        batches, _ = data.Stream(self.encoder, 5, micro_tokens=2048).window(0, 60_000_000)
        pairs = list(zip(batches[::2], batches[1::2], strict=False))
        waited = sum(abs(a.tokens - b.tokens) for a, b in pairs)
        self.assertLess(waited, 0.04 * sum(batch.tokens for batch in batches))
        sizes = [a.tokens for a, _ in pairs]
        self.assertNotEqual(sizes, sorted(sizes))

    def test_every_answer_token_is_learned_once(self) -> None:
        stream = data.Stream(self.encoder, 5)
        batches, after = stream.window(0, 0)
        answers = sum(int(stream.document(number, 0)[0].answer.sum()) for number in range(after))
        self.assertEqual(sum(int(batch.is_answer.sum()) for batch in batches), answers)
        for batch in batches:
            flat = batch.ids.reshape(-1)
            real = batch.targets != data.NOTHING
            self.assertEqual(flat[batch.places[real] + 1].tolist(), batch.targets[real].tolist())
            self.assertEqual(len(batch.places) % data.PLACES_MULTIPLE, 0)

    def test_copies_are_of_what_stood_before(self) -> None:
        for seed in range(20):
            document = self.encoder.copies(random.Random(seed))
            ids = document.ids.tolist()
            pairs = set()
            for place in range(1, len(ids)):
                pair = (ids[place - 1], ids[place])
                self.assertTrue(not document.answer[place] or pair in pairs)
                pairs.add(pair)
            self.assertGreater(int(document.answer.sum()), 5)

    def test_stretched_positions_rise_and_stay_inside(self) -> None:
        for seed in range(50):
            positions = data.stretched(300, random.Random(seed))
            self.assertEqual(positions[0], 0)
            self.assertTrue((positions[1:] > positions[:-1]).all())
            self.assertLess(positions[-1], data.CONTEXT)


if __name__ == "__main__":
    unittest.main()
