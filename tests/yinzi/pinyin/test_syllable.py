from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.errors import InvalidPinyin
from yinzi.pinyin import SYLLABLES, Syllable, parse_syllable
from yinzi.pinyin.inventory import ROWS


def _all_syllables(tones: range) -> list[Syllable]:
    return [Syllable(row.initial, row.final, tone) for row in ROWS for tone in tones]


def test_digits_round_trip_for_all_syllables_and_tones() -> None:
    for syllable in _all_syllables(range(6)):
        assert parse_syllable(syllable.to_digits()) == syllable


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_marks_round_trip_for_all_syllables_and_marked_tones(form: str) -> None:
    for syllable in _all_syllables(range(5)):
        marked = unicodedata.normalize(form, syllable.to_marks())  # type: ignore[arg-type]
        assert parse_syllable(marked) == syllable
        assert parse_syllable(marked.upper()) == syllable


def test_marks_of_a_neutral_tone_read_as_no_tone() -> None:
    assert parse_syllable(parse_syllable("de5").to_marks()) == Syllable("d", "e", 0)


def test_zhuyin_round_trips_for_all_syllables_and_tones() -> None:
    for syllable in _all_syllables(range(1, 6)):
        assert parse_syllable(syllable.to_zhuyin()) == syllable


def test_marks_are_composed_where_unicode_can() -> None:
    for syllable in _all_syllables(range(6)):
        assert unicodedata.is_normalized("NFC", syllable.to_marks())


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("lu:4", "lv4"),
        ("LU:E4", "lve4"),
        ("lǘ", "lv2"),
        ("lu\u0301\u0308", "lv2"),
        ("lüe4", "lve4"),
        ("lue4", "lve4"),
        ("jü2", "ju2"),
        ("qu:an2", "quan2"),
        ("xvé", "xue2"),
        ("yvan", "yuan"),
        ("ma0", "ma5"),
        ("liù", "liu4"),
        ("lìu", "liu4"),
        ("hă", "ha3"),
        ("ɡɑ̀", "ga4"),
        ("ế", "ê2"),
        ("ê̌", "ê3"),
        ("e\u0304\u0302", "ê1"),
        ("ǹg", "ng4"),
        ("hḿ", "hm2"),
        ("m̀", "m4"),
        ("ㄇㄚ˙", "ma5"),
        ("˙ㄇㄚ", "ma5"),
        ("ㄓˉ", "zhi1"),
        ("ㄈㄨˊ", "fu2"),
        ("ㄝˋ", "ê4"),
        ("ㄨㄥ", "weng1"),
        ("ㄩㄥˇ", "yong3"),
    ],
)
def test_parse_syllable_reads_variants(typed: str, digits: str) -> None:
    assert parse_syllable(typed).to_digits() == digits


@pytest.mark.parametrize(
    ("toneless", "parts"),
    [
        ("yan", ("", "ian")),
        ("wo", ("", "uo")),
        ("ju", ("j", "v")),
        ("yuan", ("", "van")),
        ("lv", ("l", "v")),
        ("zhi", ("zh", "i")),
        ("weng", ("", "ueng")),
        ("ng", ("", "ng")),
        ("hm", ("h", "m")),
    ],
)
def test_parts_follow_sound_not_spelling(toneless: str, parts: tuple[str, str]) -> None:
    syllable = parse_syllable(toneless)
    assert (syllable.initial, syllable.final) == parts
    assert syllable.toneless == toneless


@pytest.mark.parametrize(
    ("marks", "digits"),
    [("xiǎo", "xiao3"), ("guì", "gui4"), ("gǒu", "gou3"), ("lüè", "lve4"), ("yún", "yun2")],
)
def test_marks_stand_on_the_right_letter(marks: str, digits: str) -> None:
    assert parse_syllable(digits).to_marks() == marks


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("'''", 1),
        ("nihao", 3),
        ("zhogn", 4),
        ("zho", 4),
        ("zhong6", 6),
        ("zhong12", 6),
        ("hǎo3", 4),
        ("hǎǒ", 3),
        (" ni", 1),
        ("ni ", 3),
        ("v", 1),
        ("u:", 1),
        ("nü:", 3),
        ("nä", 2),
        ("音", 1),
        ("\0", 1),
        ("n" * 40, 2),
        ("ni\r\n", 3),
        ("1", 1),
        ("ㄓㄨㄨ", 3),
        ("ˊ", 1),
        ("˙ㄇㄚˊ", 4),
        ("ㄓㄨㄥ1", 4),
    ],
)
def test_parse_syllable_names_the_position_of_an_error(text: str, position: int) -> None:
    with pytest.raises(InvalidPinyin, match=rf"at (letter|symbol) {position}\b.*such as"):
        parse_syllable(text)


@given(st.text(max_size=12))
def test_parse_syllable_reads_or_refuses_any_text(text: str) -> None:
    try:
        syllable = parse_syllable(text)
    except InvalidPinyin:
        return
    assert syllable.toneless in SYLLABLES


@pytest.mark.parametrize(
    ("initial", "final", "tone"), [("b", "ong", 1), ("zz", "a", 1), ("b", "a", 6)]
)
def test_syllable_refuses_impossible_parts(initial: str, final: str, tone: int) -> None:
    with pytest.raises(InvalidPinyin, match="expected"):
        Syllable(initial, final, tone)
