"""A headless Chromium that drives the page; what is not installed is said by skipping."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

WAIT_SECONDS = 30


@contextmanager
def chromium(*, width: int = 1100, height: int = 1000, language: str = "en") -> Iterator[Any]:
    """Start a browser, or skip the test if there is none."""
    reason = "needs selenium, of the extra 'dev'"
    webdriver = pytest.importorskip("selenium.webdriver", reason=reason)
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",  # as root, in containers
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        f"--window-size={width},{height}",
        f"--accept-lang={language}",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


class Page:
    """The page in a browser, by what a person sees of it."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        browser.get(url)
        self.wait(lambda: self.attribute("connection", "data-state") == "connected")

    def wait(self, is_so: Callable[[], Any]) -> Any:
        """Return what a function returns once it is true."""
        until = time.monotonic() + WAIT_SECONDS
        while not (found := is_so()):
            assert time.monotonic() < until, (self.preedit, self.candidates, self.log())
            time.sleep(0.02)
        return found

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def attribute(self, name: str, attribute: str) -> Any:
        script = "return document.getElementById(arguments[0]).getAttribute(arguments[1])"
        return self.run(script, name, attribute)

    def shown(self, name: str) -> str:
        return str(self.run("return document.getElementById(arguments[0]).innerText", name))

    @property
    def text(self) -> str:
        return str(self.run("return document.getElementById('text').value"))

    @property
    def preedit(self) -> str:
        return self.shown("preedit")

    @property
    def candidates(self) -> list[str]:
        script = "return [...document.querySelectorAll('#candidates li')].map(e => e.innerText)"
        return [one.split("\n")[-1].strip() for one in self.run(script)]

    def press(self, *keys: str) -> None:
        """Press keys one by one where the focus is."""
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def type(self, letters: str) -> None:
        """Type letters and wait until all have been answered."""
        self.press(*letters)
        self.wait(lambda: self.preedit.replace(" ", "").endswith(letters))

    def click(self, name: str) -> None:
        self.browser.find_element("id", name).click()

    def choose(self, name: str, value: str) -> None:
        self.browser.find_element("css selector", f"#{name} option[value='{value}']").click()

    def log(self) -> list[str]:
        """Return errors of the console, refused resources among them."""
        return [
            one["message"] for one in self.browser.get_log("browser") if one["level"] == "SEVERE"
        ]
