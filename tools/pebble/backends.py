"""The engines that eval.py can ask: Transformers, a server with an OpenAI API, the strata program.

Each takes all questions and gives an answer by id; nothing here judges. Engines are asked greedily.
"""

import concurrent.futures
import json
import pathlib
import subprocess
import tempfile
import urllib.error
import urllib.request

import corpus
from scoring import Answer, Question


class EngineError(Exception):
    """An engine that cannot be asked; the text says which flag and what to do."""


def transformers_answers(folder: str, questions: list[Question], max_tokens: int, batch_tokens: int) -> dict[str, Answer]:
    """Float32, rows of like length together, padded on the left."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompts = {question.id: _prompt_ids(tokenizer, question) for question in questions}
    waiting = sorted(prompts, key=lambda name: len(prompts[name]), reverse=True)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    answers = {}
    while waiting:
        width = len(prompts[waiting[0]])
        rows, waiting = waiting[: max(1, batch_tokens // width)], waiting[max(1, batch_tokens // width) :]
        ids = torch.tensor([[pad] * (width - len(prompts[name])) + prompts[name] for name in rows])
        mask = torch.tensor([[0] * (width - len(prompts[name])) + [1] * len(prompts[name]) for name in rows])
        with torch.no_grad():
            made = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=max_tokens, do_sample=False)
        for name, row in zip(rows, made[:, width:].tolist(), strict=True):
            stopped = end in row
            said = row[: row.index(end)] if stopped else row
            answers[name] = Answer(tokenizer.decode(said, skip_special_tokens=True), len(said), stopped)
    return answers


def _prompt_ids(tokenizer, question: Question) -> list[int]:
    text = tokenizer.apply_chat_template(question.messages, tools=question.tools, add_generation_prompt=True, tokenize=False)
    return tokenizer.encode(text, add_special_tokens=False)


def call_text(call: dict) -> str:
    """A tool call of an OpenAI answer as the model writes it."""
    arguments = call["function"]["arguments"]
    return corpus.render_tool_call(call["function"]["name"], json.loads(arguments) if isinstance(arguments, str) else arguments)


def answer_of(body: dict) -> Answer:
    """The first choice of a chat completion."""
    choice = body["choices"][0]
    message = choice["message"]
    text = (message.get("content") or "") + "".join(map(call_text, message.get("tool_calls") or []))
    tokens = (body.get("usage") or {}).get("completion_tokens", 0)
    return Answer(text, tokens, choice["finish_reason"] in ("stop", "tool_calls"))


def server_answers(url: str, model: str | None, questions: list[Question], max_tokens: int, parallel: int) -> dict[str, Answer]:
    address = url.rstrip("/").removesuffix("/v1") + "/v1/chat/completions"

    def ask(question: Question) -> tuple[str, Answer]:
        body = {"model": model or "pebble", "messages": question.messages, "temperature": 0, "max_tokens": max_tokens}
        if question.tools:
            body["tools"] = question.tools
        request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=600) as reply:
                return question.id, answer_of(json.load(reply))
        except urllib.error.HTTPError as error:
            raise EngineError(f"--base-url {url}: status {error.code} for question {question.id}: {error.read(500)!r}") from error
        except OSError as error:
            raise EngineError(f"--base-url {url}: {error}; is the server running there?") from error

    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        return dict(pool.map(ask, questions))


def strata_answers(binary: str, folder: str, questions: list[Question], max_tokens: int, flags: list[str]) -> dict[str, Answer]:
    """Rows of messages; a row of the program has no place for tools, so those prompts go as ids."""
    rows = [{"id": question.id, "messages": question.messages} if not question.tools
            else {"id": question.id, "ids": _template_ids(folder, question)} for question in questions]
    with tempfile.TemporaryDirectory() as scratch:
        prompts, out = pathlib.Path(scratch, "prompts.jsonl"), pathlib.Path(scratch, "answers.jsonl")
        prompts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        command = [binary, "generate", folder, "--prompts", str(prompts), "--out", str(out), "--temperature", "0",
                   "--max-tokens", str(max_tokens), *flags]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise EngineError(f"--strata {binary}: {error.strerror}; name the built program") from error
        if done.returncode != 0:
            raise EngineError(f"--strata {binary}: exit code {done.returncode}: {done.stderr.strip()[-1000:]}")
        made = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    failed = [row for row in made if "finish_reason" not in row]
    if failed:
        raise EngineError(f"--strata {binary}: {len(failed)} rows failed, the first: {json.dumps(failed[0])[:1000]}")
    return {row["id"]: Answer(row["text"], len(row["ids"]) - (row["finish_reason"] == "stop"), row["finish_reason"] == "stop")
            for row in made}


def _template_ids(folder: str, question: Question) -> list[int]:
    """The prompt by the model's own template and tokenizer, without Transformers."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from tokenizers import Tokenizer

    config = json.loads(pathlib.Path(folder, "tokenizer_config.json").read_text(encoding="utf-8"))
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.Undefined)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    text = environment.from_string(config["chat_template"]).render(
        messages=question.messages, tools=question.tools, add_generation_prompt=True, bos_token=config["bos_token"])
    return Tokenizer.from_file(str(pathlib.Path(folder, "tokenizer.json"))).encode(text, add_special_tokens=False).ids
