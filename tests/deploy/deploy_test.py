"""The unit of systemd and the image say of the program what it says of itself.

STRATA_SOURCE_DIR and STRATA_BINARY_DIR name the tree and a build of it with the program.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from served import Server

ROOT = pathlib.Path(os.environ["STRATA_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["STRATA_BINARY_DIR"])
LAST_WRITES_S = 5  # kLastWrites of src/apps/serve/serve.cc


def fallback(flag):
    """A flag's default, as the table of `strata serve` in docs/flags.md has it."""
    text = (ROOT / "docs/flags.md").read_text(encoding="utf-8")
    part = text[text.index("\n## strata serve") :]
    return re.search(rf"^\| `--{flag}` \| `([^`]*)` \|", part, re.M)[1]


def installed_unit(prefix):
    """The unit's text from `cmake --install --prefix`."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["cmake", "--install", BUILD, "--prefix", prefix]
        environment = os.environ | {"DESTDIR": folder}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        assert os.access(f"{folder}{prefix}/bin/strata", os.X_OK)
        place = pathlib.Path(f"{folder}{prefix}/lib/systemd/system/strata.service")
        return place.read_text(encoding="utf-8")


class Unit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = installed_unit("/opt/strata")
        rows = re.findall(r"^(\w+)=(.*)$", cls.text, re.M)
        cls.settings = dict(rows)
        cls.names = [name for name, _ in rows]

    def test_it_runs_the_program_that_was_installed(self):
        self.assertEqual(
            self.settings["ExecStart"], "/opt/strata/bin/strata serve $STRATA_MODEL $STRATA_FLAGS"
        )
        self.assertNotIn("@", re.sub(r"@[a-z-]+\b", "", self.text), "a name that was not filled in")

    def test_it_waits_for_the_drain(self):
        drain = int(fallback("shutdown-timeout")) + LAST_WRITES_S
        self.assertGreater(int(self.settings["TimeoutStopSec"]), drain)

    def test_what_does_not_mend_itself_is_not_tried_again(self):
        table = (ROOT / "docs/exit-codes.md").read_text(encoding="utf-8")
        codes = {name: code for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", table, re.M)}
        final = [codes[name] for name in ("invalid_argument", "invalid_data", "not_found", "unsupported")]
        self.assertEqual(self.settings["RestartPreventExitStatus"].split(), final)

    def test_no_setting_stands_twice(self):
        several = {"Environment", "SystemCallFilter"}
        once = [name for name in self.names if name not in several]
        self.assertEqual(sorted(once), sorted(set(once)))


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")

    def test_it_asks_the_port_that_is_served(self):
        port = fallback("port")
        self.assertIn(f"\nEXPOSE {port}\n", self.text)
        self.assertIn(f"/dev/tcp/127.0.0.1/{port} ", self.text)

    def test_its_health_check_tells_a_server_from_none(self):
        command = json.loads(re.search(r"^HEALTHCHECK .*\\\n  CMD (.*)$", self.text, re.M)[1])
        server = Server()
        self.addCleanup(server.process.kill)
        port = server.url.rsplit(":", 1)[1]
        command = [word.replace(fallback("port"), port) for word in command]

        def healthy():
            return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0

        self.assertTrue(healthy())
        server.stop()
        self.assertFalse(healthy())

    def test_it_is_nobody_special(self):
        runtime = self.text[self.text.rindex("\nFROM ") :]
        self.assertIn("\nUSER strata\n", runtime)
        self.assertLess(runtime.index("\nUSER "), runtime.index("\nENTRYPOINT "))


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    unittest.main(verbosity=0)
