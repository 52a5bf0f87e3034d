"""Rows F: schemas, regular expressions, grammars and tools that are wrong, or too much."""

import concurrent.futures
import json
import random

import hostile_case
from hostile_case import CHAT, TEXT, many

HELLO = [{"role": "user", "content": "Hello"}]


class Structured(hostile_case.HostileCase):
    SLACK = 64 << 20  # of it the cache of compiled grammars, a quarter of what text may take

    def with_schema(self, schema, **more):
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        return self.posted(CHAT, {"messages": HELLO, "max_tokens": 400, "response_format": form} | more)

    def with_rule(self, kind, rule, **more):
        body = {"prompt": "a", "max_tokens": 40, "structured_outputs": {kind: rule}}
        return self.posted(TEXT, body | more)

    def refused(self, ask, *arguments):
        return self.assert_refused(ask(*arguments), 400)

    def test_f01_schemas_that_are_none(self):
        for schema in (5, "x", [], {"type": "wizard"}, {"type": 5}, {"$ref": "#/$defs/none"},
                       {"$ref": "http://127.0.0.1:1/schema"}, {"properties": 5}, {"enum": "x"}):  # fmt: skip
            with self.subTest(schema):
                self.refused(self.with_schema, schema)
        tree = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "additionalProperties": False,
                "properties": {"n": {"$ref": "#/$defs/n"}}}}}  # fmt: skip
        self.assert_fine(self.with_schema(tree))

    def test_f02_depth(self):
        schema = b'{"items":' * 60_000 + b"{}" + b"}" * 60_000
        body = b'{"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_schema", '
        body += b'"json_schema": {"name": "x", "schema": ' + schema + b"}}}"
        self.refused(self.posted, CHAT, body)
        self.refused(self.with_rule, "regex", "(" * 60_000 + "a" + ")" * 60_000)
        self.refused(self.with_rule, "grammar", "start: " + "(" * 60_000 + '"a"' + ")" * 60_000)

    def test_f03_schemas_that_explode(self):
        names = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(20)}
        names["d20"] = {"type": "string"}
        for schema in (
            {"$ref": "#/$defs/d0", "$defs": names},
            {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(100_000)}},
            {"enum": [f"value {i}" for i in range(400_000)]},
            {"allOf": [{"properties": {f"p{i}": {"pattern": f"^[a-z]{{{i}}}"}}} for i in range(2000)]},
            {"type": "string", "minLength": 10**9},
            {"type": "array", "minItems": 10**9, "items": {}},
        ):
            with self.subTest(str(schema)[:60]):
                reply = self.with_schema(schema, max_tokens=2)
                self.assertIn(reply.status, (200, 400), reply.body[:200])

    def test_f04_regular_expressions_that_explode(self):
        for regex in ("(a+)+$", "(a|a)*", "a{1,100000}{1,100000}", ".{0,1000000000}", "(x{1,1000}){1,1000}y",
                      "((a{0,300}){0,300}){0,300}", "(.*a){25}", "[a-z]{4}" * 20_000):  # fmt: skip
            with self.subTest(regex[:30]):
                reply = self.with_rule("regex", regex, max_tokens=2)
                self.assertIn(reply.status, (200, 400), reply.body[:200])

    def test_f05_grammars_that_are_none(self):
        for grammar in ("", "start", "start:", "other: \"a\"", "start: none", "start: start", 'start: "a', "%%%",
                        "start: /[/", "start: a\na: b\nb: a", "\0", "start: " + "x" * 100_000):  # fmt: skip
            with self.subTest(grammar[:30]):
                self.refused(self.with_rule, "grammar", grammar)

    def test_f06_regular_expressions_that_are_none(self):
        for regex in ("(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "*", "+", "?", "(?:", "(", ")", "[", "[z-a]",
                      r"\p{Wizard}", "a{2,1}", "a{", "(?P<n>a)(?P=n)"):  # fmt: skip
            with self.subTest(regex):
                reply = self.with_rule("regex", regex, max_tokens=4)
                if regex != "a{":  # some take it for text
                    self.assert_refused(reply, 400)

    def test_f07_what_nothing_satisfies(self):
        for schema in ({"type": "string", "minLength": 3, "maxLength": 2}, {"enum": []}, False,
                       {"type": "integer", "minimum": 3, "maximum": 2}, {"not": {}},
                       {"type": "array", "minItems": 2, "maxItems": 1, "items": {}}):  # fmt: skip
            with self.subTest(schema):
                self.refused(self.with_schema, schema)
        self.refused(self.with_rule, "choice", [])

    def test_f08_tools(self):
        def tool(name="f", **more):
            return {"type": "function", "function": {"name": name} | more}

        for tools in (
            [tool(), tool()], [tool(f"f{i}") for i in range(10_000)], [tool('a"b')], [tool("")], [tool("a b")],
            [tool("x" * 1000)], [tool(5)], [{"type": "function"}], [{"type": "web_search"}], [5], "x", {},
            [tool(parameters=5)],
        ):  # fmt: skip
            with self.subTest(str(tools)[:60]):
                body = {"messages": HELLO, "max_tokens": 4, "tools": tools, "tool_choice": "required"}
                self.refused(self.posted, CHAT, body)
        for choice in ("always", 5, {"type": "function", "function": {"name": "g"}}, {"type": "function"}, []):
            with self.subTest(choice):
                body = {"messages": HELLO, "max_tokens": 4, "tools": [tool()], "tool_choice": choice}
                self.refused(self.posted, CHAT, body)

    def test_f09_many_schemas(self):
        def ask(number):
            self.assert_fine(self.with_rule("regex", f"[a-f]{{1,{number % 7 + 1}}}-{number}", max_tokens=1))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(many(300, 100_000))))

    def test_f10_an_answer_that_is_cut_off(self):
        schema = {"type": "string", "minLength": 200}
        choice = self.assert_fine(self.with_schema(schema, max_tokens=5)).json()["choices"][0]
        self.assertEqual(choice["finish_reason"], "length")

    def test_f11_nothing_that_is_allowed(self):
        reply = self.with_rule("regex", "[ab]+", allowed_token_ids=[5], max_tokens=4)
        self.assertIn(reply.status, (400, 500), reply.body[:200])
        self.assert_refused(reply, 400, 500)

    def test_f12_valid_schemas_have_valid_answers(self):
        draw = random.Random(12)
        for _ in range(40):
            names = [f"k{i}" for i in range(draw.randint(1, 4))]
            schema = {
                "type": "object",
                "properties": {name: self.any_type(draw) for name in names},
                "required": names,
                "additionalProperties": False,
            }
            reply = self.with_schema(schema, seed=draw.randint(0, 10**6), temperature=1)
            choice = self.assert_fine(reply).json()["choices"][0]
            if choice["finish_reason"] == "stop":
                made = json.loads(choice["message"]["content"])
                self.assertEqual(set(made), set(names))
                for name in names:
                    self.check(made[name], schema["properties"][name])

    def any_type(self, draw):
        return draw.choice(
            [
                {"type": "integer", "minimum": draw.randint(-9, 0), "maximum": draw.randint(1, 99)},
                {"type": "boolean"},
                {"type": "string", "maxLength": draw.randint(1, 9)},
                {"enum": ["a", "b", 5, None]},
                {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
            ]
        )

    def check(self, value, schema):
        kind = schema.get("type")
        if kind == "integer":
            self.assertIsInstance(value, int)
            self.assertTrue(schema["minimum"] <= value <= schema["maximum"])
        elif kind == "string":
            self.assertLessEqual(len(value), schema["maxLength"])
        elif kind == "array":
            self.assertLessEqual(len(value), 3)
            self.assertTrue(all(isinstance(each, bool) for each in value))
        elif kind == "boolean":
            self.assertIsInstance(value, bool)
        else:
            self.assertIn(value, schema["enum"])


if __name__ == "__main__":
    hostile_case.main()
