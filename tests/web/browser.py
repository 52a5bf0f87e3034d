"""A real server, a real browser, and what every test of the page holds to.

The server is tests/served.py's, the browser Debian's chromium, driven by Playwright. Whatever a
test does, the page asks nobody but its server, and nothing fails in its script or against its
content policy.
"""

import json
import os
import pathlib
import shutil
import sys
import unittest

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from served import BINARY, Server

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def chunks(*deltas, finish="stop"):
    """A stream that says these deltas: for answers that pebble would not give."""
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    events = [{"choices": [choice]} for choice in choices] + [{"choices": [], "usage": usage}]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


class PageTest(unittest.TestCase):
    """One server and one browser for a class, a fresh profile for each test."""

    FLAGS = ()
    CONTEXT = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.FLAGS)
        cls.addClassCleanup(cls.server.stop)
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        # Containers run as root, where chromium's sandbox does not.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        cls.browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.allowed_errors = ()
        self.faults = []
        self.asked = []
        self.context = self.browser.new_context(**self.CONTEXT)
        self.page = self.new_page()
        self.page.goto(self.server.url + "/")

    def new_page(self):
        page = self.context.new_page()
        page.set_default_timeout(15000)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self.note)
        page.on("request", lambda request: self.asked.append(request.url))
        return page

    def note(self, message):
        expected = any(text in message.text for text in self.allowed_errors)
        if message.type in ("error", "warning") and not expected:
            self.faults.append(message.text)

    def tearDown(self):
        self.context.close()
        self.assertEqual(self.faults, [])
        elsewhere = [url for url in self.asked if not url.startswith((self.server.url, "blob:"))]
        self.assertEqual([url for url in elsewhere if not url.startswith("data:")], [])

    # What people do.

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def field(self):
        return self.page.get_by_role("textbox", name="Message", exact=True)

    def begin(self, text):
        """Sends a message and waits for nothing."""
        self.page.locator(".status[data-status=ready]").wait_for()
        self.field().fill(text)
        self.field().press("Enter")

    def send(self, text):
        """Sends a message and waits for the end of the answer; the answer's element."""
        count = self.answers().count()
        self.begin(text)
        answer = self.answers().nth(count)
        answer.and_(self.page.locator("[aria-busy=false]")).wait_for()
        return answer

    def answers(self):
        return self.page.get_by_role("article", name="Answer")

    def entries(self):
        return self.page.locator(".entry-title").all_inner_texts()

    # What the network does.

    def talk_on(self):
        """Every answer runs to its last token, whatever the model would rather do."""

        def longer(route):
            body = {**route.request.post_data_json, "ignore_eos": True, "max_tokens": 3000}
            route.continue_(post_data=json.dumps(body))

        self.page.route("**/v1/chat/completions", longer)

    def answer_with(self, *bodies):
        """The next answers are these streams; returns the list that requests are noted in."""
        left, requests = list(bodies), []

        def give(route):
            requests.append(route.request.post_data_json)
            headers = {"Content-Type": "text/event-stream"}
            route.fulfill(body=left.pop(0), headers=headers)

        self.page.route("**/v1/chat/completions", give)
        return requests


def main():
    if not BINARY.exists() or not pathlib.Path(CHROMIUM).exists():
        sys.exit(f"{BINARY} and {CHROMIUM} must be there: ./run clients builds and installs them")
    unittest.main(verbosity=0)
