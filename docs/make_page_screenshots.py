"""Make docs/serving-light.png, -dark.png and -phone.png with the artifact that ships.

Run from the root of the repository, with the extra `dev` and Chromium installed
(`apt-get install chromium chromium-driver fonts-noto-cjk`):

    python docs/make_page_screenshots.py
"""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver

FOLDER = Path(__file__).parent
COLOURS = 256  # one byte a pixel: flat colours and the edges of letters need no more
WAIT_SECONDS = 60
SETTINGS = "localStorage.setItem('yinzi.settings', JSON.stringify(arguments[0]))"


def main() -> None:
    """Start the service and a browser, and take the pictures."""
    command = [sys.executable, "-m", "yinzi.cli", "serve", "--port", "0"]
    service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    browser = start_browser()
    try:
        assert service.stderr is not None
        address = service.stderr.readline().strip().rpartition(" ")[2]
        light = {"language": "en", "theme": "light"}
        dark = {"language": "zh", "theme": "dark", "script": "traditional"}
        take(browser, address, "light", light, width=900, scale=1.25)
        take(browser, address, "dark", dark, width=900, scale=1.25)
        take(browser, address, "phone", {**light, "language": "zh"}, width=360, scale=2)
    finally:
        browser.quit()
        service.terminate()
        service.wait()


def start_browser() -> Any:
    """Return a headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("--headless=new", "--no-sandbox", "--no-proxy-server", "--hide-scrollbars"):
        options.add_argument(argument)
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def take(
    browser: Any, address: str, name: str, settings: dict[str, str], *, width: int, scale: float
) -> None:
    """Type on the page, and save what it looks like.

    Args:
        browser: to use.
        address: of the service.
        name: of the picture.
        settings: of the page.
        width: of the window, in pixels of style sheets.
        scale: pixels of the picture for each of these.
    """
    is_phone = width < 600
    size = {"width": width, "height": 740, "deviceScaleFactor": scale, "mobile": is_phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_phone})
    browser.get(address)
    browser.execute_script(SETTINGS, settings)
    browser.refresh()
    wait_for(browser, "document.getElementById('connection').dataset.state === 'connected'")
    for letters in ("jintiantianqihenhao", "womenqugongyuanba"):
        for end, letter in enumerate(letters, 1):
            browser.switch_to.active_element.send_keys(letter)
            wait_for(browser, f"preedit.innerText.replace(/ /g, '') === '{letters[:end]}'")
        if letters.startswith("jin"):
            browser.switch_to.active_element.send_keys(" ,")
            wait_for(browser, "document.getElementById('text').value.endsWith('，')")
    wait_for(browser, "document.querySelector('#reading ruby') !== null")
    if not is_phone:
        why = "document.getElementById('why')"
        browser.execute_script(f"{why}.click(); document.getElementById('text').focus()")
        wait_for(browser, "document.querySelector('#lattice svg') !== null")
    time.sleep(0.5)  # for colours that fade
    area = "const box = document.documentElement; return [box.scrollWidth, box.scrollHeight]"
    shown_width, height = browser.execute_script(area)
    clip = {"x": 0, "y": 0, "width": shown_width, "height": 740 if is_phone else height, "scale": 1}
    picture = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
    )
    image = Image.open(io.BytesIO(base64.b64decode(picture["data"]))).convert("RGB")
    target = FOLDER / f"serving-{name}.png"
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    image.quantize(COLOURS, method, kmeans=3, dither=dither).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1024:.0f} kB", file=sys.stderr)


def wait_for(browser: Any, condition: str) -> None:
    """Wait until a condition of the page holds."""
    check: Callable[[], Any] = lambda: browser.execute_script(f"return {condition}")  # noqa: E731
    until = time.monotonic() + WAIT_SECONDS
    while not check():
        if time.monotonic() > until:
            raise SystemExit(f"the page never came to: {condition}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
