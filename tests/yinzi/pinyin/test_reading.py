from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.pinyin.reading import Stretch, read_spans

TYPED = st.text(
    alphabet=st.sampled_from("nihaoxgvNI:üêǐ035.\u030c\u0308'‘’ \n我，😀\0"), max_size=30
)


def _shown(text: str) -> list[str]:
    """Show literals in brackets, stretches by their letters and tone digit."""
    shown = []
    for positions, stretch in read_spans(text)[1]:
        if stretch is None:
            shown.append(f"[{text[positions[0] : positions[-1]]}]")
        else:
            shown.append(f"{stretch.letters}{stretch.final_tone or ''}")
    return shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", []),
        ("'''", []),
        (" \r\n", []),
        ("mai3piao4", ["mai3", "piao4"]),
        ("woyao5zhang", ["woyao5", "zhang"]),
        ("ma0", ["ma5"]),
        ("hao6", ["hao", "[6]"]),
        ("zh3", ["zh", "[3]"]),
        ("hao 3", ["hao", "[3]"]),
        ("mai100kuai", ["mai", "[100]", "kuai"]),
        ("yao3.5", ["yao", "[3.5]"]),
        ("yao3.", ["yao3", "[.]"]),
        ("hao5\ufe0f\u20e3", ["hao", "[5\ufe0f\u20e3]"]),
        ("n2", ["n2"]),
        ("wm3", ["wm", "[3]"]),
        ("hǎo3", ["hao", "[3]"]),
        ("nǐhao3", ["nihao3"]),
        ("xi'an", ["xi", "an"]),
        ("xi’ an'", ["xi", "an"]),
        ("NIHAO", ["nihao"]),
        ("Nihao", ["nihao"]),
        ("NI3HAO3", ["ni3", "hao3"]),
        ("iPhone15 Pro", ["[iPhone15 ]", "pro"]),
        ("USB", ["[USB]"]),
        ("lu:4", ["lv4"]),
        ("nu:e", ["nve"]),
        ("ju:", ["ju", "[:]"]),
        ("ju:4", ["jv4"]),
        ("jü:", ["jv", "[:]"]),
        ("wo: ni", ["wo", "[: ]", "ni"]),
        ("v/ü", ["v", "[/]", "v"]),
        ("nä", ["n", "[ä]"]),
        ("a\u0331i", ["[a\u0331]", "i"]),
        ("ñi", ["[ñ]", "i"]),
        ("我 们  ni", ["[我 们  ]", "ni"]),
        ("ni ，hao", ["ni", "[，]", "hao"]),
        ("他说‘ni’。", ["[他说‘]", "ni", "[’。]"]),
        ("我' ni", ["[我' ]", "ni"]),
        ("'我", ["['我]"]),
        ("\0ni\0", ["[\0]", "ni", "[\0]"]),
        ("ｎｉ", ["[ｎｉ]"]),
        ("ниhao", ["[ни]", "hao"]),
        ("‘ni’", ["[‘]", "ni", "[’]"]),
        ("‘ni’ hao’ma", ["[‘]", "ni", "[’ ]", "hao", "ma"]),
        ("xi’an ‘xi'an ’", ["xi", "an", "[‘]", "xi", "an", "[’]"]),
        ("\nni\r\n", ["ni"]),
        ("ni \r\n\n hao", ["ni", "[\r\n\n ]", "hao"]),
        ("ni\n5", ["ni", "[\n5]"]),
        ("5\nni", ["[5\n]", "ni"]),
    ],
)
def test_read_spans_follows_the_rules(text: str, shown: list[str]) -> None:
    assert _shown(text) == shown


def test_read_spans_keeps_marks_by_letter() -> None:
    (span,) = read_spans("nu\u0308\u030crén")[1]
    assert span.stretch == Stretch("nvren", (0, 3, 0, 2, 0), 0, True)
    assert span.positions == (0, 1, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("text", "tails"),
    [
        ("zh", [True]),
        ("zh ", [True]),
        ("zh h", [False, True]),
        ("zh，h3", [True, None, True, None]),
    ],
)
def test_read_spans_marks_tails(text: str, tails: list[bool | None]) -> None:
    spans = read_spans(text)[1]
    assert [span.stretch.is_tail if span.stretch else None for span in spans] == tails


@pytest.mark.parametrize("start", ["", " ", "''", "'' \u3000"])
def test_read_spans_start_after_leading_borders(start: str) -> None:
    assert read_spans(start + "hao")[0] == len(start)


@given(st.one_of(TYPED, st.text(max_size=20)))
def test_read_spans_rejoin_to_the_text(text: str) -> None:
    position, spans = read_spans(text)
    assert set(text[:position]) <= {"'", "’", *filter(str.isspace, text)}
    for positions, stretch in spans:
        assert positions[0] == position
        assert list(positions) == sorted(set(positions))
        assert len(positions) == (len(stretch.letters) + 1 if stretch else 2)
        position = positions[-1]
    assert position == len(text)


@given(TYPED)
def test_read_spans_never_have_two_literals_side_by_side(text: str) -> None:
    stretches = [span.stretch for span in read_spans(text)[1]]
    assert all(a or b for a, b in pairwise(stretches))
