"""Normalise text and find the hanzi in it: the one place that says what a hanzi is.

Only canonical composition (NFC) is applied, never NFKC: full-width letters, circled numbers and the
like are the writer's choice and pass through unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["hanzi_mask", "is_hanzi", "miu_spans", "normalize"]

# 〇, the unified ideographs with all their extensions, and the compatibility ideographs. Iteration
# marks (々), radicals and strokes are no hanzi. The two upper planes are taken whole (less their
# last two code points): they are set aside for hanzi, and extensions still grow there.
_HANZI_RANGES: Final = (
    (0x3007, 0x3007),
    (0x3400, 0x4DBF),  # extension A
    (0x4E00, 0x9FFF),  # unified ideographs
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0x20000, 0x2FFFD),  # extensions B to F and I, compatibility supplement
    (0x30000, 0x3FFFD),  # extensions G, H and J
)
_HANZI_CLASS = "[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _HANZI_RANGES) + "]"
_HANZI = re.compile(_HANZI_CLASS)
_HANZI_RUN = re.compile(_HANZI_CLASS + "+")


def normalize(text: str) -> str:
    r"""Return the text in Unicode normal form C.

    >>> normalize("ni\u030c") == "nǐ"
    True
    """
    return unicodedata.normalize("NFC", text)


def is_hanzi(char: str) -> bool:
    """Tell whether the text is exactly one hanzi.

    Anything but one character gives False.

    >>> is_hanzi("音"), is_hanzi("〇"), is_hanzi("a"), is_hanzi("音字"), is_hanzi("")
    (True, True, False, False, False)
    """
    return _HANZI.fullmatch(char) is not None


def hanzi_mask(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Tell for each code point whether it is a hanzi, as `is_hanzi` does for one character.

    >>> hanzi_mask(np.array([ord("音"), ord("a")], dtype=np.uint32)).tolist()
    [True, False]
    """
    mask = np.zeros(codes.shape, dtype=np.bool_)
    for low, high in _HANZI_RANGES:
        mask |= (codes >= low) & (codes <= high)
    return mask


def miu_spans(text: str) -> list[tuple[int, int]]:
    """Return the half-open span of every longest run of hanzi, from left to right.

    Such a run is a maximum input unit (MIU): what a person would type in one go. White space,
    punctuation, letters and digits all end a run. There is no limit on the length of a run.

    >>> miu_spans("我要买票，3张 去西安")
    [(0, 4), (6, 7), (8, 11)]
    >>> miu_spans("")
    []
    """
    return [match.span() for match in _HANZI_RUN.finditer(text)]
