"""litellm against the server, through each of its providers that speaks to one: OpenAI's two, vLLM's and Anthropic's."""

import asyncio
import json
import os
import sys

sys.dont_write_bytecode = True

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_MODE"] = "PRODUCTION"

import client_case
import litellm
from client_case import CALL, FIFFI, PHONE, STORY
from pydantic import BaseModel, Field

litellm.suppress_debug_info = True

CHATS = ("openai/pebble", "hosted_vllm/pebble", "anthropic/pebble")

class Pet(BaseModel):
    name: str = Field(max_length=12)
    animal: str = Field(max_length=12)


class LitellmCase(client_case.ClientCase):
    def options(self, model, **more):
        base = self.server.url if model.startswith("anthropic/") else f"{self.server.url}/v1"
        given = {"api_base": base, "api_key": self.KEY or "none", "num_retries": 0, "timeout": 120}
        return given | {"model": model, "max_tokens": 24, "temperature": 0} | more

    def chat(self, model="openai/pebble", messages=None, **more):
        return litellm.completion(messages=messages or STORY, **self.options(model, **more))


class Chat(LitellmCase):
    def test_every_provider_gets_the_same_answer(self):
        for model in CHATS:
            with self.subTest(model):
                answer = self.chat(model)
                self.assertEqual(answer.choices[0].message.content, self.chat_route_says())
                self.assertEqual(answer.choices[0].finish_reason, "length")
                self.assertEqual(answer.usage.completion_tokens, 24)

    def test_a_stream_says_what_the_answer_says(self):
        for model in CHATS:
            with self.subTest(model):
                whole = self.chat(model)
                pieces = list(self.chat(model, stream=True, stream_options={"include_usage": True}))
                text = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
                self.assertEqual(text, whole.choices[0].message.content)
                self.assertEqual(pieces[-1].usage.completion_tokens, whole.usage.completion_tokens)
                self.assertEqual(pieces[-1].usage.prompt_tokens, whole.usage.prompt_tokens)

    def test_a_text_completion(self):
        options = self.options("text-completion-openai/pebble")
        whole = litellm.text_completion(prompt="Once upon a time", **options)
        self.assertEqual(whole.usage.completion_tokens, 24)
        pieces = litellm.text_completion(prompt="Once upon a time", stream=True, **options)
        text = "".join(piece.choices[0].text or "" for piece in pieces)
        self.assertEqual(text, whole.choices[0].text)

    def test_a_response(self):
        options = self.options("openai/pebble")
        del options["max_tokens"]
        answer = litellm.responses(input="Tell me a story", max_output_tokens=24, **options)
        self.assertEqual(answer.output[-1].content[0].text, self.chat_route_says())

    def test_many_at_once(self):
        async def all_of_them():
            options = self.options("openai/pebble", max_tokens=8)
            asks = (litellm.acompletion(messages=STORY, **options) for _ in range(32))
            return await asyncio.gather(*asks)

        texts = {answer.choices[0].message.content for answer in asyncio.run(all_of_them())}
        self.assertEqual(texts, {self.chat(max_tokens=8).choices[0].message.content})

    def test_structured_output(self):
        messages = [{"role": "user", "content": FIFFI}]
        for model in ("openai/pebble", "hosted_vllm/pebble"):
            with self.subTest(model):
                answer = self.chat(model, messages, response_format=Pet, max_tokens=200)
                Pet.model_validate_json(answer.choices[0].message.content)


class Tools(LitellmCase):
    def test_a_tool_is_called_and_its_result_goes_around(self):
        for model in CHATS:
            with self.subTest(model):
                answer = self.chat(model, CALL, tools=[PHONE], max_tokens=96)
                message = answer.choices[0].message
                self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
                self.assertEqual(message.tool_calls[0].function.name, "phone_person")
                self.assertIn("person_name", json.loads(message.tool_calls[0].function.arguments))
                result = {
                    "role": "tool",
                    "tool_call_id": message.tool_calls[0].id,
                    "content": "ready, the code is 52",
                }
                then = self.chat(model, [*CALL, message.model_dump(), result], tools=[PHONE])
                self.assertIsInstance(then.choices[0].message.content, str)

    def test_required_and_streamed(self):
        for model in CHATS:
            with self.subTest(model):
                options = {"tools": [PHONE], "tool_choice": "required", "max_tokens": 96}
                whole = self.chat(model, CALL, **options)
                pieces = list(self.chat(model, CALL, stream=True, **options))
                built = litellm.stream_chunk_builder(pieces)
                for answer in (whole, built):
                    call = answer.choices[0].message.tool_calls[0].function
                    self.assertEqual(call.name, "phone_person")
                calls = [answer.choices[0].message.tool_calls[0] for answer in (whole, built)]
                self.assertEqual(*(json.loads(call.function.arguments) for call in calls))


class Errors(LitellmCase):
    KEY = "right"

    def test_each_has_its_class(self):
        with self.assertRaises(litellm.AuthenticationError):
            self.chat(api_key="wrong")
        with self.assertRaises(litellm.NotFoundError):
            self.chat("openai/other")
        with self.assertRaises(litellm.BadRequestError):
            self.chat(top_p=7)

    def test_a_prompt_that_is_too_long_is_known_as_one(self):
        long = [{"role": "user", "content": "story " * 6000}]
        for model in CHATS:
            with self.subTest(model), self.assertRaises(litellm.ContextWindowExceededError):
                self.chat(model, long)
        self.assertEqual(self.chat().usage.completion_tokens, 24)


if __name__ == "__main__":
    client_case.main()
