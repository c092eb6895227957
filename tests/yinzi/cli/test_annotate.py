from __future__ import annotations

from collections.abc import Callable

import pytest

Yinzi = Callable[..., "tuple[int, str, str]"]

LINES = {
    "syllables": ("好好", "hǎo hǎo"),
    "empty": ("", ""),
    "punctuation": ("好，好！", "hǎo，hǎo！"),
    "letters": ("好iPhone15好", "hǎo iPhone15 hǎo"),
    "blanks": ("好 好  OK 好", "hǎo hǎo  OK hǎo"),
    "no_hanzi": ("a b\tc😀\0", "a b\tc😀\0"),
    "emoji": ("好😀好", "hǎo😀hǎo"),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES.keys())
def test_annotate_writes_one_line_per_line(yinzi: Yinzi, line: str, expected: str) -> None:
    assert yinzi("annotate", stdin=f"{line}\n".encode()) == (0, f"{expected}\n", "")


@pytest.mark.parametrize(
    ("style", "expected"), [("marks", "hǎo"), ("digits", "hao3"), ("zhuyin", "ㄏㄠˇ")]
)
def test_annotate_styles(yinzi: Yinzi, style: str, expected: str) -> None:
    assert yinzi("annotate", "--style", style, "好") == (0, f"{expected}\n", "")


def test_annotate_refuses_an_unknown_style(yinzi: Yinzi) -> None:
    status, _, err = yinzi("annotate", "--style", "wade", "好")
    assert status == 2
    assert "--style" in err
