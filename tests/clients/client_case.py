"""What the tests of API clients share: a server for a class, tools, and a schema to fill."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from served import BINARY, Server

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


class ClientCase(unittest.TestCase):
    """One server for a class; FLAGS and KEY are the server's."""

    FLAGS = ()
    KEY = ""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = Server("--files-dir", f"{folder.name}/files", *cls.FLAGS, key=cls.KEY)
        cls.addClassCleanup(cls.server.stop)

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
