"""The page in headless Chromium, against the service as it is started by hand."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.yinzi.serve.browser import Page, chromium
from tests.yinzi.serve.conftest import running
from yinzi.serve.keys import add_key

AXE = "axe-core@4.11.0"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running() as service:
        yield service.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    opened = Page(browser, address)
    opened.log()
    yield opened
    assert opened.log() == []


def test_a_sentence_is_typed_and_explained(page: Page) -> None:
    page.type("woyaomaijipiao")
    assert page.candidates[0] == "我要买机票"
    assert page.preedit == "wo yao mai ji piao"
    assert page.attribute("text", "aria-activedescendant") == "candidate-0"
    assert "ms a key" in page.shown("latency")
    second = page.candidates[1]
    page.press("2")
    page.wait(lambda: page.text.startswith(second))
    while page.attribute("text", "aria-activedescendant"):  # a word for the first letters alone
        before = page.preedit
        page.press(" ")
        page.wait(lambda before=before: page.preedit != before)
    written = page.text
    page.wait(lambda: "wǒ" in page.shown("reading"))

    page.type("jipiao")
    page.click("why")
    page.wait(lambda: "机票" in page.shown("why-panel"))
    assert page.attribute("why", "aria-expanded") == "true"
    bars = page.run("return document.querySelectorAll('#why-table .bars rect').length")
    best = page.run("return document.querySelector('#lattice .best text').textContent")
    assert (bars > 0, best) == (True, "机票")

    page.choose("script", "traditional")
    page.wait(lambda: page.candidates[:1] == ["機票"])
    page.wait(lambda: "機票" in page.shown("why-panel"))
    page.browser.find_element("id", "candidate-0").click()
    page.wait(lambda: page.text == f"{written}機票")
    page.wait(lambda: "機" in page.shown("reading"))
    assert "jī" in page.shown("reading")
    page.choose("script", "simplified")


def test_keys_that_are_not_for_the_session_edit_the_text(page: Page) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    page.press("7", *"nihao", " ", keys.ENTER, keys.BACKSPACE, keys.BACKSPACE, ",", "1")
    page.wait(lambda: page.text == "7你，1")
    page.press(*"ni", keys.ESCAPE, "x", keys.BACKSPACE)
    page.wait(lambda: page.preedit == "")
    assert page.text == "7你，1"


def test_shift_alone_goes_to_english_and_back(page: Page) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    page.press(keys.SHIFT)
    page.wait(lambda: page.shown("mode") == "EN English")
    page.press(*"nihao ")
    assert page.text == "nihao "
    page.click("mode")
    page.wait(lambda: page.shown("mode") == "中 Chinese")
    page.press(*"nihao", " ")
    page.wait(lambda: page.text == "nihao 你好")


def test_letters_that_a_screen_keyboard_composes_are_typed(page: Page) -> None:
    send = page.browser.execute_cdp_cmd
    at = {"selectionStart": 5, "selectionEnd": 5}
    send("Input.imeSetComposition", {"text": "nihao", **at})
    send("Input.insertText", {"text": "nihao"})
    page.wait(lambda: page.preedit == "ni hao")
    assert page.text == ""
    page.press(" ")
    page.wait(lambda: page.text == "你好")
    send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    send("Input.insertText", {"text": "您"})
    page.wait(lambda: page.text == "你好您")  # another input method is left alone


def test_next_words_go_when_the_cursor_moves(page: Page) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    page.press(*"woyao", " ")
    page.wait(lambda: page.preedit == "Next words")
    page.press(keys.ARROW_LEFT)
    page.wait(lambda: page.candidates == [])
    assert page.text == "我要"


def test_pages_turn_by_key_and_button(page: Page) -> None:
    page.type("nihao")
    first = page.candidates
    page.press("=")
    second = page.wait(lambda: page.candidates != first and page.candidates)
    page.click("previous")
    page.wait(lambda: page.candidates == first)
    page.click("next")
    page.wait(lambda: page.candidates == second)
    assert page.run("return document.activeElement.id") == "text"


def test_keys_on_the_screen_type(page: Page) -> None:
    page.click("keyboard-switch")
    keys = {
        button.get_attribute("data-key"): button
        for button in page.browser.find_elements("css selector", "#keyboard button")
    }
    assert page.attribute("text", "inputmode") == "none"
    for letter in "nihaoo":
        keys[letter].click()
    keys["Backspace"].click()
    page.wait(lambda: page.preedit == "ni hao")
    keys[" "].click()
    page.wait(lambda: page.text == "你好")


def test_a_service_with_keys_asks_for_one(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    token = add_key(path, name="page", now=time.time())[1]
    with running("--keys", str(path)) as service:
        browser.get(service.url)
        page = Page.__new__(Page)
        page.browser = browser
        page.wait(lambda: page.attribute("key-form", "hidden") is None)
        browser.find_element("id", "key").send_keys(token)
        browser.find_element("css selector", "#key-form button").click()
        page.wait(lambda: page.attribute("connection", "data-state") == "connected")
        browser.find_element("id", "text").click()
        page.type("nihao")
        assert page.candidates[0] == "你好"
        assert page.attribute("key-form", "hidden") is not None
        assert token not in page.run("return JSON.stringify(localStorage)")
    page.log()


def test_language_colours_and_settings_stay(page: Page) -> None:
    assert page.shown("copy") == "Copy"
    page.click("language")
    page.click("theme")
    page.click("theme")
    page.choose("scheme", "xiaohe")
    page.browser.refresh()
    page.wait(lambda: page.shown("copy") == "复制")
    page.wait(lambda: page.attribute("connection", "data-state") == "connected")
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    page.type("nihc")
    assert page.candidates[0] == "你好"
    page.run("localStorage.clear()")


def test_a_lost_connection_is_said_and_loses_no_letter(browser: Any) -> None:
    with running() as service:
        page = Page(browser, service.url)
        page.type("niha")
        service.stop()
        page.wait(lambda: page.attribute("connection", "data-state") == "lost")
        assert "Your text is still here" in page.shown("notice")
        address = f"--port={service.port}"
    with running(address):
        page.click("retry")
        page.wait(lambda: page.attribute("connection", "data-state") == "connected")
        page.wait(lambda: page.preedit == "ni ha")
        page.type("o")
        assert page.candidates[0] == "你好"
        assert page.attribute("notice", "hidden") is not None
    page.log()


@functools.cache
def axe() -> str:
    """Return the script of axe-core, from a folder that is kept or fetched by npm."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yinzi-tests"
    script = root / AXE / "node_modules/axe-core/axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed: axe-core cannot be fetched")
        with tempfile.TemporaryDirectory() as folder:
            options = ["--silent", "--no-audit", "--no-fund", "--prefix", folder]
            done = subprocess.run(
                [npm, "install", *options, AXE],
                check=False,
                capture_output=True,
                text=True,
                timeout=120,
            )
            if done.returncode:
                pytest.skip(f"npm cannot fetch {AXE} here: {done.stderr.strip()[:200]}")
            shutil.copytree(folder, root / AXE, dirs_exist_ok=True)
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize(("theme", "is_narrow"), [("light", False), ("dark", True)])
def test_axe_finds_nothing_serious(page: Page, theme: str, is_narrow: bool) -> None:
    script = axe()
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    if is_narrow:
        page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.run("document.documentElement.dataset.theme = arguments[0]", theme)
        page.type("nihao")
        page.press(" ")
        page.wait(lambda: "nǐ" in page.shown("reading"))
        page.type("woyaomaijipiao")
        page.click("keyboard-switch")
        page.click("why")
        page.wait(lambda: "我要买机票" in page.shown("why-panel"))
        page.browser.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
        found = page.browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document).then((found) => done(found.violations));"
        )
        seen = [
            (one["id"], one["impact"], [node["html"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert seen == []
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
