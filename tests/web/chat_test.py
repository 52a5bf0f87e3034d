"""The chat against pebble: answers that stream, stop, fail and survive a reload."""

import json
import sys

sys.dont_write_bytecode = True

import browser
from browser import chunks


class Chat(browser.PageTest):
    def test_an_answer_streams(self):
        self.talk_on()
        self.begin("Tell me a story")
        growing = "document.querySelector('[aria-busy=true] .markdown')?.innerText"
        self.page.wait_for_function(f"() => {growing}?.length > 5")
        before = self.page.evaluate(growing)
        self.page.wait_for_function(f"least => {growing}.length > least", arg=len(before) + 50)
        self.button("Stop").click()
        self.assertTrue(self.page.locator(".markdown").inner_text().startswith(before[:5]))

    def test_the_end_shows_speed_and_usage(self):
        figures = self.send("Tell me a story").locator(".figures").inner_text()
        self.assertRegex(figures, r"first after [\d.]+ ms · \d+ tokens in, \d+ out")

    def test_stop_keeps_what_was_said_and_frees_the_server(self):
        self.talk_on()
        self.begin("Tell me a story")
        self.page.locator("[aria-busy=true] .markdown").wait_for()
        self.button("Stop").click()
        self.page.get_by_text("stopped by you").wait_for()
        said = self.page.locator(".markdown").inner_text()
        self.assertNotEqual(said, "")
        self.page.wait_for_timeout(200)
        self.assertEqual(self.page.locator(".markdown").inner_text(), said)
        self.assertEqual(self.server.metric("vllm:num_requests_running"), 0)

    def test_conversations_survive_a_reload(self):
        first = self.send("Hello, who are you?").locator(".markdown").inner_text()
        self.button("New conversation").first.click()
        self.send("Tell me a story")
        self.assertEqual(self.entries(), ["Tell me a story", "Hello, who are you?"])
        self.page.reload()
        self.assertEqual(self.entries(), ["Tell me a story", "Hello, who are you?"])
        self.page.locator(".entry-title").nth(1).click()
        self.assertEqual(self.answers().locator(".markdown").inner_text(), first)

    def test_rename_delete_and_undo(self):
        self.send("Hello")
        self.page.locator(".entry-title").first.dblclick()
        name = self.page.get_by_role("textbox", name="Name of the conversation")
        name.fill("My talk")
        name.press("Enter")
        self.page.reload()
        self.assertEqual(self.entries(), ["My talk"])
        self.page.locator(".entry").hover()
        self.button("Delete “My talk”").click()
        self.assertEqual(self.entries(), ["New conversation"])
        self.button("Undo").click()
        self.page.reload()
        self.assertEqual(self.entries(), ["My talk"])

    def test_export_can_be_sent_again(self):
        self.send("Hello")
        self.page.locator(".entry").hover()
        with self.page.expect_download() as download:
            self.button("Export “Hello”").click()
        exported = json.loads(download.value.path().read_text())
        roles = [message["role"] for message in exported["messages"]]
        self.assertEqual(roles, ["user", "assistant"])
        again = self.server.ask("/v1/chat/completions", {"messages": exported["messages"]})
        self.assertIn("choices", again)

    def test_two_windows_show_the_same_conversations(self):
        self.send("Hello")
        other = self.new_page()
        other.goto(self.server.url + "/")
        self.button("New conversation").first.click()
        self.send("Tell me a story")
        other.locator(".entry-title", has_text="Tell me a story").wait_for()

    def test_another_window_does_not_take_an_empty_conversation_away(self):
        self.send("Hello")
        other = self.new_page()
        other.goto(self.server.url + "/")
        other.keyboard.press("Alt+n")
        self.send("Tell me a story")
        other.locator(".entry-title", has_text="Hello").wait_for()
        other.wait_for_timeout(200)
        self.assertEqual(other.locator("h1").inner_text(), "New conversation")

    def test_parameters_are_sent(self):
        requests = self.answer_with(chunks({"content": "ok"}))
        self.button("Parameters").click()
        for label, value in [("Temperature", "0.7"), ("Top p", "0.9"), ("Max tokens", "12"), ("Seed", "3")]:
            self.page.get_by_label(label, exact=True).fill(value)
        self.page.get_by_label("System prompt").fill("Be brief")
        self.send("Hello")
        body = requests[0]
        self.assertEqual(
            [body[name] for name in ("model", "temperature", "top_p", "max_tokens", "seed")],
            ["pebble", 0.7, 0.9, 12, 3],
        )
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief"})

    def test_a_seed_gives_the_same_answer_again(self):
        self.button("Parameters").click()
        self.page.get_by_label("Temperature").fill("1")
        self.page.get_by_label("Seed").fill("11")
        first = self.send("Tell me a story").locator(".markdown").inner_text()
        self.button("Answer again").click()
        self.page.get_by_role("button", name="Answer again").wait_for()
        self.assertEqual(self.answers().count(), 1)
        self.assertEqual(self.page.locator(".markdown").inner_text(), first)

    def test_an_edited_message_replaces_what_followed(self):
        self.send("Hello")
        self.send("Tell me a story")
        self.page.get_by_role("article", name="You").first.hover()
        self.button("Edit message").first.click()
        editor = self.page.get_by_role("textbox", name="Edit message")
        editor.fill("What is 2 + 3?")
        editor.press("Enter")
        self.page.locator(".bubble", has_text="What is 2 + 3?").wait_for()
        self.button("Answer again").wait_for()
        self.assertEqual(self.answers().count(), 1)

    def test_an_error_is_shown_as_the_server_says_it(self):
        self.allowed_errors = ("400 (Bad Request)",)
        self.button("Parameters").click()
        self.page.get_by_label("Top p").fill("5")
        self.begin("Hello")
        failure = self.page.get_by_role("alert")
        failure.wait_for()
        body = {"messages": [{"role": "user", "content": "Hello"}], "top_p": 5}
        said = self.page.evaluate(
            """async (body) => (await (await fetch('/v1/chat/completions', {method: 'POST',
               headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)})).json()).error""",
            body,
        )
        self.assertIn(said["message"], failure.inner_text())
        self.assertIn("field top_p", failure.inner_text())

    def test_an_answer_that_breaks_off_says_so(self):
        whole = chunks({"content": "half an"})
        self.answer_with(whole[: whole.index("data: [DONE]")])
        answer = self.send("Hello")
        self.assertIn("half an", answer.inner_text())
        self.assertIn("closed before the end", answer.inner_text())


