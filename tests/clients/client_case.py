"""What the tests of API clients share: a server for a class, tools, and a schema to fill."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from served import BINARY, ServedCase

WHO = [{"role": "user", "content": "Who are you?"}]
STORY = [{"role": "user", "content": "Tell me a story"}]
CALL = [{"role": "user", "content": "Please make a phone call to Stulor."}]
FIFFI = "Write this as JSON with the keys name, animal.\nFiffi is the name of a wolf."
PERSON = {
    "type": "object",
    "properties": {"person_name": {"type": "string"}},
    "required": ["person_name"],
    "additionalProperties": False,
}


PHONE = {
    "type": "function",
    "function": {
        "name": "phone_person",
        "description": "Calls a person on the phone.",
        "parameters": PERSON,
    },
}


class ClientCase(ServedCase):
    def chat_route_says(self, **more):
        """The text of the chat route's answer to STORY, asked without any client."""
        body = {"messages": STORY, "max_tokens": 24, "temperature": 0, **more}
        answer = json.loads(self.server.ask("/v1/chat/completions", body))
        return answer["choices"][0]["message"]["content"]

    def refused(self, kind, param, call, **arguments):
        """The error of class `kind`, exactly, that names `param`."""
        with self.assertRaises(kind) as caught:
            call(**arguments)
        self.assertIs(type(caught.exception), kind)
        self.assertEqual(caught.exception.param, param)
        self.assertTrue(caught.exception.request_id)
        return caught.exception


def main():
    if not BINARY.exists():
        sys.exit(f"{BINARY} must be there: ./run clients builds it")
    unittest.main(verbosity=0)
