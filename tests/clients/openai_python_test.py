"""openai-python against the server, every answer held to the package's own types.

Two calls go through a client that is not strict: the package's type of a text completion forbids
the null that OpenAI's API sends as the finish_reason of a piece, and as the logprob of a prompt's
first token.
"""

import concurrent.futures
import io
import json
import sys
import time
from typing import Literal

sys.dont_write_bytecode = True

import client_case
import openai
from client_case import CALL, FIFFI, PERSON, PHONE, STORY, WHO
from pydantic import BaseModel, ConfigDict, Field


def client_of(server, strict=True, **more):
    options = {"api_key": "none", "max_retries": 0, "timeout": 120, **more}
    return openai.OpenAI(
        base_url=f"{server.url}/v1", _strict_response_validation=strict, **options
    )


class OpenAICase(client_case.ClientCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = client_of(cls.server, api_key=cls.KEY or "none")
        cls.lenient = client_of(cls.server, strict=False)

    def chat(self, messages=None, **more):
        options = {"model": "pebble", "max_tokens": 24, "temperature": 0, **more}
        return self.client.chat.completions.create(messages=messages or STORY, **options)

    def text(self, prompt="Once upon a time", client=None, **more):
        options = {"model": "pebble", "max_tokens": 12, "temperature": 0, **more}
        return (client or self.client).completions.create(prompt=prompt, **options)


class Chat(OpenAICase):
    def test_an_answer(self):
        answer = self.chat()
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertNotEqual(answer.choices[0].message.content, "")
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.usage.completion_tokens, 24)
        self.assertEqual(
            answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens
        )
        self.assertTrue(answer._request_id)

    def test_a_stream_says_what_the_answer_says(self):
        whole = self.chat()
        pieces = list(self.chat(stream=True, stream_options={"include_usage": True}))
        said = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
        self.assertEqual(said, whole.choices[0].message.content)
        self.assertEqual(pieces[-1].choices, [])
        self.assertEqual(pieces[-1].usage, whole.usage)
        self.assertTrue(all(piece.usage is None for piece in pieces[:-1]))
        self.assertEqual([p.choices[0].finish_reason for p in pieces[:-1]][-1], "length")
        self.assertEqual(len({piece.id for piece in pieces}), 1)

    def test_without_stream_options_there_is_no_usage(self):
        pieces = list(self.chat(stream=True))
        self.assertTrue(all(piece.choices and piece.usage is None for piece in pieces))

    def test_the_packages_own_stream_puts_the_answer_together(self):
        with self.client.chat.completions.stream(
            model="pebble", messages=WHO, max_tokens=200, temperature=0
        ) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        whole = self.chat(WHO, max_tokens=200).choices[0]
        self.assertEqual(final.choices[0].message.content, whole.message.content)
        self.assertIn("content.delta", kinds)

    def test_several_answers(self):
        choices = self.chat(n=3, temperature=1, seed=5).choices
        self.assertEqual([choice.index for choice in choices], [0, 1, 2])
        self.assertGreater(len({choice.message.content for choice in choices}), 1)
        again = self.chat(n=3, temperature=1, seed=5).choices
        self.assertEqual(
            [choice.message.content for choice in again],
            [choice.message.content for choice in choices],
        )

    def test_stop(self):
        whole = self.chat().choices[0].message.content
        word = whole.split()[2]
        answer = self.chat(stop=[word, "never said"]).choices[0]
        self.assertEqual(answer.message.content, whole[: whole.index(word)])
        self.assertEqual(answer.finish_reason, "stop")

    def test_logprobs(self):
        answer = self.chat(logprobs=True, top_logprobs=3, max_tokens=4).choices[0]
        self.assertEqual(len(answer.logprobs.content), 4)
        said = b"".join(bytes(row.bytes) for row in answer.logprobs.content)
        self.assertEqual(said.decode(), answer.message.content)
        for row in answer.logprobs.content:
            self.assertEqual(len(row.top_logprobs), 3)
            self.assertEqual(row.top_logprobs[0].logprob, row.logprob)
            self.assertLessEqual(row.logprob, 0)
        pieces = list(self.chat(logprobs=True, top_logprobs=3, max_tokens=4, stream=True))
        streamed = [p.choices[0].logprobs.content for p in pieces if p.choices[0].logprobs]
        self.assertEqual(sum(streamed, []), answer.logprobs.content)


class Pet(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=12)
    animal: Literal["wolf", "fox"]



