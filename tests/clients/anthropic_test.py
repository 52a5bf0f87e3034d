"""anthropic's Python package against the server, every answer held to the package's own types."""

import json
import sys

sys.dont_write_bytecode = True

import anthropic
import client_case
from client_case import CALL, FIFFI, PERSON, STORY, WHO

GREEDY = {"temperature": 0}  # the package no longer has a parameter for it


def client_of(server, **more):
    options = {"api_key": "none", "max_retries": 0, "timeout": 120, **more}
    return anthropic.Anthropic(
        base_url=server.url, _strict_response_validation=True, **options
    )


class AnthropicCase(client_case.ClientCase):
    TOOLS = [
        {"name": "phone_person", "description": "Calls a person on the phone.", "input_schema": PERSON}
    ]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = client_of(cls.server, api_key=cls.KEY or "none")

    def said(self, messages=None, **more):
        options = {"model": "pebble", "max_tokens": 24, "extra_body": GREEDY, **more}
        return self.client.messages.create(messages=messages or STORY, **options)

    def streamed(self, messages=None, **more):
        options = {"model": "pebble", "max_tokens": 24, "extra_body": GREEDY, **more}
        return self.client.messages.stream(messages=messages or STORY, **options)


class Messages(AnthropicCase):
    def test_a_message_says_what_the_chat_says(self):
        message = self.said()
        self.assertEqual(message.content[0].text, self.chat_route_says())
        self.assertEqual([message.role, message.stop_reason], ["assistant", "max_tokens"])
        self.assertEqual(message.usage.output_tokens, 24)
        self.assertTrue(message._request_id)

    def test_a_stream_says_what_the_message_says(self):
        whole = self.said()
        with self.streamed() as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, whole.content[0].text)
        self.assertEqual(len(final.content), 1)
        self.assertEqual(final.stop_reason, whole.stop_reason)
        self.assertEqual(final.usage.output_tokens, whole.usage.output_tokens)
        self.assertEqual(final.usage.input_tokens, whole.usage.input_tokens)

    def test_raw_events(self):
        events = [event.type for event in self.said(stream=True)]
        self.assertEqual(events[:2], ["message_start", "content_block_start"])
        self.assertEqual(events[-3:], ["content_block_stop", "message_delta", "message_stop"])

    def test_system_and_stop(self):
        whole = self.said(system="You are pebble.").content[0].text
        word = whole.split()[2]
        message = self.said(system="You are pebble.", stop_sequences=[word])
        self.assertEqual([message.stop_reason, message.stop_sequence], ["stop_sequence", word])
        self.assertEqual(message.content[0].text, whole[: whole.index(word)])

    def test_an_end_of_its_own(self):
        self.assertEqual(self.said(WHO, max_tokens=200).stop_reason, "end_turn")

    def test_structured_output(self):
        schema = {
            "type": "object",
            "properties": {"name": {"type": "string"}, "animal": {"enum": ["wolf", "fox"]}},
            "required": ["name", "animal"],
            "additionalProperties": False,
        }
        asked = [{"role": "user", "content": FIFFI}]
        wish = {"format": {"type": "json_schema", "schema": schema}}
        message = self.said(asked, max_tokens=200, output_config=wish)
        self.assertEqual(sorted(json.loads(message.content[0].text)), ["animal", "name"])

    def test_tokens_are_counted(self):
        count = self.client.messages.count_tokens(model="pebble", messages=STORY, tools=self.TOOLS)
        message = self.said(tools=self.TOOLS, max_tokens=1)
        self.assertEqual(count.input_tokens, message.usage.input_tokens)


class Tools(AnthropicCase):
    def test_a_call_and_its_result_go_around(self):
        message = self.said(CALL, tools=self.TOOLS, max_tokens=96)
        self.assertEqual(message.stop_reason, "tool_use")
        call = next(block for block in message.content if block.type == "tool_use")
        self.assertEqual(call.name, "phone_person")
        self.assertIsInstance(call.input["person_name"], str)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "ready, the code is 52"}
        turns = [
            *CALL,
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [result]},
        ]
        then = self.said(turns, tools=self.TOOLS)
        self.assertEqual(then.content[0].type, "text")

    def test_choices(self):
        def kinds(choice):
            message = self.said(tools=self.TOOLS, tool_choice=choice, max_tokens=200)
            return {block.type for block in message.content}

        self.assertEqual(kinds({"type": "any"}), {"tool_use"})
        self.assertEqual(kinds({"type": "tool", "name": "phone_person"}), {"tool_use"})
        self.assertEqual(kinds({"type": "none"}), {"text"})

    def test_a_streamed_call_is_the_whole_one(self):
        whole = self.said(CALL, tools=self.TOOLS, max_tokens=96)
        pieces = []
        with self.streamed(CALL, tools=self.TOOLS, max_tokens=96) as stream:
            for event in stream:
                if event.type == "input_json":
                    pieces.append(event.partial_json)
            final = stream.get_final_message()
        self.assertEqual(
            [block.input for block in final.content if block.type == "tool_use"],
            [block.input for block in whole.content if block.type == "tool_use"],
        )
        self.assertGreater(len(pieces), 1)
        self.assertEqual(final.stop_reason, "tool_use")


class Errors(AnthropicCase):
    def refused(self, kind, word, **more):
        with self.assertRaises(kind) as caught:
            self.said(**more)
        self.assertIs(type(caught.exception), kind)
        body = caught.exception.body
        self.assertEqual(body["type"], "error")
        self.assertIn(word, body["error"]["message"])
        self.assertTrue(caught.exception.request_id)
        return body["error"]["type"]

    def test_a_bad_field_is_named(self):
        kind = self.refused(anthropic.BadRequestError, "top_p", extra_body={"top_p": 7})
        self.assertEqual(kind, "invalid_request_error")
        image = {"type": "image", "source": {"type": "url", "url": "http://example.org/x.png"}}
        turn = [{"role": "user", "content": [image]}]
        self.refused(anthropic.BadRequestError, "image", messages=turn)

    def test_an_unknown_model(self):
        self.assertEqual(
            self.refused(anthropic.NotFoundError, "gpt", model="gpt"), "not_found_error"
        )

    def test_a_timeout_frees_the_server(self):
        with self.assertRaises(anthropic.APITimeoutError):
            self.said(max_tokens=3500, extra_body={"ignore_eos": True}, timeout=0.3)
        self.assertTrue(self.server.is_idle_within(10))

    def test_a_stream_that_is_closed_frees_the_server(self):
        with self.streamed(max_tokens=3500, extra_body={"ignore_eos": True}) as stream:
            next(stream.text_stream)
        self.assertTrue(self.server.is_idle_within(10))


class Keys(AnthropicCase):
    KEY = "right"

    def test_the_key(self):
        self.assertEqual(self.said(max_tokens=1).usage.output_tokens, 1)
        bearer = client_of(self.server, api_key=None, auth_token="right")
        self.assertEqual(bearer.messages.count_tokens(model="pebble", messages=STORY).input_tokens > 0, True)
        with self.assertRaises(anthropic.AuthenticationError) as caught:
            client_of(self.server, api_key="wrong").messages.create(
                model="pebble", messages=STORY, max_tokens=1
            )
        self.assertEqual(caught.exception.body["error"]["type"], "authentication_error")


if __name__ == "__main__":
    client_case.main()
