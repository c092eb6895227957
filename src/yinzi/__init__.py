"""Convert pinyin to hanzi, offline, on one CPU core.

>>> import yinzi
>>> yinzi.load().convert("woyaomaijipiao")[0].text
'我要买机票'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from yinzi.converter import Converter
    from yinzi.pinyin import InputScheme
    from yinzi.user import UserLexicon

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(
    artifact: str | Path = "base",
    *,
    verify: bool = True,
    uses_encoder: bool = True,
    scheme: str | Path | InputScheme = "pinyin",
    user: UserLexicon | str | Path | None = None,
) -> Converter:
    """Load a converter; see `yinzi.converter.load`. Nothing heavy is imported before."""
    from yinzi.converter import load as load_converter

    return load_converter(
        artifact, verify=verify, uses_encoder=uses_encoder, scheme=scheme, user=user
    )
