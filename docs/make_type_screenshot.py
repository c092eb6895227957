"""Make docs/yinzi-type.svg, the picture of `yinzi type`, with the artifact that ships.

Run from the root of the repository, with the extra `type` installed:

    python docs/make_type_screenshot.py
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import yinzi
from yinzi.cli.type_screen import TypeApp
from yinzi.session import SessionSettings

TARGET = Path(__file__).with_name("yinzi-type.svg")


async def make() -> None:
    """Type a sentence and the beginning of another, and save what is on the screen."""
    app = TypeApp(yinzi.load(), settings=SessionSettings())
    async with app.run_test(size=(96, 18)) as pilot:
        await pilot.press(*"jintiantianqihenhao", "space", "comma")
        await pilot.press(*"womenqugongyuanba")
        await pilot.pause(0.5)  # for the neural model, which is asked when no key comes
        await app.workers.wait_for_complete()
        await pilot.pause()
        picture = app.export_screenshot()
    # The fonts would be fetched from another site; every viewer has a font of even width.
    TARGET.write_text(re.sub(r"@font-face\s*{[^}]*}", "", picture), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(make())
