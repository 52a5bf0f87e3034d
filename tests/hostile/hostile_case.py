"""What rows of hostile input share: a server, a canary beside every row, and what must be as before.

A row sends what no friendly client sends. While it does, another client asks for the same answer
again and again; that answer must stay the same to the bit. Afterwards the server is the process
that it was, idle, with the descriptors and threads of its start, and nearly its memory.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import resource
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from served import BINARY, ServedCase

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
CONTEXT = 4096  # of pebble
KV_TOKENS = 600 * 32  # of served.py's pool
CANARY = {"prompt": "Once upon a time", "max_tokens": 40, "temperature": 0.8, "seed": 7, "logprobs": 2}
# What no error may show: addresses in memory, paths of this machine, traces.
PRIVATE = re.compile(r"0x[0-9a-f]{8,}|/(?:root|home|tmp|work|usr|etc)/|\.cc:\d|\.h:\d")


# The counts that the catalogue of bad input names, as in ./run nightly; fewer otherwise.
IN_FULL = os.environ.get("STRATA_HOSTILE") == "full"
if IN_FULL:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def many(few, in_full):
    return in_full if IN_FULL else few


class Reply:
    """One answer: status, headers by lower-case name, body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Wire:
    """A connection that sends bytes as they are and reads answers."""

    def __init__(self, address, timeout=15):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False where the server has closed or reset."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def _more(self):
        try:
            piece = self.socket.recv(1 << 16)
        except ConnectionResetError:
            piece = b""
        self.held += piece
        return bool(piece)

    def until(self, mark):
        """What comes before `mark`; None at the connection's end."""
        while mark not in self.held:
            if not self._more():
                return None
        line, self.held = self.held.split(mark, 1)
        return line

    def _exactly(self, size):
        while len(self.held) < size and self._more():
            pass
        part, self.held = self.held[:size], self.held[size:]
        return part

    def _chunks(self):
        body = b""
        while (size := int(self.until(b"\r\n"), 16)) > 0:
            body += self._exactly(size)
            self.until(b"\r\n")
        self.until(b"\r\n")
        return body

    def read(self, has_body=True):
        """The next answer, interim ones passed over; None at the connection's end."""
        while True:
            head = self.until(b"\r\n\r\n")
            if head is None:
                return None
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, value = line.split(":", 1)
                headers[name.strip().lower()] = value.strip()
            status = int(first.split()[1])
            if status >= 200:
                break
        if not has_body:
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Reply(status, headers, self._chunks())
        return Reply(status, headers, self._exactly(int(headers.get("content-length", 0))))

    def is_closed_within(self, seconds):
        """True where the server ends the connection, after whatever else it sends."""
        self.socket.settimeout(seconds)
        try:
            while self._more():
                pass
        except TimeoutError:
            return False
        return True


class Canary(threading.Thread):
    """Asks the same again and again and keeps every answer that was another one."""

    def __init__(self, ask, expected):
        super().__init__(daemon=True)
        self.ask, self.expected = ask, expected
        self.asked, self.others = 0, []
        self.ends = threading.Event()

    def run(self):
        while True:
            try:
                answer = self.ask()
            except Exception as error:  # whatever it is: the canary has not been answered
                answer = repr(error)
            if answer != self.expected:
                self.others.append(answer)
            self.asked += 1
            if self.ends.is_set():
                return
            time.sleep(0.01)


