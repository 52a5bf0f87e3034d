"""A stand-in for the Hugging Face hub: its API of one model's files, and a second server that large
files are redirected to. What goes wrong is chosen by the repository's name; every request is a line
of JSON in the log, so that a test sees who was sent a token.

    stand_in_hub.py MODEL_FOLDER LOG     prints {"hub": port, "cdn": port} once it listens
"""

import hashlib
import http.server
import json
import pathlib
import socket
import sys
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_sesame"
BIG_BYTES = 40_000_000  # several pieces of what a client asks for
TIMES = 2  # how often a fault that passes is seen


def big_bytes():
    block = hashlib.sha256(b"big").digest() * 1024
    return (block * (BIG_BYTES // len(block) + 1))[:BIG_BYTES]


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """The files of every repository, and what has been asked for."""

    def __init__(self, model, log):
        self.small = {path.name: path.read_bytes() for path in pathlib.Path(model).iterdir()}
        self.big = {"config.json": b"{}", "model.safetensors": big_bytes()}
        self.log = open(log, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.faults = {}
        self.ports = {}

    def files(self, name):
        if name in ("tiny", "private", "gated", "busy", "twice"):
            more = {"pytorch_model.bin": b"pickle", "onnx/model.onnx": b"onnx", "README.md": b"# a"}
            if name == "twice":
                more["tokenizer_config.json"] = self.small["config.json"]
            return {**self.small, **more}
        return self.big

    def listing(self, name):
        if name == "escape":
            return [{"rfilename": "../../../evil.json", "size": 1, "blobId": git_sha1(b"a")}]
        entries = []
        for path, data in self.files(name).items():
            sha256 = hashlib.sha256(data).hexdigest()
            if name == "wrong" and path.endswith(".safetensors"):
                sha256 = hashlib.sha256(b"other").hexdigest()
            size = len(data) + (1 if name == "short" and path.endswith(".safetensors") else 0)
            entry = {"rfilename": path, "size": size, "blobId": git_sha1(data)}
            if path.endswith(".safetensors"):
                entry["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 130}
            entries.append(entry)
        return entries

    def note(self, entry):
        with self.lock:
            self.log.write(json.dumps(entry) + "\n")
            self.log.flush()

    def fault(self, key):
        """True for the first TIMES questions about a key."""
        with self.lock:
            self.faults[key] = self.faults.get(key, 0) + 1
            return self.faults[key] <= TIMES


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = None
    is_cdn = False

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", fields=()):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code, message, fields=()):
        body = json.dumps({"error": message}).encode()
        self.answer(status, body, [("X-Error-Code", code), ("X-Error-Message", message), *fields])

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.hub.note(
            {
                "server": "cdn" if self.is_cdn else "hub",
                "path": urllib.parse.unquote(url.path),
                "range": self.headers.get("Range"),
                "token": self.headers.get("Authorization"),
            }
        )
        parts = urllib.parse.unquote(url.path).strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self.api(parts[3], "/".join(parts[5:]))
        return self.resolve(parts[1], "/".join(parts[4:]))

    def allowed(self, name):
        """Answers itself where the model is not for everybody."""
        known = self.headers.get("Authorization") == "Bearer " + TOKEN
        if name == "private" and not known:
            self.refuse(401, "RepoNotFound", "Repository not found")
            return False
        if name == "gated":
            self.refuse(403, "GatedRepo", "Access to model org/gated is restricted")
            return False
        return True

    def api(self, name, revision):
        if name == "absent":
            return self.refuse(404, "RepoNotFound", "Repository not found")
        if revision not in ("main", COMMIT, "v/2"):
            return self.refuse(404, "RevisionNotFound", "Invalid rev id: " + revision)
        if name == "busy" and self.hub.fault("api"):
            return self.refuse(429, "", "slow down", [("Retry-After", "1")])
        if name == "down":
            return self.refuse(503, "", "sleeping", [("Retry-After", "86400")])
        if not self.allowed(name):
            return None
        body = {"id": "org/" + name, "sha": COMMIT, "siblings": self.hub.listing(name)}
        return self.answer(200, json.dumps(body).encode())

    def resolve(self, name, path):
        data = self.hub.files(name).get(path)
        if data is None:
            return self.refuse(404, "EntryNotFound", "Entry not found")
        if not self.is_cdn and not self.allowed(name):
            return None
        large = path.endswith(".safetensors")
        fields = [("X-Repo-Commit", COMMIT), ("ETag", '"%s"' % git_sha1(data))]
        if large and not self.is_cdn:
            fields += [
                ("X-Linked-Etag", '"%s"' % hashlib.sha256(data).hexdigest()),
                ("X-Linked-Size", str(len(data))),
                ("Location", "http://localhost:%d%s?signature=x" % (self.hub.ports["cdn"], self.path)),
            ]
            return self.answer(302, b"", fields)
        if name == "busy" and self.hub.fault(path):
            return self.refuse(503, "", "sleeping")
        if name == "expired" and large and self.hub.fault(path):
            return self.refuse(403, "", "signature expired")
        return self.send(name, data, fields)

    def send(self, name, data, fields):
        wanted = self.headers.get("Range")
        first, last = 0, len(data) - 1
        ranged = wanted is not None and name != "whole"
        if ranged:
            first, last = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
        self.send_response(206 if ranged else 200)
        for field, value in fields:
            self.send_header(field, value)
        if ranged:
            start = first + (1 if name == "liar" else 0)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, last, len(data)))
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        body = memoryview(data)[first : last + 1]
        if name in ("cut", "whole") and len(data) > 1000 and self.hub.fault("cut"):
            self.wfile.write(body[: len(body) // 3])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if name == "slow" and len(data) > 1000 and first >= BIG_BYTES // 2:
            time.sleep(3600)
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that go away


def main():
    hub = Hub(sys.argv[1], sys.argv[2])
    for name in ("hub", "cdn"):
        kind = type(name, (Handler,), {"hub": hub, "is_cdn": name == "cdn"})
        server = Server(("127.0.0.1", 0), kind)
        hub.ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps(hub.ports), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
