"""Rows E: what a body says, and what its fields ask for."""

import json

import hostile_case
from hostile_case import CHAT, CONTEXT, TEXT
from served import PEBBLE

ASK = {"prompt": "a", "max_tokens": 2, "ignore_eos": True}
HELLO = [{"role": "user", "content": "Hello"}]
VOCABULARY = 4096

# Each with its least, its most and whether it is a whole number; max_tokens has the context besides.
NUMBERS = {
    "max_tokens": (1, 1 << 24, True),
    "min_tokens": (0, 2, True),
    "temperature": (0, 100, False),
    "top_k": (-1, 2**31 - 1, True),
    "top_p": (2**-10, 1, False),
    "min_p": (0, 1, False),
    "typical_p": (2**-10, 1, False),
    "repetition_penalty": (1e-6, 1e6, False),
    "presence_penalty": (-2, 2, False),
    "frequency_penalty": (-2, 2, False),
    "seed": (0, 2**63 - 1, True),
    "logprobs": (0, 20, True),
    "prompt_logprobs": (0, 20, True),
    "n": (1, 128, True),
}
NO_JSON = (
    b"", b" ", b"null", b"[]", b'"x"', b"5", b"true", b"{", b"}", b'{"prompt"', b'{"prompt":',
    b'{"prompt": "a"', b'{"prompt": "a",}', b'{"prompt": "a"}{}', b'{"prompt": "a"} x',
    b"{'prompt': 'a'}", b'{prompt: "a"}', b'{"prompt": "a" "n": 1}', b'{"prompt": "a", , "n": 1}',
    b'// c\n{"prompt": "a"}', b'{"prompt": "a" /* c */}', b'{"prompt": "a\nb"}', b'{"prompt": "a\tb"}',
    b'{"prompt": "\\x41"}', b'{"prompt": "\\u12"}', b'{"prompt": "\\"}', b'{"prompt": "a}',
    b'{"prompt": "a", "n": 01}', b'{"prompt": "a", "n": +1}', b'{"prompt": "a", "n": .5}',
    b'{"prompt": "a", "n": 1.}', b'{"prompt": "a", "n": 1e}', b'{"prompt": "a", "n": 0x1}',
    b'{"prompt": "a", "n": -}', b'{"prompt": "a", "n": NaN}', b'{"prompt": "a", "n": Infinity}',
    b'{"prompt": "a", "n": -Infinity}', b'{"prompt": "a", "n": True}', b'{"prompt": "a", "n": nul}',
    b'{"prompt": "a", "n": [1,]}', b'{"prompt": "a", "n": [1 2]}', b'{"prompt": "a", "n": [,1]}',
    b'{"prompt": "a", "n": ]}', b'{"prompt": "a"]', b'["prompt": "a"]', b'{"prompt", "a"}',
    b'{"prompt": "a", 5: 1}', b'{"prompt": "a", null: 1}', b"\xef\xbb\xbf{\"prompt\": \"a\"}",
    b'\xff\xfe{\x00}\x00', b'{"prompt": "a"}\x00', b"\x00", b'{"prompt": "a"\x0c}', b"{\xa0}",
)  # fmt: skip
NO_TEXT = (
    b'{"prompt": "\xff"}', b'{"prompt": "\xc3"}', b'{"prompt": "\xc0\x80"}', b'{"prompt": "\xed\xa0\x80"}',
    b'{"prompt": "\xf4\x90\x80\x80"}', b'{"prompt": "\xe2\x82"}', b'{"prompt": "\\ud800"}',
    b'{"prompt": "\\udc00\\ud800"}', b'{"prompt": "\\ud800x"}', b'{"\xff": 1, "prompt": "a"}',
)  # fmt: skip