class HostileCase(ServedCase):
    """One server for a class, one canary for each of its rows."""

    SLACK = 8 << 20  # bytes of memory that a row may leave

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        host, port = cls.server.url.removeprefix("http://").split(":")
        cls.address = (host, int(port))
        cls.proc = pathlib.Path(f"/proc/{cls.server.process.pid}")
        cls.expected = cls.canary_answer()
        # Pages that are only now touched for the first time are no leak: the whole KV pool, logits.
        for token in range(5, 5 + KV_TOKENS // CONTEXT + 1):
            long = {"prompt": [token] * (CONTEXT - 1), "max_tokens": 1, "echo": True, "logprobs": 20}
            cls.server.ask(TEXT, long)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: cls.canary_answer(), range(64)))
        cls.settled = cls.census_at_rest()

    @classmethod
    def census_at_rest(cls):
        """The census once connections that have ended are closed: the same for half a second."""
        before, same = cls.census(), 0
        while same < 10:
            time.sleep(0.05)
            now = cls.census()
            same = same + 1 if now[:2] == before[:2] else 0
            before = now
        return before

    @classmethod
    def canary_answer(cls):
        return json.loads(cls.server.ask(TEXT, CANARY))["choices"]

    @classmethod
    def census(cls):
        """What the process holds: descriptors, threads, bytes of memory."""
        status = dict(
            line.split(":", 1) for line in (cls.proc / "status").read_text().splitlines()
        )
        descriptors = len(list((cls.proc / "fd").iterdir()))
        return descriptors, int(status["Threads"]), int(status["VmRSS"].split()[0]) << 10

    def setUp(self):
        self.canary = Canary(self.canary_answer, self.expected)
        self.canary.start()
        self.addCleanup(self._check_survival)

    def end_canary(self):
        """For rows in which it would fare as all others do; they ask for its answer themselves."""
        self.canary.ends.set()
        self.canary.join()
        self.canary.others.clear()

    def _check_survival(self):
        self.canary.ends.set()
        self.canary.join(60)
        self.assertFalse(self.canary.is_alive(), "the canary was never answered")
        self.assertEqual(self.canary.others, [], "the canary's answer")
        self.assertIsNone(self.server.process.poll(), "the server's process has ended")
        self.assertTrue(self.server.is_idle_within(10), "requests are left")
        descriptors, threads, memory = self.settled
        deadline = time.monotonic() + 5
        while True:
            now = self.census()
            fine = now[:2] == (descriptors, threads) and now[2] <= memory + self.SLACK
            if fine or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.assertEqual(now[:2], (descriptors, threads), "descriptors and threads")
        self.assertLessEqual(now[2], memory + self.SLACK, "bytes of memory")

    def wire(self, timeout=15):
        return Wire(self.address, timeout)

    def head(self, path, *fields, method="POST", version="HTTP/1.1"):
        lines = [f"{method} {path} {version}", f"Host: 127.0.0.1:{self.address[1]}"]
        if self.KEY:
            lines.append(f"Authorization: Bearer {self.KEY}")
        return ("\r\n".join([*lines, *fields]) + "\r\n\r\n").encode("latin-1")

    def request(self, path, body, *fields):
        """The bytes of a POST; `body` is bytes, or becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = f"Content-Length: {len(data)}"
        return self.head(path, "Content-Type: application/json", length, *fields) + data

    def sent(self, data, timeout=15):
        """The answer to these bytes on a connection of their own."""
        with Wire(self.address, timeout) as wire:
            wire.send(data)
            return wire.read()

    def posted(self, path, body, *fields, timeout=60):
        return self.sent(self.request(path, body, *fields), timeout)

    def assert_refused(self, reply, *statuses, param=None, code=None):
        """A status of these, with an error in OpenAI's shape that shows nothing private."""
        self.assertIsNotNone(reply, "no answer")
        self.assertIn(reply.status, statuses, reply.body[:300])
        self.assertIn("application/json", reply.headers.get("content-type", ""))
        error = reply.json()["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertIsNone(PRIVATE.search(error["message"]), error["message"])
        if param is not None:
            self.assertEqual(error["param"], param, error)
        if code is not None:
            self.assertEqual(error["code"], code, error)
        return error

    def assert_cut_off(self, data, *statuses):
        """Refused, and the connection ends: nothing behind such bytes may be read as a request."""
        with Wire(self.address) as wire:
            wire.send(data)
            error = self.assert_refused(wire.read(), *statuses)
            self.assertTrue(wire.is_closed_within(10), "the connection is still open")
            self.assertEqual(wire.held, b"", "there was another answer")
            return error

    def assert_fine(self, reply):
        self.assertIsNotNone(reply, "no answer")
        self.assertEqual(reply.status, 200, reply.body[:300])
        return reply


def main():
    if not BINARY.exists():
        sys.exit(f"{BINARY} must be there: ./run build makes it")
    unittest.main(verbosity=0)