class Structured(OpenAICase):
    def test_a_json_schema_is_parsed(self):
        answer = self.client.chat.completions.parse(
            model="pebble",
            messages=[{"role": "user", "content": FIFFI}],
            response_format=Pet,
            max_tokens=200,
            temperature=0,
        )
        self.assertIsInstance(answer.choices[0].message.parsed, Pet)

    def test_an_answer_that_is_cut_off_is_the_packages_error(self):
        with self.assertRaises(openai.LengthFinishReasonError):
            self.client.chat.completions.parse(
                model="pebble", messages=STORY, response_format=Pet, max_tokens=3
            )

    def test_a_schema_in_a_response(self):
        response = self.client.responses.parse(
            model="pebble", input=FIFFI, text_format=Pet, max_output_tokens=200, temperature=0
        )
        self.assertIsInstance(response.output_parsed, Pet)

    def test_json_object(self):
        asked = [{"role": "user", "content": FIFFI}]
        answer = self.chat(asked, response_format={"type": "json_object"}, max_tokens=200)
        self.assertIsInstance(json.loads(answer.choices[0].message.content), dict)


class Phone(BaseModel):
    model_config = ConfigDict(extra="forbid")
    person_name: str


class Tools(OpenAICase):
    TOOLS = [
        PHONE,
        {"type": "function", "function": {"name": "tell_time", "parameters": {"type": "object"}}},
    ]

    def called(self, **more):
        return self.chat(CALL, tools=self.TOOLS, max_tokens=96, **more).choices[0]

    def test_auto_calls_and_takes_the_result(self):
        choice = self.called(tool_choice="auto")
        self.assertEqual(choice.finish_reason, "tool_calls")
        call = choice.message.tool_calls[0]
        self.assertEqual(call.function.name, "phone_person")
        self.assertIn("person_name", json.loads(call.function.arguments))
        result = {"role": "tool", "tool_call_id": call.id, "content": "ready, the code is 52"}
        then = self.chat([*CALL, choice.message, result], tools=self.TOOLS)
        self.assertIsNotNone(then.choices[0].message.content)

    def test_none_says_something(self):
        choice = self.called(tool_choice="none")
        self.assertIsNone(choice.message.tool_calls)
        self.assertIsNotNone(choice.message.content)

    def test_required_calls_something(self):
        choice = self.chat(tools=self.TOOLS, tool_choice="required", max_tokens=200).choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        for call in choice.message.tool_calls:
            self.assertIn(call.function.name, ("phone_person", "tell_time"))
            self.assertIsInstance(json.loads(call.function.arguments), dict)

    def test_a_named_function_is_called(self):
        named = {"type": "function", "function": {"name": "phone_person"}}
        calls = self.chat(tools=self.TOOLS, tool_choice=named, max_tokens=200).choices[0].message.tool_calls
        self.assertEqual([call.function.name for call in calls], ["phone_person"])
        self.assertIsInstance(json.loads(calls[0].function.arguments)["person_name"], str)

    def test_streamed_calls_are_the_whole_ones(self):
        for choice in ("auto", "required"):
            whole = self.called(tool_choice=choice).message.tool_calls
            with self.client.chat.completions.stream(
                model="pebble",
                messages=CALL,
                tools=self.TOOLS,
                tool_choice=choice,
                max_tokens=96,
                temperature=0,
            ) as stream:
                stream.until_done()
                calls = stream.get_final_completion().choices[0].message.tool_calls
            self.assertEqual(
                [(call.function.name, call.function.arguments) for call in calls],
                [(call.function.name, call.function.arguments) for call in whole],
            )

    def test_arguments_come_in_pieces(self):
        pieces = self.chat(CALL, tools=self.TOOLS, tool_choice="required", max_tokens=96, stream=True)
        deltas = [p.choices[0].delta.tool_calls for p in pieces if p.choices[0].delta.tool_calls]
        self.assertGreater(len(deltas), 2)
        self.assertTrue(deltas[0][0].id)
        self.assertEqual(deltas[0][0].type, "function")
        self.assertTrue(all(delta[0].id is None for delta in deltas[1:]))

    def test_parallel_tool_calls_off_is_one_call(self):
        choice = self.called(tool_choice="required", parallel_tool_calls=False)
        self.assertEqual(len(choice.message.tool_calls), 1)

    def test_a_function_of_a_model_class_is_parsed(self):
        tool = openai.pydantic_function_tool(Phone, name="phone_person")
        answer = self.client.chat.completions.parse(
            model="pebble", messages=CALL, tools=[tool], tool_choice="required", max_tokens=200
        )
        call = answer.choices[0].message.tool_calls[0]
        self.assertIsInstance(call.function.parsed_arguments, Phone)


