"""Number the syllables of Mandarin: the one table behind every syllable id.

The table `inventory.tsv` has one row a syllable without tone: spelling, initial, final, zhuyin. It
holds what pinyin-data and phrase-pinyin-data attest for the hanzi in general use, the interjections
without a vowel (m n ng hm hng) and ê, and a few rare but real syllables (biang, cei, eng, fiao,
rua). Left out are spelling slips of those sources and sounds that no hanzi in use has (din, wong).

Ids follow plain string order, so that the syllables that start with a prefix are one range of ids.
Reading the table costs about half a millisecond at import.
"""

from __future__ import annotations

from bisect import bisect_left
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from yinzi.errors import InvalidPinyin

__all__ = [
    "INITIALS",
    "INTERJECTIONS",
    "ROWS",
    "SYLLABLES",
    "InventoryRow",
    "near_syllables",
    "prefix_range",
    "respell",
    "syllable_id",
]


class InventoryRow(NamedTuple):
    """One syllable without tone and its parts; ü is written `v`, the zero initial is empty."""

    syllable: str
    initial: str
    final: str
    zhuyin: str


def _read_rows() -> tuple[InventoryRow, ...]:
    path = Path(__file__).with_name("inventory.tsv")
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = tuple(InventoryRow(*line.split("\t")) for line in lines[1:])
    assert list(rows) == sorted(rows), "inventory.tsv must be sorted: ids are positions"
    return rows


ROWS: tuple[InventoryRow, ...] = _read_rows()
"""The whole table; the index of a row is the id of its syllable."""

SYLLABLES: tuple[str, ...] = tuple(row.syllable for row in ROWS)
"""All syllables without tone, in plain string order; the index is the syllable id."""

INTERJECTIONS: frozenset[str] = frozenset(("m", "n", "ng", "hm", "hng"))
"""The syllables without a vowel; their letters are far more often initials of others."""

INITIALS: tuple[str, ...] = (
    *("b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x"),
    *("zh", "ch", "sh", "z", "c", "s", "r", "y", "w"),
)
"""What may be typed alone for a syllable: the 21 initials, and y and w for the zero initial."""

_IDS = {syllable: index for index, syllable in enumerate(SYLLABLES)}
_AFTER_LAST = "\U0010ffff"


def respell(letters: str) -> str:
    """Return toneless lower-case letters in the spelling of the inventory.

    `lue` and `nue` become `lve` and `nve`; `v` after j, q, x and y becomes `u`. Other letters stay
    as they are, so prefixes of syllables and unknown letters pass through.

    >>> respell("lue"), respell("jv"), respell("yvan"), respell("lv"), respell("zho")
    ('lve', 'ju', 'yuan', 'lv', 'zho')
    """
    if letters[1:2] == "v" and letters[0] in "jqxy":
        return letters[0] + "u" + letters[2:]
    if letters in ("lue", "nue"):
        return letters[0] + "ve"
    return letters


def syllable_id(text: str) -> int:
    """Return the id of a syllable given without tone, in lower case, ü as `v`.

    The spellings that `respell` knows are accepted. For tone marks, digits or zhuyin use
    `parse_syllable`.

    >>> SYLLABLES[syllable_id("zhong")], SYLLABLES[syllable_id("lue")]
    ('zhong', 'lve')

    Raises:
        InvalidPinyin: the text is no syllable of the inventory.
    """
    found = _IDS.get(text)
    if found is None:
        found = _IDS.get(respell(text))
    if found is None:
        raise InvalidPinyin(
            f"unknown syllable {text!r}: expected one without tone, in lower case, such as "
            f"{' '.join(near_syllables(text))}"
        )
    return found


def prefix_range(prefix: str) -> tuple[int, int]:
    """Return the half-open range of ids whose syllable starts with the prefix.

    The prefix of no syllable gives an empty range, the empty prefix all ids.

    >>> low, high = prefix_range("zho")
    >>> SYLLABLES[low:high]
    ('zhong', 'zhou')
    >>> low, high = prefix_range("q!")
    >>> low == high
    True
    """
    spelled = respell(prefix)
    return bisect_left(SYLLABLES, spelled), bisect_left(SYLLABLES, spelled + _AFTER_LAST)


def near_syllables(letters: str) -> list[str]:
    """Return up to five syllables that look like the letters, best first, for error messages.

    Falls back to common syllables where nothing looks alike; only the first eight letters are
    looked at.

    >>> near_syllables("zhogn")[:2]
    ['zhong', 'zong']
    """
    near = get_close_matches(respell(letters[:8].lower()), SYLLABLES, n=5, cutoff=0.5)
    return near or ["ni", "hao", "zhong", "lv", "er"]