class Request(hostile_case.HostileCase):
    def asked(self, route=TEXT, **more):
        body = ASK if route == TEXT else {"messages": HELLO, "max_tokens": 2}
        return self.posted(route, body | more)

    def test_e01_e02_bodies_that_are_no_object_of_json(self):
        for body in NO_JSON:
            with self.subTest(body):
                self.assert_refused(self.posted(TEXT, body), 400)
        for body in (b'{"prompt": "a", "max_tokens": 1}\n', b' {"prompt":"\\u0000\\ud83d\\ude00","max_tokens":1} '):
            with self.subTest(body):
                self.assert_fine(self.posted(TEXT, body))

    def test_e03_texts_that_are_none(self):
        for body in NO_TEXT:
            with self.subTest(body):
                self.assert_refused(self.posted(TEXT, body), 400)
        self.assert_fine(self.asked(prompt="a\0b"))

    def test_e04_depth_and_number_of_values(self):
        for body in (
            b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"x": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b', "prompt": "a"}',
            b'{"prompt": "a"' + b"".join(b', "k%d": 1' % i for i in range(1_000_000)) + b"}",
        ):
            with self.subTest(body[:30]):
                self.assert_refused(self.posted(TEXT, body), 400)
        many = {f"k{i}": i for i in range(400_000)}
        for field in ("chat_template_kwargs", "metadata", "stream_options", "logit_bias", "x", "response_format"):
            with self.subTest(field):
                body = {"messages": HELLO, "max_tokens": 1, field: many}
                self.assertIn(self.posted(CHAT, body).status, (200, 400))
        refused = self.asked(CHAT, chat_template_kwargs=many)
        self.assert_refused(refused, 400, param="chat_template_kwargs")
        reply = self.posted(TEXT, b'{"prompt": "a", "max_tokens": 1, "' + b"k" * 10_000_000 + b'": 1}')
        self.assertIn(reply.status, (200, 400))
        self.assertLess(sum(len(value) for value in reply.headers.values()), 8192)

    def test_e05_fields_that_stand_twice(self):
        for name, values in (("model", ('"pebble"', '"other"')), ("max_tokens", ("1", "2"))):
            with self.subTest(name):
                twice = ", ".join(f'"{name}": {value}' for value in values)
                self.assert_refused(self.posted(TEXT, f'{{"prompt": "a", {twice}}}'.encode()), 400)

    def test_e06_numbers_at_the_edge(self):
        for value in ("1e309", "-1e309", "1" + "0" * 400):
            with self.subTest(value[:8]):
                self.assert_refused(self.posted(TEXT, f'{{"prompt": "a", "temperature": {value}}}'.encode()), 400)
        for value in ("-0", "1e-400", "0.0", "-0.0"):
            with self.subTest(value):
                body = f'{{"prompt": "a", "max_tokens": 1, "temperature": {value}}}'
                self.assert_fine(self.posted(TEXT, body.encode()))

    def test_e07_fields_that_nobody_knows_and_some_that_nothing_supports(self):
        reply = self.assert_fine(self.asked(temprature=1, grammar_bombs=True))
        self.assertEqual(reply.headers["x-strata-ignored-fields"], "temprature, grammar_bombs")
        for field, value in (("suffix", "x"), ("best_of", 2), ("use_beam_search", True)):
            with self.subTest(field):
                self.assert_refused(self.asked(**{field: value}), 400, param=field)
        self.assert_fine(self.asked(suffix="", best_of=1, use_beam_search=False))
        self.assert_refused(self.asked(CHAT, functions=[{}]), 400, param="functions")

    def test_e08_every_number_at_and_beyond_its_ends(self):
        for field, (least, most, whole) in NUMBERS.items():
            step = 1 if whole else 0.125
            values = [-1, 0, least, most, most + step, least - step, 2**31, 2**63, 2**64, -(2**63), 1.5, 1e30]
            for value in [*values, "1", True, [], {}, None]:
                with self.subTest(f"{field}: {value!r}"):
                    self._check_number(field, value, least, most, whole)

    def _check_number(self, field, value, least, most, whole):
        reply = self.asked(**{"ignore_eos": False, field: value})
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        right = right and least <= value <= most and (not whole or value == int(value))
        context = field == "max_tokens" and right and value >= CONTEXT
        if (value is None or right) and not context:
            self.assert_fine(reply)
        else:
            self.assert_refused(reply, 400, param=None if context else field)

    def test_e09_names_of_insides(self):
        for field in ("n_discard", "id_slot", "cache_file", "backend", "slot_id", "model_path"):
            with self.subTest(field):
                reply = self.assert_fine(self.asked(**{field: "/etc/passwd"}))
                self.assertIn(field, reply.headers["x-strata-ignored-fields"])

    def test_e10_more_answers_than_there_may_be(self):
        for value in (0, -1, 129, 10**9):
            with self.subTest(value):
                body = ASK | {"n": value}
                self.assert_refused(self.posted(TEXT, body), 400, param="n")

    def test_e11_shapes_of_distributions(self):
        greedy = self.asked(max_tokens=8, temperature=0).json()["choices"][0]["text"]
        for more in ({"temperature": 1e-30}, {"temperature": 1e-300}, {"top_k": 1}, {"min_p": 1}):
            with self.subTest(more):
                reply = self.asked(max_tokens=8, **{"temperature": 1, "seed": 1} | more)
                self.assertEqual(self.assert_fine(reply).json()["choices"][0]["text"], greedy)
        self.assert_fine(self.asked(temperature=100, logprobs=3))
        for field, value in (("temperature", -0.1), ("top_p", 1.1), ("top_k", -2), ("min_p", 1.1),
                             ("presence_penalty", 2.1), ("frequency_penalty", -2.1), ("repetition_penalty", 0)):  # fmt: skip
            with self.subTest(field):
                self.assert_refused(self.asked(**{field: value}), 400, param=field)

    def test_e13_more_tokens_than_fit(self):
        self.assert_refused(self.asked(max_tokens=2, min_tokens=3), 400, param="min_tokens")
        self.assert_refused(self.asked(max_tokens=CONTEXT), 400, code="context_length_exceeded")

    def test_e14_logprobs(self):
        for value in (-1, 21, 10**9, "yes"):
            with self.subTest(value):
                self.assert_refused(self.asked(logprobs=value), 400, param="logprobs")
                refused = self.asked(CHAT, logprobs=True, top_logprobs=value)
                self.assert_refused(refused, 400, param="top_logprobs")
        self.assert_refused(self.asked(CHAT, top_logprobs=2), 400, param="top_logprobs")
        reply = self.asked(prompt=[5] * 2000, echo=True, logprobs=20, max_tokens=1)
        self.assertEqual(len(self.assert_fine(reply).json()["choices"][0]["logprobs"]["tokens"]), 2001)

    def test_e15_e16_prompts_as_long_as_the_context(self):
        self.assert_fine(self.asked(prompt=[5] * (CONTEXT - 1), max_tokens=1))
        for count in (CONTEXT, CONTEXT + 1, 2 * CONTEXT):
            with self.subTest(count):
                error = self.assert_refused(self.asked(prompt=[5] * count, max_tokens=1), 400, code="context_length_exceeded")
                self.assertIn(f"maximum context length is {CONTEXT} tokens", error["message"])
                self.assertIn(str(count), error["message"])
        self.assert_refused(self.posted(TEXT, {"prompt": "story " * 1_700_000}), 400, code="context_length_exceeded")

    def test_e17_messages(self):
        for messages in (
            [], None, "Hello", {}, [None], ["Hello"], [{}], [{"role": "user"}], [{"content": "a"}],
            [{"role": "wizard", "content": "a"}], [{"role": 5, "content": "a"}],
            [{"role": "user", "content": 5}], [{"role": "user", "content": None}],
            [{"role": "user", "content": [{"type": "text"}]}], [{"role": "user", "content": [5]}],
            [{"role": "tool", "content": "a", "tool_call_id": "none"}],
            [{"role": "assistant", "tool_calls": "x"}],
        ):  # fmt: skip
            with self.subTest(messages):
                self.assert_refused(self.asked(CHAT, messages=messages), 400)
        many = [{"role": "user", "content": [{"type": "text", "text": "a"}] * 100_000}]
        self.assert_refused(self.asked(CHAT, messages=many), 400)
        self.assert_refused(self.asked(CHAT, messages=HELLO * 100_000), 400)

    def test_e18_e19_e20_prompts(self):
        for prompt in (["a"] * 1_000_000, ["a", 5], [["a"]], [[[5]]], [], [[]], {}, 5, True, None,
                       [-1], [VOCABULARY], [2**31], [2**63], [1.5], ["5", 5], "", [""], ["a", ""]):  # fmt: skip
            with self.subTest(str(prompt)[:40]):
                error = self.assert_refused(self.asked(prompt=prompt), 400)
                self.assertTrue((error["param"] or "prompt").startswith("prompt"), error)

    def test_e21_biases(self):
        for bias in ({"-1": 1}, {str(VOCABULARY * 16): 1}, {"x": 1}, {"1e2": 1}, {"5": 101}, {"5": -101},
                     {"5": "1"}, {"5": None}, [1], "x", {"": 1}, {str(2**64): 1}):  # fmt: skip
            with self.subTest(bias):
                self.assert_refused(self.asked(logit_bias=bias), 400)
        many = {str(i): 1 for i in range(300_000)}
        self.assert_refused(self.asked(logit_bias=many), 400, param="logit_bias")
        banned = {str(i): -100 for i in range(100)}
        self.assert_fine(self.asked(logit_bias=banned))
        self.assert_refused(self.asked(allowed_token_ids=[]), 400)

    def test_e22_texts_that_are_hard_to_take_apart(self):
        for text in ("a" * 300_000, " " * 300_000, "e" + "\u0301" * 100_000, "\U0001f600" * 100_000,
                     "\n" * 300_000, "1" * 300_000, "".join(chr(i) for i in range(1, 0xD800)) * 3):  # fmt: skip
            with self.subTest(text[:2]):
                reply = self.posted("/tokenize", {"prompt": text})
                self.assertGreater(self.assert_fine(reply).json()["count"], 100)

    def test_e23_special_tokens_in_what_users_say(self):
        added = json.loads((PEBBLE / "tokenizer.json").read_text())["added_tokens"]
        special = {token["id"]: token["content"] for token in added if token["special"]}
        self.assertGreater(len(special), 5)
        whole = "".join(special.values())
        halves = "".join(text[: len(text) // 2] for text in special.values())
        texts = [whole, halves, *special.values(), "<image>", "\ufdd0" + whole, whole[:1] + "\ufdd0" + whole[1:]]
        tool = {"name": "look", "description": whole, "parameters": {"type": "object", "properties": {}}}

        def count(messages, **more):
            reply = self.assert_fine(self.posted("/tokenize", {"messages": messages} | more))
            return [token for token in reply.json()["tokens"] if token in special]

        call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        called = [{"role": "assistant", "content": None, "tool_calls": [call]}]
        for role, before in (("user", HELLO), ("system", HELLO), ("tool", HELLO + called)):
            for text in texts:
                said = [{"role": role, "content": text, "tool_call_id": "a"}]
                plain = [{"role": role, "content": "Hello", "tool_call_id": "a"}]
                self.assertEqual(count(before + said), count(before + plain), (role, text))
        tools = [{"type": "function", "function": tool}]
        plain = [{"type": "function", "function": tool | {"description": "Look."}}]
        self.assertEqual(count(HELLO, tools=tools), count(HELLO, tools=plain))
        ask = {"messages": [{"role": "user", "content": whole}], "max_tokens": 4}
        self.assert_fine(self.posted(CHAT, ask))

    def test_e24_stops(self):
        for stop in ("", [""], 5, [5], {}, ["a", None], ["x"] * 100_000):
            with self.subTest(str(stop)[:20]):
                error = self.assert_refused(self.asked(stop=stop), 400)
                self.assertTrue(error["param"].startswith("stop"), error)
        whole = self.asked(prompt="Once upon a time", max_tokens=30, temperature=0).json()
        text = whole["choices"][0]["text"]
        for start in range(3, len(text) - 3, 7):
            stop = text[start : start + 3]
            reply = self.asked(prompt="Once upon a time", max_tokens=30, temperature=0, stop=stop)
            choice = self.assert_fine(reply).json()["choices"][0]
            self.assertEqual(choice["text"], text[: text.index(stop)])

    def test_e25_models_that_are_not_served(self):
        for model in ("", "other", "PEBBLE", "../../secret", "pebble/", "a" * 10_000_000):
            with self.subTest(model[:20]):
                error = self.assert_refused(self.asked(model=model), 404, code="model_not_found")
                self.assertLess(len(error["message"]), 400)
        for model in (5, [], {}):
            with self.subTest(model):
                self.assert_refused(self.asked(model=model), 400, 404)

    def test_e26_templates_from_outside(self):
        self.assert_refused(self.asked(CHAT, chat_template="{{ 1 }}"), 400)
        for kwargs in (5, [], "x"):
            with self.subTest(kwargs):
                self.assert_refused(self.asked(CHAT, chat_template_kwargs=kwargs), 400)
        for name in ("messages", "tools", "bos_token"):
            with self.subTest(name):
                refused = self.asked(CHAT, chat_template_kwargs={name: []})
                self.assert_refused(refused, 400, param="chat_template_kwargs")
        self.assert_fine(self.asked(CHAT, chat_template_kwargs={"x": 1}))

    def test_e27_e28_e29_what_is_no_text(self):
        self.assert_refused(self.posted("/v1/embeddings", {"input": "a", "model": "pebble"}), 400, 404, 501)
        for url in ("http://169.254.169.254/", "file:///etc/passwd", "data:image/png;base64,!!", "http:\\\\x"):
            with self.subTest(url):
                part = {"type": "image_url", "image_url": {"url": url}}
                messages = [{"role": "user", "content": [part]}]
                self.assert_refused(self.asked(CHAT, messages=messages), 400)

    def test_e30_names_of_users(self):
        for value in ("a" * 10_000_000, "a\x1b[31m\nb\0", 5, {"a": 1}):
            with self.subTest(str(value)[:5]):
                self.assertIn(self.asked(user=value).status, (200, 400))


if __name__ == "__main__":
    hostile_case.main()