class Completions(OpenAICase):
    def test_a_text(self):
        answer = self.text()
        self.assertEqual(answer.object, "text_completion")
        self.assertEqual(answer.usage.completion_tokens, 12)
        self.assertNotEqual(answer.choices[0].text, "")

    def test_a_stream_says_what_the_answer_says(self):
        pieces = list(self.text(client=self.lenient, stream=True, stream_options={"include_usage": True}))
        said = "".join(piece.choices[0].text for piece in pieces if piece.choices)
        self.assertEqual(said, self.text().choices[0].text)
        self.assertEqual(pieces[-1].usage.completion_tokens, 12)

    def test_token_ids_are_the_text(self):
        ids = json.loads(self.server.ask("/tokenize", {"prompt": "Once upon a time"}))["tokens"]
        texts = self.text([ids, ids[:-1]]).choices
        self.assertEqual([choice.index for choice in texts], [0, 1])
        self.assertEqual(texts[0].text, self.text().choices[0].text)
        self.assertEqual(self.text(ids).choices[0].text, texts[0].text)

    def test_several_prompts(self):
        both = self.text(["Once upon a time", "The fox"], n=2)
        self.assertEqual([choice.index for choice in both.choices], [0, 1, 2, 3])
        self.assertEqual(both.choices[2].text, self.text("The fox").choices[0].text)

    def test_logprobs(self):
        answer = self.text(logprobs=2).choices[0]
        self.assertEqual("".join(answer.logprobs.tokens), answer.text)
        self.assertEqual(len(answer.logprobs.token_logprobs), 12)
        self.assertTrue(all(len(row) >= 2 for row in answer.logprobs.top_logprobs))
        self.assertEqual(answer.logprobs.text_offset[0], 0)

    def test_echo(self):
        answer = self.text(client=self.lenient, echo=True, logprobs=1).choices[0]
        self.assertTrue(answer.text.startswith("Once upon a time"))
        self.assertIsNone(answer.logprobs.token_logprobs[0])
        self.assertTrue(all(value <= 0 for value in answer.logprobs.token_logprobs[1:]))
        self.assertTrue("".join(answer.logprobs.tokens).endswith(answer.text))


class Models(OpenAICase):
    def test_list_and_retrieve(self):
        models = list(self.client.models.list())
        self.assertEqual([model.id for model in models], ["pebble"])
        self.assertEqual(self.client.models.retrieve("pebble"), models[0])
        self.refused(openai.NotFoundError, "model", self.client.models.retrieve, model="gpt")


class Responses(OpenAICase):
    def made(self, **more):
        options = {"model": "pebble", "max_output_tokens": 24, "temperature": 0, **more}
        return self.client.responses.create(**{"input": "Tell me a story", **options})

    def test_a_response_says_what_the_chat_says(self):
        response = self.made()
        self.assertEqual(response.output_text, self.chat().choices[0].message.content)
        self.assertEqual(response.status, "incomplete")
        self.assertEqual(response.incomplete_details.reason, "max_output_tokens")
        self.assertEqual(response.usage.output_tokens, 24)

    def test_a_stream_says_what_the_response_says(self):
        events = list(self.made(stream=True))
        self.assertEqual(
            [event.sequence_number for event in events], list(range(len(events)))
        )
        self.assertEqual([events[0].type, events[-1].type], ["response.created", "response.incomplete"])
        said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        self.assertEqual(said, self.made().output_text)
        self.assertEqual(events[-1].response.output_text, said)

    def test_the_packages_own_stream_puts_the_response_together(self):
        with self.client.responses.stream(
            model="pebble", input=WHO, temperature=0, max_output_tokens=200
        ) as stream:
            stream.until_done()
            final = stream.get_final_response()
        self.assertEqual(final.status, "completed")
        self.assertEqual(
            final.output_text, self.made(input=WHO, max_output_tokens=200).output_text
        )

    def test_calls_and_their_results_go_around(self):
        tools = [{"type": "function", "name": "phone_person", "parameters": PERSON, "strict": True}]
        given = list(CALL)
        response = self.made(input=given, tools=tools, tool_choice="required", max_output_tokens=200)
        call = next(item for item in response.output if item.type == "function_call")
        self.assertEqual(call.name, "phone_person")
        given += response.output
        given.append({"type": "function_call_output", "call_id": call.call_id, "output": "done"})
        self.assertEqual(self.made(input=given, tools=tools).output[0].type, "message")

    def test_what_is_not_kept_is_refused(self):
        self.refused(
            openai.BadRequestError, "previous_response_id", self.made, previous_response_id="resp_1"
        )


