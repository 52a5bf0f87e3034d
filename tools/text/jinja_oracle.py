#!/usr/bin/env python3
"""What Python's Jinja makes of chat templates, for comparison with ours.

    tools/text/jinja_oracle.py OUT.jsonl --chats N TEMPLATE.jinja...     N seeded chats through every template
    tools/text/jinja_oracle.py OUT.jsonl --snippets FILE...              one line of the file = one template

Jinja is set up as Transformers sets it up for apply_chat_template. A row holds the template's source, the input as JSON
texts, and the text expected, or null where Jinja raised. Needs the Python package jinja2, nothing else.
"""

import argparse
import datetime
import functools
import json
import random
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = 1_753_963_629

WORDS = ["hello", "Straße", "naïve", "数学", "🦙", "👩‍🚀", "it's", 'say "hi"', "<b>&amp;</b>", "a\\b", "tab\there", "line\nbreak",
         "</think>", "<think>", "x</think>y", "<|im_end|>", "{{ x }}", "{% if %}", "  spaced  ", "\n\n", "0", "3.5", "-1e-7",
         "\u00a0", "\u2028", "\u200b", "é", "ﬁ", "ǆ", "None", "true", "[INST]", "%s", "{}", "\r\n", "\u0000", "\x1f", "\u007f"]
NAMES = ["get_weather", "search", "räume", "a", "run_code2"]
KEYS = ["city", "unit", "items", "keys", "values", "get", "count", "ключ", "x-y", "return", "type"]


class Generation(Extension):
    """The block that Transformers adds to mark what an assistant wrote; it shows its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_show")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _show(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW).strftime(form)
    return env


class Chats:
    """A stream of chats, most of them sound, some with a flaw that a template may or may not reject."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def chance(self, share):
        return self.rng.random() < share

    def text(self):
        return self.rng.choice(["", " "]).join(self.rng.choice(WORDS) for _ in range(self.rng.randint(0, 6)))

    def value(self, depth=0):
        rng = self.rng
        kinds = ["text", "int", "float", "bool", "none"] + (["list", "dict"] if depth < 3 else [])
        kind = rng.choice(kinds)
        if kind == "text":
            return self.text()
        if kind == "int":
            return rng.choice([0, 1, -7, 12345, 2**53, -2**40])
        if kind == "float":
            return rng.choice([0.0, -0.5, 3.14159, 1e-7, 1e16, 1.5e300, 100000.0, 0.1])
        if kind == "bool":
            return self.chance(0.5)
        if kind == "none":
            return None
        if kind == "list":
            return [self.value(depth + 1) for _ in range(rng.randint(0, 3))]
        return {rng.choice(KEYS): self.value(depth + 1) for _ in range(rng.randint(0, 3))}

    def schema(self, depth=0):
        rng = self.rng
        kind = rng.choice(["string", "integer", "number", "boolean"] + (["array", "object"] if depth < 2 else []))
        schema = {"type": [kind, "null"] if self.chance(0.1) else kind}
        if self.chance(0.9):
            schema["description"] = self.text()
        if kind == "array":
            schema["items"] = self.schema(depth + 1)
        if kind == "object" and self.chance(0.5):
            schema["additionalProperties"] = self.schema(depth + 1)
        if self.chance(0.2):
            schema["enum"] = [self.value(3) for _ in range(2)]
        return schema

    def tool(self):
        rng = self.rng
        properties = {rng.choice(KEYS): self.schema() for _ in range(rng.randint(0, 3))}
        function = {"name": rng.choice(NAMES), "description": self.text(),
                    "parameters": {"type": "object", "properties": properties, "required": list(properties)[:1]}}
        if self.chance(0.2):
            function["return"] = self.schema()
        return {"type": "function", "function": function} if self.chance(0.95) else function

    def call(self):
        arguments = {self.rng.choice(KEYS): self.value() for _ in range(self.rng.randint(0, 3))}
        if self.chance(0.3):
            arguments = json.dumps(arguments, ensure_ascii=False)
        length = 9 if self.chance(0.9) else 5
        identity = "".join(self.rng.choice("abcdefghij0123456789") for _ in range(length))
        return {"id": identity, "type": "function", "function": {"name": self.rng.choice(NAMES), "arguments": arguments}}

    def messages(self):
        messages = [{"role": "system", "content": self.text()}] if self.chance(0.5) else []
        for _ in range(self.rng.randint(0, 3)):
            messages.append({"role": "user", "content": self.text()})
            if self.chance(0.3):
                calls = [self.call() for _ in range(1 if self.chance(0.8) else 2)]
                content = self.rng.choice([None, "", self.text()])
                messages.append({"role": "assistant", "content": content, "tool_calls": calls})
                if self.chance(0.3):
                    del messages[-1]["content"]
                for call in calls:
                    content = self.value() if self.chance(0.2) else self.text()
                    messages.append({"role": "tool", "name": call["function"]["name"], "content": content,
                                     "tool_call_id": call["id"]})
            if self.chance(0.9):
                messages.append({"role": "assistant", "content": self.text()})
        if self.chance(0.7):
            messages.append({"role": "user", "content": self.text()})
        if self.chance(0.05):
            messages.append({"role": self.rng.choice(["system", "user", "other"]), "content": self.text()})
        return messages

    def chat(self):
        variables = {}
        if self.chance(0.3):
            variables["date_string"] = "26 Jul 2024"
        if self.chance(0.2):
            variables["tools_in_user_message"] = False
        if self.chance(0.2):
            variables["enable_citations"] = True
        documents = [{"title": self.text(), "text": self.text()} for _ in range(2)] if self.chance(0.2) else None
        tools = [self.tool() for _ in range(self.rng.randint(1, 3))] if self.chance(0.5) else None
        return {"messages": self.messages(), "tools": tools, "documents": documents,
                "add_generation_prompt": self.chance(0.6), "bos_token": "<s>", "eos_token": "</s>",
                "variables": variables}


