"""LangChain's OpenAI classes against the server: chat, responses and text, tools and structured output."""

import sys

sys.dont_write_bytecode = True

import client_case
import openai
from client_case import CALL, FIFFI, STORY
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from pydantic import BaseModel, Field


class Pet(BaseModel):
    """A pet."""

    name: str = Field(max_length=12)
    animal: str = Field(max_length=12)


@tool
def phone_person(person_name: str) -> str:
    """Calls a person on the phone."""
    return f"ready, the code of {person_name} is 52"


class LangChainCase(client_case.ClientCase):
    def options(self, **more):
        base = {"base_url": f"{self.server.url}/v1", "api_key": self.KEY or "none"}
        return base | {"model": "pebble", "max_retries": 0, "timeout": 120, "temperature": 0} | more

    def chat(self, **more):
        return ChatOpenAI(**self.options(**{"max_tokens": 24} | more))


class Chat(LangChainCase):
    def test_an_answer(self):
        answer = self.chat().invoke(STORY)
        self.assertEqual(answer.content, self.chat_route_says())
        self.assertEqual(answer.response_metadata["finish_reason"], "length")
        self.assertEqual(answer.usage_metadata["output_tokens"], 24)

    def test_a_stream_says_what_the_answer_says(self):
        pieces = list(self.chat(stream_usage=True).stream(STORY))
        whole = sum(pieces[1:], pieces[0])
        self.assertEqual(whole.content, self.chat_route_says())
        self.assertEqual(whole.usage_metadata["output_tokens"], 24)
        self.assertGreater(len([piece for piece in pieces if piece.content]), 3)

    def test_a_batch(self):
        answers = self.chat().batch([STORY] * 16)
        self.assertEqual({answer.content for answer in answers}, {self.chat_route_says()})

    def test_a_chain(self):
        prompt = ChatPromptTemplate.from_messages([("human", "Tell me a {what}")])
        self.assertEqual((prompt | self.chat()).invoke({"what": "story"}).content, self.chat_route_says())

    def test_logprobs(self):
        answer = self.chat().bind(logprobs=True, top_logprobs=2, max_tokens=4).invoke(STORY)
        rows = answer.response_metadata["logprobs"]["content"]
        self.assertEqual("".join(row["token"] for row in rows), answer.content)
        self.assertTrue(all(len(row["top_logprobs"]) == 2 for row in rows))

    def test_a_response(self):
        answer = self.chat(use_responses_api=True).invoke(STORY)
        self.assertEqual(answer.text, self.chat_route_says())
        pieces = list(self.chat(use_responses_api=True).stream(STORY))
        self.assertEqual("".join(piece.text for piece in pieces), self.chat_route_says())

    def test_a_text_completion(self):
        model = OpenAI(**self.options(max_tokens=12))
        whole = model.invoke("Once upon a time")
        self.assertEqual("".join(model.stream("Once upon a time")), whole)
        self.assertEqual(model.batch(["Once upon a time"] * 3), [whole] * 3)

    def test_structured_output(self):
        for method in ("json_schema", "function_calling", "json_mode"):
            with self.subTest(method):
                model = self.chat(max_tokens=200).with_structured_output(Pet, method=method)
                ask = FIFFI if method != "json_mode" else FIFFI + "\nAnswer in JSON."
                self.assertIsInstance(model.invoke(ask), Pet)


class Tools(LangChainCase):
    def test_a_tool_is_called_and_its_result_goes_around(self):
        model = self.chat(max_tokens=96).bind_tools([phone_person])
        messages = [HumanMessage(CALL[0]["content"])]
        answer = model.invoke(messages)
        self.assertEqual([call["name"] for call in answer.tool_calls], ["phone_person"])
        result = phone_person.invoke(answer.tool_calls[0])
        self.assertIsInstance(result, ToolMessage)
        then = model.invoke([*messages, answer, result])
        self.assertIsInstance(then.content, str)

    def test_required_and_streamed(self):
        for choice in ("required", "phone_person"):
            with self.subTest(choice):
                model = self.chat(max_tokens=96).bind_tools([phone_person], tool_choice=choice)
                whole = model.invoke(CALL)
                pieces = list(model.stream(CALL))
                built = sum(pieces[1:], pieces[0])
                self.assertEqual(
                    [(call["name"], call["args"]) for call in built.tool_calls],
                    [(call["name"], call["args"]) for call in whole.tool_calls],
                )
                self.assertEqual(whole.tool_calls[0]["name"], "phone_person")


class Errors(LangChainCase):
    KEY = "right"

    def test_each_has_its_class(self):
        for kind, more in (
            (openai.AuthenticationError, {"api_key": "wrong"}),
            (openai.NotFoundError, {"model": "other"}),
            (openai.BadRequestError, {"top_p": 7}),
        ):
            with self.subTest(kind.__name__), self.assertRaises(kind):
                self.chat(**more).invoke(STORY)
        self.assertNotEqual(self.chat().invoke(STORY).content, "")


if __name__ == "__main__":
    client_case.main()