class Batches(OpenAICase):
    def upload(self, rows):
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        return self.client.files.create(file=("in.jsonl", io.BytesIO(text)), purpose="batch")

    def row(self, name, **body):
        body = {"model": "pebble", "messages": STORY, "temperature": 0, "max_tokens": 8, **body}
        return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}

    def begin(self, file):
        return self.client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"of": "test"},
        )

    def ended(self, batch):
        deadline = time.monotonic() + 120
        while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
            batch = self.client.batches.retrieve(batch.id)
        return batch

    def rows_of(self, file_id):
        text = self.client.files.content(file_id).text
        rows = [json.loads(line) for line in text.splitlines()]
        return {row["custom_id"]: row for row in rows}

    def test_files(self):
        file = self.upload([self.row("1")])
        self.assertEqual([file.filename, file.purpose], ["in.jsonl", "batch"])
        self.assertEqual(self.client.files.retrieve(file.id), file)
        self.assertIn(file.id, [each.id for each in self.client.files.list(limit=1)])
        self.assertEqual(len(self.client.files.content(file.id).read()), file.bytes)
        self.assertTrue(self.client.files.delete(file.id).deleted)
        self.refused(openai.NotFoundError, None, self.client.files.retrieve, file_id=file.id)

    def test_a_batch_answers_as_the_chat_does(self):
        rows = [self.row("a"), self.row("b", temperature=1, seed=4), self.row("c", top_p=7)]
        batch = self.begin(self.upload(rows))
        self.assertIn(batch.id, [each.id for each in self.client.batches.list()])
        batch = self.ended(batch)
        self.assertEqual(batch.status, "completed")
        counts = batch.request_counts
        self.assertEqual([counts.total, counts.completed, counts.failed], [3, 2, 1])
        self.assertEqual(batch.metadata, {"of": "test"})
        answers = self.rows_of(batch.output_file_id)
        self.assertEqual(sorted(answers), ["a", "b"])
        said = answers["a"]["response"]["body"]["choices"][0]["message"]["content"]
        self.assertEqual(said, self.chat(max_tokens=8).choices[0].message.content)
        errors = self.rows_of(batch.error_file_id)
        self.assertEqual(errors["c"]["response"]["status_code"], 400)

    def test_a_batch_of_no_rows_fails_with_the_line(self):
        file = self.client.files.create(file=("in.jsonl", b"{nothing\n"), purpose="batch")
        batch = self.ended(self.begin(file))
        self.assertEqual(batch.status, "failed")
        self.assertEqual(batch.errors.data[0].line, 1)

    def test_a_batch_is_cancelled(self):
        rows = [self.row(str(i), max_tokens=500) for i in range(200)]
        batch = self.client.batches.cancel(self.begin(self.upload(rows)).id)
        self.assertEqual(self.ended(batch).status, "cancelled")


class Errors(OpenAICase):
    def test_a_bad_field_is_named(self):
        error = self.refused(openai.BadRequestError, "top_p", self.chat, top_p=7)
        self.assertEqual(error.type, "invalid_request_error")
        self.refused(openai.BadRequestError, "messages", self.chat, messages=[{"role": "robot", "content": ""}])
        self.refused(openai.BadRequestError, "suffix", self.text, suffix="x")

    def test_a_prompt_that_is_too_long_has_its_code(self):
        error = self.refused(openai.BadRequestError, None, self.text, prompt="a " * 20000)
        self.assertEqual(error.code, "context_length_exceeded")

    def test_an_unknown_model(self):
        error = self.refused(openai.NotFoundError, "model", self.chat, model="gpt")
        self.assertEqual(error.code, "model_not_found")

    def test_an_unknown_route(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.embeddings.create(model="pebble", input="x")

    def test_another_host_is_refused(self):
        with self.assertRaises(openai.PermissionDeniedError):
            self.chat(extra_headers={"Host": "evil.example"})

    def test_nobody_there(self):
        client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="none", max_retries=0)
        with self.assertRaises(openai.APIConnectionError):
            client.models.list()

    def test_a_timeout_frees_the_server(self):
        with self.assertRaises(openai.APITimeoutError):
            self.chat(max_tokens=3500, extra_body={"ignore_eos": True}, timeout=0.3)
        self.assertTrue(self.server.is_idle_within(10))

    def test_a_stream_that_is_closed_frees_the_server(self):
        stream = self.chat(max_tokens=3500, extra_body={"ignore_eos": True}, stream=True)
        next(iter(stream))
        stream.close()
        self.assertTrue(self.server.is_idle_within(10))


class Keys(OpenAICase):
    KEY = "right"

    def test_the_key(self):
        self.chat(max_tokens=1)
        for key in ("wrong", "none"):
            client = client_of(self.server, api_key=key)
            error = self.refused(openai.AuthenticationError, None, client.models.list)
            self.assertEqual(error.code, "invalid_api_key")


class Full(OpenAICase):
    FLAGS = ("--max-num-seqs", "1", "--max-queued-requests", "1")

    def test_too_many_at_once(self):
        def ask(_):
            try:
                return self.chat(max_tokens=400, extra_body={"ignore_eos": True})
            except openai.APIStatusError as error:
                return error

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        refused = [answer for answer in answers if isinstance(answer, openai.APIStatusError)]
        self.assertEqual({type(error) for error in refused}, {openai.RateLimitError})
        self.assertTrue(all(int(error.response.headers["retry-after"]) > 0 for error in refused))
        self.assertGreater(len(answers), len(refused))


if __name__ == "__main__":
    client_case.main()