SNIPPET_CHAT = {
    "messages": [{"role": "user", "content": " Hi <there> & 'you' "},
                 {"role": "assistant", "content": "a,b,,c", "items": [3, 1, 2], "x": {"y": None}}],
    "tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>",
    "variables": {"n": 7, "f": 2.5, "big": 1e22, "neg": -7, "flag": True, "nothing": None, "text": "The quick  brown fox\n jumps ",
                  "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "dict": {"b": 1, "a": [1, {"k": "v"}], "c": None},
                  "rows": [{"n": 2, "g": "x"}, {"n": 1, "g": "y"}, {"n": 3, "g": "x"}], "uni": "Ünï 🦙 ǆ ﬁ"}}


def row(compile_template, name, source, chat):
    """One comparison: the chat crosses as JSON text, so both sides read the same numbers and key order."""
    texts = {key: "" if chat[key] is None else json.dumps(chat[key], ensure_ascii=False)
             for key in ("messages", "tools", "documents", "variables")}
    seen = {key: json.loads(text) if text else None for key, text in texts.items()}
    variables = seen.pop("variables") or {}
    try:
        expected = compile_template(source).render(
            **{**seen, "add_generation_prompt": chat["add_generation_prompt"], "bos_token": chat["bos_token"],
               "eos_token": chat["eos_token"], **variables})
        error = None
    except Exception as failure:  # whatever Python raises here is a refusal to the user
        expected, error = None, f"{type(failure).__name__}: {failure}"
    return {"name": name, "source": source, **texts, "add_generation_prompt": chat["add_generation_prompt"],
            "bos_token": chat["bos_token"], "eos_token": chat["eos_token"], "now": NOW, "expected": expected,
            "error": error}


def chat_rows(compile_template, name, source, wanted):
    """Rows of seeded chats until `wanted` of them rendered; chats that the template rejects are rows too."""
    chats, rendered, index = Chats(name), 0, 0
    while rendered < wanted and index < 20 * wanted:
        index += 1
        result = row(compile_template, f"{name} #{index}", source, chats.chat())
        rendered += result["expected"] is not None
        yield result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--chats", type=int, default=0, help="chats that a template must render, besides rejected ones")
    parser.add_argument("--snippets", action="store_true")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    compile_template = functools.lru_cache(maxsize=8)(environment().from_string)
    with open(options.out, "w", encoding="utf-8") as out:
        for path in options.files:
            name = path.rsplit("/", 1)[-1]
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if options.snippets:
                lines = [line for line in text.split("\n") if line and not line.startswith("##")]
                rows = (row(compile_template, f"{name}: {line}", line.replace("\\n", "\n"), SNIPPET_CHAT)
                        for line in lines)
            else:
                rows = chat_rows(compile_template, name, text, options.chats)
            for result in rows:
                print(json.dumps(result, ensure_ascii=False), file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
