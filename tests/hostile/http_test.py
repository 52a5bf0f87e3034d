"""Rows D: how requests are framed, named and sent."""

import json
import selectors
import socket
import time

import hostile_case
from hostile_case import CHAT, TEXT, Wire, many

SMALL = {"prompt": "a", "max_tokens": 1, "ignore_eos": True}
CHUNKED = ("Content-Type: application/json", "Transfer-Encoding: chunked")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
MOST_BODY = 16 << 20


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Http(hostile_case.HostileCase):
    SLACK = many(8, 32) << 20  # the heap keeps some KB of each connection

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.small = json.dumps(SMALL).encode()

    def with_length(self, length):
        return self.head(TEXT, "Content-Type: application/json", f"Content-Length: {length}")

    def in_chunks(self, data):
        return self.head(TEXT, *CHUNKED) + data

    def test_d01_heads_that_come_a_byte_at_a_time(self):
        open_ones = [socket.create_connection(self.address) for _ in range(many(500, 2000))]
        self.addCleanup(lambda: [one.close() for one in open_ones])
        head = b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
        for one in open_ones:
            one.sendall(head)
        said, began = {one: b"" for one in open_ones}, time.monotonic()
        with selectors.DefaultSelector() as selector:
            for one in open_ones:
                selector.register(one, selectors.EVENT_READ)
            sent = 0
            while selector.get_map() and time.monotonic() < began + 30:
                for key, _ in selector.select(0.5):
                    try:
                        piece = key.fileobj.recv(4096)
                    except ConnectionResetError:
                        piece = b""
                    said[key.fileobj] += piece
                    if not piece:
                        selector.unregister(key.fileobj)
                if time.monotonic() > began + 2 * (sent + 1) and sent < 3:
                    sent += 1
                    for one in open_ones:
                        one.sendall(b"x")
            self.assertFalse(selector.get_map(), "connections are still open")
        self.assertTrue(all(text.startswith(b"HTTP/1.1 408 ") for text in said.values()))

    def test_d02_a_body_that_stops(self):
        with self.wire(timeout=90) as wire:
            wire.send(self.with_length(100) + b'{"prompt"')
            self.assert_refused(wire.read(), 408)
            self.assertTrue(wire.is_closed_within(5))

    def test_d03_heads_beyond_their_limits(self):
        self.assert_cut_off(self.head(TEXT, "X: " + "a" * 8192, "Content-Length: 2"), 431)
        self.assert_cut_off(self.head(TEXT, *["A: b"] * 101), 431)
        self.assert_cut_off(self.head(TEXT, *["A: " + "b" * 4000] * 5), 431)
        with self.wire() as wire:
            wire.send(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            sent = 0
            while sent < 1 << 30 and wire.send(b"X-Endless: " + b"a" * 65536):
                sent += 65536
            self.assertLess(sent, 64 << 20, "the server goes on reading")

    def test_d04_targets_that_two_readers_could_take_apart_differently(self):
        for target in (
            "/v1/completions\0", "/v1/ completions", "/v1/%zz", "/v1//models", "/v1/../v1/models",
            "/v1/%2e%2e/metrics", "/./v1/models", "/v1/models/%00", "/v1\\models",
            "http://127.0.0.1/v1/models", "v1/models", "*",
        ):
            with self.subTest(target):
                self.assert_cut_off(self.head(target, method="GET"), 400)
        self.assert_cut_off(self.head("/" + "a" * 8192, method="GET"), 414)

    def test_d05_lengths_that_are_none_or_too_large(self):
        for length in ("-1", "+5", "5 5", "0x5", "", "five", "5,5"):
            with self.subTest(length):
                self.assert_cut_off(self.with_length(length) + self.small, 400)
        for length in (MOST_BODY + 1, 2**63 - 1, 2**63, 2**64, 10**30):
            with self.subTest(length):
                self.assert_cut_off(self.with_length(length), 413)
        with self.wire(timeout=60) as wire:
            wire.send(self.head(TEXT, *CHUNKED))
            piece = chunk(b" " * (1 << 20))
            while wire.send(piece) and not wire.held:
                wire.socket.settimeout(0.01)
                try:
                    wire.held += wire.socket.recv(1 << 16)
                except (TimeoutError, ConnectionResetError):
                    pass
                wire.socket.settimeout(60)
            self.assertTrue(wire.held.startswith(b"HTTP/1.1 413 "), wire.held[:100])

    def test_d06_a_body_without_a_length(self):
        self.assert_cut_off(self.head(TEXT, "Content-Type: application/json") + self.small, 411)

    def test_d07_other_protocols(self):
        self.assert_cut_off(b"GET /livez\r\n\r\n", 400)
        self.assert_cut_off(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
        self.assert_cut_off(self.head("/livez", method="GET", version="HTTP/3.7"), 505)
        self.assert_cut_off(self.head("/livez", method="GET", version="http/1.1"), 400)
        self.assert_cut_off(bytes(range(128, 256)) + b"\r\n\r\n", 400)
        self.assert_cut_off(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400)
        for protocol in ("websocket", "h2c"):
            fields = ("Connection: Upgrade", f"Upgrade: {protocol}")
            self.assert_fine(self.sent(self.head("/livez", *fields, method="GET")))
        with self.wire() as wire:
            wire.send(self.head("/livez", method="GET", version="HTTP/1.0"))
            self.assert_fine(wire.read())
            self.assertTrue(wire.is_closed_within(5), "1.0 keeps no connections unless asked")

    def test_d08_chunks_that_are_not_framed_right(self):
        good = chunk(self.small) + b"0\r\n\r\n"
        self.assert_fine(self.sent(self.in_chunks(good)))
        size = b"%x" % len(self.small)
        for start in (b"", b"-2", b"G", b"1" * 17, b" " + size, b"0x5", b"+5", size + b" x"):
            with self.subTest(start):
                self.assert_cut_off(self.in_chunks(start + b"\r\n" + self.small + b"\r\n0\r\n\r\n"), 400)
        for data in (
            size + b"\n" + self.small + b"\r\n0\r\n\r\n",
            size + b"\r\n" + self.small + b"0\r\n\r\n",
            size + b"\r\n" + self.small + b"xx0\r\n\r\n",
        ):
            with self.subTest(data):
                self.assert_cut_off(self.in_chunks(data), 400)
        with self.wire() as wire:
            wire.send(self.in_chunks(chunk(self.small)))
            wire.socket.shutdown(socket.SHUT_WR)
            reply = wire.read()
            if reply is not None:
                self.assert_refused(reply, 400)

    def test_d09_chunks_beyond_number(self):
        tiny = chunk(b" ") * 1_000_000
        reply = self.sent(self.in_chunks(tiny + chunk(self.small) + b"0\r\n\r\n"), timeout=60)
        self.assertIn(reply.status, (200, 400, 413))
        long = b"%x;" % len(self.small) + b"a" * (1 << 20) + b"\r\n" + self.small + b"\r\n0\r\n\r\n"
        self.assert_cut_off(self.in_chunks(long), 400, 413)
        named = chunk(self.small) + b"0\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n"
        with self.wire() as wire:
            wire.send(self.in_chunks(named) + self.head("/livez", method="GET"))
            self.assertIn(wire.read().status, (200, 400))
            following = wire.read()
            self.assertTrue(following is None or following.status == 200)

    def test_d10_framing_in_two_ways(self):
        length = f"Content-Length: {len(self.small)}"
        both = chunk(self.small) + b"0\r\n\r\n"
        for status, fields, data in (
            (400, (length, "Transfer-Encoding: chunked"), both),
            (400, (length, "Content-Length: 3"), self.small),
            (400, (length, length), self.small),
            (501, ("Transfer-Encoding: gzip, chunked",), both),
            (501, ("Transfer-Encoding: chunked, identity",), both),
            (501, ("Transfer-Encoding: identity",), both),
            (400, ("Transfer-Encoding : chunked",), both),
            (400, ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), both),
            (400, ("X-Folded: a\r\n b", length), self.small),
        ):
            with self.subTest(fields):
                self.assert_cut_off(self.head(TEXT, "Content-Type: application/json", *fields) + data, status)
        old = self.head(TEXT, *CHUNKED, version="HTTP/1.0")
        self.assert_cut_off(old + both, 400)

    def test_d11_many_requests_in_one_go(self):
        one = self.head("/livez", method="GET")
        with self.wire() as wire:
            wire.send(one * 100)
            self.assertEqual([wire.read().status for _ in range(100)], [200] * 100)
        inner = one + self.request(TEXT, SMALL)
        with self.wire() as wire:
            wire.send(self.request(TEXT, json.dumps(SMALL | {"user": inner.decode()}).encode()) + one)
            self.assertIn(b"choices", self.assert_fine(wire.read()).body)
            self.assertNotIn(b"choices", self.assert_fine(wire.read()).body)
        self.assert_cut_off(self.head("/livez", "Bad Field: x", method="GET") + one * 3, 400)

    def test_d12_hosts(self):
        for lines in ("", "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n"):
            with self.subTest(lines):
                self.assert_cut_off(f"GET /livez HTTP/1.1\r\n{lines}\r\n".encode(), 400)

    def test_d13_line_ends_and_zeros_in_what_is_echoed(self):
        for value in (b"a\rb", b"a\nb", b"a\0b"):
            with self.subTest(value):
                data = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nx-request-id: " + value + b"\r\n\r\n"
                self.assert_cut_off(data, 400)
        for field in ("model", "user", "custom"):
            with self.subTest(field):
                reply = self.posted(TEXT, SMALL | {field: "a\r\nX-Injected: yes"})
                self.assertNotIn("x-injected", reply.headers)
        reply = self.posted(TEXT, SMALL | {"a\r\nX-Injected: yes": 1})
        self.assertNotIn("x-injected", reply.headers)

    def test_d14_methods(self):
        for path, allowed in (("/v1/models", {"GET", "HEAD"}), (CHAT, {"POST"}), ("/livez", {"GET", "HEAD"})):
            for method in METHODS:
                if method in allowed:
                    continue
                with self.subTest(f"{method} {path}"), self.wire() as wire:
                    fields = ("Content-Length: 0",) if method in ("POST", "PUT", "PATCH") else ()
                    wire.send(self.head(path, *fields, method=method))
                    reply = wire.read(has_body=method != "HEAD")
                    if method == "OPTIONS":
                        self.assertIn(reply.status, (200, 204))
                        self.assertEqual(reply.body, b"")
                    else:
                        self.assertEqual(reply.status, 405)
                        self.assertIn(next(iter(allowed)), reply.headers["allow"])
        self.assert_refused(self.sent(self.head("/livez", method="BREW")), 501)
        with self.wire() as wire:
            wire.send(self.head("*", method="OPTIONS"))
            self.assertIn(wire.read().status, (200, 204))
            wire.send(self.head("/livez", method="HEAD"))
            self.assertEqual(wire.read(has_body=False).status, 200)
            wire.send(self.head("/livez", method="GET"))
            self.assert_fine(wire.read())

    def test_d15_bodies_of_other_types(self):
        data = self.small
        length = f"Content-Length: {len(data)}"
        for kind in ((), ("Content-Type: text/plain",), ("Content-Type: multipart/form-data; boundary=x",)):
            with self.subTest(kind):
                self.assert_refused(self.sent(self.head(TEXT, length, *kind) + data), 415)
        for coding in ("gzip", "br", "deflate", "zstd"):
            with self.subTest(coding):
                self.assert_refused(self.posted(TEXT, data, f"Content-Encoding: {coding}"), 415)

    def test_d16_expectations(self):
        with self.wire() as wire:
            wire.send(self.with_length(len(self.small)).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
            self.assertEqual(wire.until(b"\r\n\r\n")[:12], b"HTTP/1.1 100")
            wire.send(self.small)
            self.assert_fine(wire.read())
        late = self.with_length(MOST_BODY + 1).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        self.assert_cut_off(late, 413)
        self.assert_refused(self.posted(TEXT, SMALL, "Expect: 200-maybe"), 417)

    def test_d17_routes_that_are_none(self):
        for path in ("/v2/models", "/v1/v1/models", "/v1/models/", "/v1/chat", "/admin", "/v1"):
            with self.subTest(path):
                self.assert_refused(self.sent(self.head(path, method="GET")), 404)

    def test_d18_other_names_for_this_machine(self):
        for host in ("evil.example", "127.0.0.1.evil.example", "127.evil", "localhost.evil.example", "[::2]"):
            with self.subTest(host):
                self.assert_refused(self.sent(f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()), 403)

    def test_d19_pages_of_other_sites(self):
        for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
            for method in ("GET", "OPTIONS"):
                with self.subTest(f"{method} {origin}"):
                    fields = (f"Origin: {origin}", "Access-Control-Request-Method: POST")
                    reply = self.sent(self.head("/v1/models", *fields, method=method))
                    self.assertNotIn("access-control-allow-origin", reply.headers)
                    self.assertNotIn("access-control-allow-credentials", reply.headers)

    def test_d20_who_says_that_it_speaks_for_others(self):
        for value in ("", "1.2.3.4", "a" * 8000):
            with self.subTest(value[:8]):
                fields = (f"X-Forwarded-For: {value}", "X-Forwarded-Host: evil.example")
                self.assert_fine(self.sent(self.head("/livez", *fields, method="GET")))

    def test_d22_connections_that_break(self):
        linger = b"\x01\0\0\0\0\0\0\0"  # RST in place of FIN
        for data in (b"POST /v1/comp", self.with_length(100) + b"{", self.request(TEXT, CANARY_LONG)):
            for _ in range(50):
                with Wire(self.address) as wire:
                    wire.send(data)
                    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        with self.wire() as wire:
            wire.send(self.request(TEXT, SMALL))
            wire.socket.shutdown(socket.SHUT_WR)
            self.assert_fine(wire.read())


CANARY_LONG = {"prompt": "Once", "max_tokens": 2000, "ignore_eos": True, "stream": True}


class Connections(hostile_case.HostileCase):
    def test_d21_connections_that_say_nothing(self):
        idle = []
        self.addCleanup(lambda: [one.close() for one in idle])
        for _ in range(many(2000, 18_000)):  # 16,384 may be open
            idle.append(socket.create_connection(self.address))
        self.assertGreater(self.census()[0], self.settled[0] + 1000)
        self.assert_fine(self.posted(TEXT, SMALL))
        for one in idle:
            one.close()


if __name__ == "__main__":
    hostile_case.main()
