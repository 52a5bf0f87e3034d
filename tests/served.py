"""A real server for tests that ask it as its clients do: build/release/strata with pebble.

STRATA_BINARY_DIR names another build. Used by tests/web, tests/clients and
tests/hostile.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ.get("STRATA_BINARY_DIR") or ROOT / "build/release") / "strata"
PEBBLE = ROOT / "models/pebble"


class Server:
    """`strata serve` with pebble on a free port, until stop()."""

    def __init__(self, *flags, key=""):
        command = [BINARY, "serve", PEBBLE, "--port", "0", "--threads", "1"]
        command += ["--served-model-name", "pebble", "--kv-blocks", "600", *flags]
        if key:
            command += ["--api-key", key]
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.url = ""
        for line in self.process.stderr:
            if line.startswith("ready: "):
                self.url = line.split()[1]
            if line.startswith("try: "):
                break
        if not self.url:
            raise AssertionError("the server did not start")
        # A pipe that nobody empties would cost the log its lines.
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()

    def _read_log(self):
        for _ in self.process.stderr:
            pass

    def ask(self, path, body=None):
        """The answer's text: a GET, or a POST of JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers=self.headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read().decode()

    def metric(self, name):
        """The sum of a metric's samples."""
        lines = [line for line in self.ask("/metrics").splitlines() if line.startswith(name + "{")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def is_idle_within(self, seconds):
        """True once no request runs or waits."""
        deadline = time.monotonic() + seconds
        while self.metric("vllm:num_requests_running") + self.metric("vllm:num_requests_waiting"):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.reader.join()
        self.process.stderr.close()


class ServedCase(unittest.TestCase):
    """One server for a class; FLAGS and KEY are the server's."""

    FLAGS = ()
    KEY = ""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = Server("--files-dir", f"{folder.name}/files", *cls.FLAGS, key=cls.KEY)
        cls.addClassCleanup(cls.server.stop)
