"""Converting what is typed in other schemes: spans are keys, and the neural model reads along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import yinzi
from tests.yinzi.decoding.test_fusion import make_scorer
from yinzi.artifact import Artifact
from yinzi.converter import Converter
from yinzi.pinyin import SYLLABLES as INVENTORY
from yinzi.pinyin.schemes import get_scheme, to_keys
from yinzi.scoring import ScoredInputs, ScorerInput

SYLLABLES = ("wo", "yao", "mai", "ji", "piao")
SCHEMES = ("xiaohe", "abc", "microsoft", "nine-keys", "zhuyin", "daqian")


@pytest.mark.parametrize("name", SCHEMES)
def test_keys_give_what_pinyin_gives(name: str, converter: Converter) -> None:
    scheme = get_scheme(name)
    keys = to_keys(SYLLABLES, scheme)
    best = converter.with_scheme(scheme).convert(keys)[0]
    assert (best.text, best.start, best.end) == ("我要买机票", 0, len(keys))
    assert best.syllables == SYLLABLES


@pytest.mark.parametrize("name", SCHEMES)
def test_words_for_the_first_keys_have_the_span_of_their_keys(
    name: str, converter: Converter
) -> None:
    scheme = get_scheme(name)
    keys = to_keys(SYLLABLES, scheme)
    ends = {len(to_keys(SYLLABLES[:n], scheme)) for n in range(1, len(SYLLABLES) + 1)}
    words = [c for c in converter.with_scheme(scheme).candidates(keys) if c.kind == "word"]
    assert any(word.text == "我" for word in words)
    for word in words:
        assert word.start == 0
        if word.syllables == SYLLABLES[: len(word.syllables)]:
            assert word.end == len(to_keys(word.syllables, scheme))
            assert word.end in ends


@pytest.mark.parametrize("name", SCHEMES)
def test_typing_key_by_key_gives_what_the_whole_gives(name: str, converter: Converter) -> None:
    scheme = get_scheme(name)
    keys = to_keys(SYLLABLES, scheme)
    other = converter.with_scheme(scheme)
    typing = other.type_keys()
    for end in range(1, len(keys) + 1):
        now = typing.update(keys[:end])
        whole = other.candidates(keys[:end])
        assert [(c.text, c.end) for c in now] == [(c.text, c.end) for c in whole], keys[:end]


def test_load_takes_a_scheme_by_name_file_or_itself(tiny_folder: Path) -> None:
    for scheme in ("xiaohe", get_scheme("xiaohe")):
        assert yinzi.load(tiny_folder, scheme=scheme).convert("nihc")[0].text == "你好"


@pytest.mark.parametrize(
    ("name", "keys", "pinyin"),
    [("daqian", "su3cl4", "ni3hao4"), ("xiaohe", "ni3hc4", "ni3hao4"), ("zhuyin", "ㄏㄠˇ", "hao3")],
)
def test_tones_count_as_they_do_in_pinyin(
    name: str, keys: str, pinyin: str, converter: Converter
) -> None:
    found = converter.with_scheme(get_scheme(name)).convert(keys)
    toneless = converter.convert(pinyin.strip("34").replace("3", " "))
    assert [(c.text, c.logprob) for c in found[:2]] == [
        (c.text, pytest.approx(c.logprob)) for c in converter.convert(pinyin)[:2]
    ]
    assert [c.logprob for c in found] != [c.logprob for c in toneless]


def test_explain_reads_keys(converter: Converter) -> None:
    explanation = converter.with_scheme(get_scheme("microsoft")).explain("nihk")
    assert explanation.candidates[0].text == "你好"


def test_the_neural_model_is_asked_about_all_syllables_of_the_same_keys(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths between the same positions that differ in their syllables are different paths."""
    scorer = make_scorer()
    asked: set[str] = set()
    score = scorer.score

    def record(inputs: Sequence[ScorerInput]) -> ScoredInputs:
        asked.update(INVENTORY[one.input_ids[0]] for one in inputs if len(one.tones) == 1)
        return score(inputs)

    monkeypatch.setattr(scorer, "score", record)
    nine_keys = Converter(Artifact.open(tiny_folder), scorer=scorer, scheme=get_scheme("t9"))
    found = {candidate.text for candidate in nine_keys.convert("426", n_best=20)}
    assert {"hao", "gan"} <= asked
    assert {"好", "干"} <= found


@pytest.mark.parametrize("name", SCHEMES)
def test_batches_and_single_lines_agree_with_a_neural_model(name: str, tiny_folder: Path) -> None:
    scheme = get_scheme(name)
    converter = Converter(Artifact.open(tiny_folder), scorer=make_scorer(), scheme=scheme)
    lines = [to_keys(SYLLABLES[:n], scheme) for n in range(1, 6)]
    texts = [[c.text for c in found] for found in converter.convert_batch(lines)]
    assert texts == [[c.text for c in converter.convert(line)] for line in lines]
    assert converter.candidates(lines[-1])[0].text == texts[-1][0]
