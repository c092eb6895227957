from __future__ import annotations

import random
from collections import Counter

import pytest

from yinzi.errors import ConfigError
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.rows import Row
from yinzi.evaluation.typing_noise import NoiseKind, TypingNoise, mistype

ROW = Row("a.0", "中国人很多", "zhong guo ren hen duo")
SHORT = Row("a.1", "你好", "ni hao")


def test_a_slip_is_one_slip() -> None:
    lengths = Counter(
        len(mistype("zhongguo", generator=random.Random(seed))) - 8 for seed in range(500)
    )
    assert set(lengths) == {-1, 0, 1}
    assert all(150 < lengths[change] < 250 for change in (0, 1))  # two of the five kinds each
    assert 60 < lengths[-1] < 140


@pytest.mark.parametrize("text", ["zhong guo", "aa", "a"])
def test_a_slip_always_changes_the_letters(text: str) -> None:
    for seed in range(100):
        assert mistype(text, generator=random.Random(seed)) != text


def test_borders_stay() -> None:
    for seed in range(100):
        assert mistype("ni hao", generator=random.Random(seed)).count(" ") == 1
    assert mistype("，", generator=random.Random(0)) == "，"


def test_short_rows_are_typed_without_a_slip() -> None:
    noise = TypingNoise(NoiseKind.TYPING)
    assert typed_input(SHORT, InputForm.UNSEGMENTED, noise=noise) == "nihao"
    assert typed_input(ROW, InputForm.UNSEGMENTED, noise=noise) != "zhongguorenhenduo"


def test_noise_depends_on_row_and_seed_alone() -> None:
    typed = [
        typed_input(ROW, InputForm.UNSEGMENTED, noise=TypingNoise(NoiseKind.TYPING, seed))
        for seed in (1, 2, 1)
    ]
    assert typed[0] == typed[2] != typed[1]


def test_an_accent_merges_sounds() -> None:
    noise = TypingNoise(NoiseKind.ACCENT)
    row = Row("a.2", "中山是南路", "zhong shan shi nan lu")
    spoken = noise.accented(row)
    assert spoken[:3] == ["zong", "san", "si"]
    assert spoken[3] in ("nan", "lan")
    assert row.pinyin == "zhong shan shi nan lu"
    assert noise.typed(row, "zong") == "zong"


def test_noise_is_read_from_text() -> None:
    assert TypingNoise.parse("accent") == TypingNoise(NoiseKind.ACCENT, 0)
    assert TypingNoise.parse("typing:12").seed == 12


@pytest.mark.parametrize("text", ["", "typo", "typing:", "typing:-1", "accent:x"])
def test_bad_noise_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="typing, accent"):
        TypingNoise.parse(text)