class Content(browser.PageTest):
    def test_markdown_is_drawn(self):
        text = "# Head\n\n- **bold**\n- `code`\n\n```py\nprint(1)\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |"
        self.answer_with(chunks({"content": text[:20]}, {"content": text[20:]}))
        answer = self.send("Hello")
        self.assertEqual(answer.get_by_role("heading", name="Head").count(), 1)
        self.assertEqual(answer.locator("li strong").inner_text(), "bold")
        self.assertEqual(answer.locator("pre code").inner_text(), "print(1)")
        self.assertEqual(answer.locator("td").all_inner_texts(), ["1", "2"])

    def test_code_can_be_copied(self):
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.answer_with(chunks({"content": "```\nint a;\n\nint b;\n```"}))
        self.send("Hello").get_by_role("button", name="Copy code").click()
        self.button("Copied").wait_for()
        self.assertEqual(
            self.page.evaluate("navigator.clipboard.readText()"), "int a;\n\nint b;"
        )

    def test_hostile_html_stays_text(self):
        hostile = (
            "<img src=x onerror='window.broken=1'><script>window.broken=1</script>"
            "<svg onload=window.broken=1> <iframe srcdoc='<script>top.broken=1</script>'></iframe>\n\n"
            "[go](javascript:window.broken=1) ![i](https://evil.test/x.png) <https://evil.test/>\n\n"
            "| <b onmouseover=window.broken=1>x</b> |\n|---|\n| <style>*{display:none}</style> |\n\n"
            "```\n</code></pre><script>window.broken=1</script>\n```"
        )
        self.answer_with(chunks({"content": hostile, "reasoning_content": hostile}))
        answer = self.send(hostile)
        self.assertIn("onerror='window.broken=1'", answer.inner_text())
        self.assertEqual(self.page.locator(".column :is(img, script, iframe, style, b)").count(), 0)
        self.assertEqual(self.page.locator(".column a[href^='javascript']").count(), 0)
        self.assertEqual(self.page.locator(".entry :is(img, script)").count(), 0)
        self.assertIsNone(self.page.evaluate("window.broken ?? null"))

    def test_the_policy_stops_what_would_get_through(self):
        self.allowed_errors = ("Content Security Policy", "TrustedHTML")
        stopped = self.page.evaluate(
            """() => {
              try { document.body.innerHTML += '<img src=x>'; return false; }
              catch (error) { return error instanceof TypeError; }
            }"""
        )
        self.assertTrue(stopped)

    def test_reasoning_and_calls_are_folded(self):
        call = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
        requests = self.answer_with(
            chunks({"reasoning_content": "I must add."}, {"tool_calls": [call]}, finish="tool_calls"),
            chunks({"content": "It is 3."}),
        )
        answer = self.send("What is 1 + 2?")
        for name, text in [("Reasoning", "I must add."), ("Calls add", '"a": 1')]:
            fold = answer.locator("details", has_text=name)
            self.assertFalse(fold.evaluate("fold => fold.open"))
            fold.locator("summary").click()
            self.assertIn(text, fold.inner_text())
        self.page.get_by_role("textbox", name="Result of add").fill("3")
        self.button("Give result").click()
        self.page.get_by_text("It is 3.").wait_for()
        roles = [message["role"] for message in requests[1]["messages"]]
        self.assertEqual(roles, ["user", "assistant", "tool"])
        self.assertEqual(requests[1]["messages"][2]["tool_call_id"], "c1")


if __name__ == "__main__":
    browser.main()
