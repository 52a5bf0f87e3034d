"""Rows G: clients of streams that go, stop reading, or are too many."""

import concurrent.futures
import json
import socket
import threading

import hostile_case
from hostile_case import TEXT, Wire, many

LONG = {"prompt": "Once", "max_tokens": 3000, "ignore_eos": True, "stream": True}
SHORT = {"prompt": "Once", "max_tokens": 8, "ignore_eos": True, "stream": True}


class Streams(hostile_case.HostileCase):
    SLACK = 16 << 20  # what a hundred streams at a time need

    def leave(self, body, after):
        """Asks for a stream and goes once `after` is in what came; at once where it is None."""
        with Wire(self.address, timeout=60) as wire:
            wire.send(self.request(TEXT, body))
            if after is not None:
                wire.until(after)

    def test_g01_clients_that_go(self):
        for body, after in ((LONG, None), (LONG, b"data: "), (SHORT, b'"finish_reason":"length"'), (LONG, b"HTTP/1.1 200")):
            with self.subTest(after), concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda _: self.leave(body, after), range(many(100, 2500))))  # noqa: B023
                self.assertTrue(self.server.is_idle_within(10), "answers go on for nobody")

    def test_g02_readers_that_stop(self):
        stopped = []
        self.addCleanup(lambda: [each.close() for each in stopped])
        for _ in range(many(20, 500)):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(self.address)
            one.sendall(self.request(TEXT, LONG))
            stopped.append(one)
        self.assertTrue(self.server.is_idle_within(many(90, 900)), "the engine waits for clients that do not read")
        for one in stopped:
            one.close()

    def test_g03_an_error_in_a_stream(self):
        letter = json.loads(self.server.ask("/tokenize", {"prompt": "a"}))["tokens"][-1:]
        body = SHORT | {"structured_outputs": {"regex": "[ac]{3}b"}, "allowed_token_ids": letter}
        reply = self.posted(TEXT, body)
        if reply.status == 200:
            events = [event for event in reply.body.decode().split("\n\n") if event]
            self.assertIn("error", json.loads(events[-1].removeprefix("data: ")))
            self.assertNotIn(b"[DONE]", reply.body)
        else:
            self.assert_refused(reply, 400, 500)

    def test_g05_a_long_prompt_among_short_ones(self):
        long = {"prompt": [7] * 4000, "max_tokens": 1}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            whole = pool.submit(self.posted, TEXT, long)
            replies = list(pool.map(lambda _: self.posted(TEXT, SHORT), range(50)))
            self.assert_fine(whole.result())
        self.assertEqual(len({self.text_of(reply) for reply in replies}), 1)

    def text_of(self, reply):
        lines = self.assert_fine(reply).body.decode().split("\n\n")
        self.assertEqual(lines[-2], "data: [DONE]")
        events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
        return "".join(event["choices"][0]["text"] for event in events if event["choices"])


class Full(hostile_case.HostileCase):
    FLAGS = ("--max-num-seqs", "2", "--max-queued-requests", "4")

    def test_g04_more_than_may_wait(self):
        self.end_canary()  # it would be refused as the others are
        gate = threading.Barrier(16)

        def ask(_):
            gate.wait()
            return self.posted(TEXT, LONG | {"stream": False, "max_tokens": 400})

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(ask, range(16)))
        refused = [reply for reply in replies if reply.status != 200]
        self.assertGreaterEqual(len(refused), 1)
        for reply in refused:
            self.assert_refused(reply, 429)
            self.assertGreaterEqual(int(reply.headers["retry-after"]), 1)
        texts = {reply.json()["choices"][0]["text"] for reply in replies if reply.status == 200}
        self.assertEqual(len(texts), 1)
        self.assertEqual(self.canary_answer(), self.expected)


class Late(hostile_case.HostileCase):
    FLAGS = ("--max-num-seqs", "4", "--request-timeout", "5")

    def test_g06_requests_that_take_too_long(self):
        self.end_canary()  # it would wait behind the others
        long = LONG | {"n": 64, "stream": False}
        with concurrent.futures.ThreadPoolExecutor(3) as pool:  # one runs, two wait
            for reply in pool.map(lambda _: self.posted(TEXT, long), range(3)):
                self.assert_refused(reply, 504)
                self.assertIn("--request-timeout", reply.json()["error"]["message"])
        reply = self.posted(TEXT, long | {"stream": True})
        events = [event for event in reply.body.decode().split("\n\n") if event]
        self.assertEqual(reply.status, 200)
        self.assertIn("--request-timeout", json.loads(events[-1].removeprefix("data: "))["error"]["message"])
        self.assertTrue(self.server.is_idle_within(10), "work goes on for nobody")
        self.assertEqual(self.canary_answer(), self.expected)


if __name__ == "__main__":
    hostile_case.main()
