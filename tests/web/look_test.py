"""How the page is reached and read: colours, keys, small screens."""

import sys

sys.dont_write_bytecode = True

import browser

GROUND = "getComputedStyle(document.body).backgroundColor"


class Colours(browser.PageTest):
    def test_the_system_decides_until_the_user_does(self):
        light = self.page.evaluate(GROUND)
        self.page.emulate_media(color_scheme="dark")
        # The page hears of it with its next frame.
        self.page.wait_for_function(f"light => {GROUND} !== light", arg=light)
        dark = self.page.evaluate(GROUND)
        self.button("Light colours").click()
        self.assertEqual(self.page.evaluate(GROUND), light)
        self.page.reload()
        self.assertEqual(self.page.evaluate(GROUND), light)
        self.button("Dark colours").click()
        self.assertEqual(self.page.evaluate(GROUND), dark)

    def test_text_is_readable_in_both(self):
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            shown = "scheme => document.documentElement.dataset.theme === scheme"
            self.page.wait_for_function(shown, arg=scheme)
            for name in ("--text", "--muted", "--accent", "--bad"):
                ratio = self.contrast(f"var({name})", "var(--ground)")
                self.assertGreater(ratio, 4.5, f"{name}, {scheme}")
            self.assertGreater(self.contrast("var(--on-accent)", "var(--accent)"), 4.5, scheme)

    def contrast(self, text, ground):
        """WCAG's contrast ratio of two colours of the style sheet."""
        return self.page.evaluate(
            """([text, ground]) => {
              const light = (colour) => {
                const probe = document.createElement('i');
                probe.style.color = colour;
                document.body.append(probe);
                const parts = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3);
                probe.remove();
                const [r, g, b] = parts.map((part) => {
                  const share = part / 255;
                  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const [high, low] = [light(text), light(ground)].sort((a, b) => b - a);
              return (high + 0.05) / (low + 0.05);
            }""",
            [text, ground],
        )


class Keys(browser.PageTest):
    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def test_a_whole_talk_without_a_pointer(self):
        self.talk_on()
        self.page.locator(".status[data-status=ready]").wait_for()
        self.page.keyboard.type("Tell me a story")
        self.press("Shift+Enter")
        self.page.keyboard.type("about a fox")
        self.press("Enter")
        self.page.locator("[aria-busy=true] .markdown").wait_for()
        self.press("Escape")
        self.page.get_by_text("stopped by you").wait_for()
        self.assertEqual(self.page.locator(".bubble").inner_text(), "Tell me a story\nabout a fox")
        self.press("ArrowUp")
        self.page.get_by_role("textbox", name="Edit message").wait_for()
        self.press("Escape")
        self.press("Alt+n")
        self.assertEqual(self.entries(), ["New conversation", "Tell me a story about a fox"])
        self.press("Alt+ArrowDown")
        self.page.get_by_role("heading", name="Tell me a story about a fox").wait_for()
        self.press("Alt+2")
        self.page.locator(".dashboard").wait_for()
        self.press("Alt+1", "Alt+p")
        self.page.get_by_role("complementary", name="Parameters").wait_for()
        self.press("Escape")
        self.assertEqual(self.page.locator(".settings").count(), 0)

    def test_a_conversation_is_renamed_and_deleted(self):
        self.send("Hello")
        self.page.locator(".entry-title").focus()
        self.press("F2")
        self.page.locator("input:focus").wait_for()
        self.page.keyboard.type("Mine")
        self.press("Enter")
        self.page.locator(".entry-title", has_text="Mine").focus()
        self.press("Delete")
        self.assertEqual(self.entries(), ["New conversation"])

    def test_the_help_names_the_keys_and_closes(self):
        self.page.locator(".brand").click()
        self.press("?")
        dialog = self.page.get_by_role("dialog", name="Keyboard")
        self.assertIn("Alt+N", dialog.inner_text())
        self.press("Escape")
        dialog.wait_for(state="detached")

    def test_focus_is_visible(self):
        self.page.locator(".status[data-status=ready]").wait_for()
        seen = []
        for _ in range(8):
            self.press("Shift+Tab")
            seen.append(
                self.page.evaluate(
                    """() => {
                      const style = getComputedStyle(document.activeElement);
                      const around = document.activeElement.closest('.composer');
                      return style.outlineStyle !== 'none' || around !== null;
                    }"""
                )
            )
        self.assertTrue(all(seen), seen)

    def test_every_control_has_a_name(self):
        self.send("Hello")
        self.button("Parameters").click()
        unnamed = self.page.evaluate(
            """() => {
              const text = (one) => one.matches('button, a') && one.innerText.trim();
              const named = (one) => one.ariaLabel || one.labels?.length || text(one);
              const controls = [...document.querySelectorAll('button, input, textarea, select, a')];
              return controls.filter((one) => !named(one)).map((one) => one.outerHTML);
            }"""
        )
        self.assertEqual(unnamed, [])


class Phone(browser.PageTest):
    CONTEXT = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}

    def test_nothing_is_wider_than_the_screen(self):
        self.answer_with(browser.chunks({"content": f"{'x' * 300}\n\n```\n{'y' * 300}\n```"}))
        self.send("Hello")
        wide = """[...document.querySelectorAll('html, .thread, .dashboard')].some(
                  (one) => one.scrollWidth > one.clientWidth)"""
        self.assertFalse(self.page.evaluate(wide))
        self.page.get_by_role("link", name="Dashboard").click()
        self.page.locator(".dashboard").wait_for()
        self.assertFalse(self.page.evaluate(wide))

    def test_the_list_opens_over_the_talk(self):
        self.send("Hello")
        self.assertFalse(self.page.locator(".sidebar").is_visible())
        self.button("Conversations").click()
        self.page.get_by_role("navigation", name="Conversations").get_by_text("New conversation").tap()
        self.page.locator(".sidebar").wait_for(state="hidden")
        self.page.get_by_role("heading", name="New conversation").wait_for()


if __name__ == "__main__":
    browser.main()
