"""What the page shows of its server: figures on the dashboard, and the key that it asks for."""

import sys
import threading

sys.dont_write_bytecode = True

import browser


class Dashboard(browser.PageTest):
    def load(self):
        """Requests beside the page's until the test ends."""
        ended = threading.Event()
        body = {"prompt": "Once upon a time", "max_tokens": 200, "ignore_eos": True}

        def keep_asking():
            while not ended.is_set():
                self.server.ask("/v1/completions", body)

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
            self.addCleanup(thread.join)
        self.addCleanup(ended.set)

    def figure(self, name):
        return self.page.locator(".figure", has=self.page.get_by_text(name, exact=True)).locator("b")

    def test_numbers_move_under_load(self):
        self.load()
        self.page.get_by_role("link", name="Dashboard").click()
        for name in ("Output", "Running", "First token", "Between tokens"):
            self.page.wait_for_function(
                "figure => Number.parseFloat(figure.innerText) > 0",
                arg=self.figure(name).element_handle(),
            )
        legend = self.page.locator(".chart", has_text="Time to first token").locator(".legend")
        self.assertRegex(legend.inner_text(), r"p50 [\d.]+ m?s\s+p90 [\d.]+ m?s\s+p99 [\d.]+ m?s")
        drawn = self.page.evaluate(
            """[...document.querySelectorAll('.plot canvas')].map((canvas) => new Set(new Uint32Array(
               canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)"""
        )
        self.assertEqual(len(drawn), 5)
        self.assertGreater(min(drawn), 3, "colours of an empty chart")

    def test_memory_and_blocks_are_the_servers(self):
        self.page.get_by_role("link", name="Dashboard").click()
        memory = self.page.locator(".memory")
        memory.get_by_text("KV cache").wait_for()
        self.assertRegex(memory.inner_text(), r"[\d.]+ [MG]B of [\d.]+ GB")
        self.assertIn("weights\n11.6 MB", memory.inner_text().replace("\n\n", "\n"))
        self.page.get_by_text("KV blocks in use").wait_for()

    def test_a_reload_stays_on_the_dashboard(self):
        self.page.get_by_role("link", name="Dashboard").click()
        self.page.reload()
        self.page.locator(".dashboard").wait_for()

    def test_only_the_dashboard_scrapes(self):
        self.send("Hello")
        self.page.wait_for_timeout(1500)
        self.assertEqual([url for url in self.asked if url.endswith("/metrics")], [])


class Key(browser.PageTest):
    FLAGS = ("--api-key", "right")

    def setUp(self):
        super().setUp()
        self.allowed_errors = ("401 (Unauthorized)",)

    def give(self, key):
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_label("API key").press("Enter")

    def test_the_page_asks_until_the_key_is_right(self):
        dialog = self.page.get_by_role("dialog", name="This server asks for a key")
        dialog.get_by_text("no API key").wait_for()
        self.give("wrong")
        dialog.get_by_text("Incorrect API key provided").wait_for()
        for _ in range(3):
            self.page.keyboard.press("Escape")
        self.page.wait_for_timeout(100)
        self.give("right")
        dialog.wait_for(state="detached")
        self.assertIn("tokens in", self.send("Hello").inner_text())
        self.page.reload()
        self.page.locator(".status[data-status=ready]").wait_for()
        self.page.get_by_role("link", name="Dashboard").click()
        self.page.locator(".memory").get_by_text("KV cache").wait_for()

    def test_the_key_is_not_kept_with_the_conversations(self):
        self.give("right")
        self.send("Hello")
        self.assertNotIn("right", self.page.evaluate("JSON.stringify({...localStorage})"))
        other = self.new_page()
        other.goto(self.server.url + "/")
        other.get_by_role("dialog", name="This server asks for a key").wait_for()


class Lost(browser.PageTest):
    def test_a_server_that_goes_away_is_named(self):
        self.allowed_errors = ("Failed to load resource", "ERR_CONNECTION")
        self.page.locator(".status[data-status=ready]").wait_for()
        self.context.set_offline(True)
        self.begin("Hello")
        self.page.get_by_role("alert").get_by_text("cannot be reached").wait_for()
        self.page.get_by_text("no server").wait_for()
        self.context.set_offline(False)
        self.page.locator(".status[data-status=ready]").wait_for()


if __name__ == "__main__":
    browser.main()
