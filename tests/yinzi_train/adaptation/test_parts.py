"""Splitting, new words, the extended lexicon, the mixture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import yinzi
from tests.yinzi.tiny_lexicon import TINY
from yinzi.errors import ArtifactError, ConfigError, LexiconError
from yinzi.language_model import AdaptedLanguageModel, LanguageModel, WordParts
from yinzi.lexicon import Lexicon
from yinzi.pinyin import syllable_id
from yinzi_train.adaptation.domain_model import SegmentedText, build_domain_model
from yinzi_train.adaptation.labelled_runs import LabelledRun
from yinzi_train.adaptation.mixture import WordLogprobs, fit_mixture
from yinzi_train.adaptation.new_words import NewWordOptions, find_new_words
from yinzi_train.adaptation.texts import DomainTexts
from yinzi_train.lexicon.extension import extend_lexicon


def model_of(runs: list[list[int]], n_words: int, folder: Path) -> LanguageModel:
    text = SegmentedText(
        np.array([word for run in runs for word in run], dtype=np.int32),
        np.array([len(run) for run in runs]),
    )
    floor = np.full(n_words, -np.log(n_words), dtype=np.float32)
    folder.mkdir()
    parameters = build_domain_model(text, folder, floor_logprobs=floor)
    return LanguageModel({path.stem: np.load(path) for path in folder.glob("*.npy")}, parameters)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> AdaptedLanguageModel:
    """Base words 0 to 5; the new word 3 stands for the base's 1 and 4."""
    folder = tmp_path_factory.mktemp("models")
    base = model_of([[0, 1, 4, 2], [5, 1, 4, 3], [0, 2, 2]], 6, folder / "base")
    domain = model_of([[0, 3, 2], [6, 3, 4], [0, 3]], 7, folder / "domain")
    inner = base.logprobs(np.array([-1]), np.array([1]), np.array([4]))
    ids = [np.array([number], dtype=np.int32) for number in (3, 1, 4, 1)]
    weights = np.linspace(0.1, 0.8, 16, dtype=np.float32).reshape(4, 4)
    return AdaptedLanguageModel(base, domain, WordParts(*ids, inner), weights=weights)


def test_mixture_is_the_weighted_sum(mixture: AdaptedLanguageModel) -> None:
    base_of = {0: 0, 1: 1, 2: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7}
    weights = np.linspace(0.1, 0.8, 16).reshape(4, 4)
    histories = [(-1, 7), (7, 0), (0, 3), (3, 2), (1, 5), (-1, 6), (6, 3)]
    for w1, w2 in histories:
        before = (1, 4) if w2 == 3 else (4 if w1 == 3 else base_of.get(w1, -1), base_of[w2])
        one, two = np.array([before[0]]), np.array([before[1]])
        for word in (0, 1, 2, 3, 4, 5, 6, 8):
            first = 1 if word == 3 else base_of[word]
            of_base = float(mixture.base.logprobs(one, two, np.array([first]))[0])
            if word == 3:
                inner = mixture.base.logprobs(np.array([-1]), np.array([1]), np.array([4]))
                of_base += inner.item()
            own = np.array([w1]), np.array([w2])
            of_domain = float(mixture.domain.logprobs(*own, np.array([word]))[0])
            weight = weights[
                mixture.base.contexts(one, two).orders[0], mixture.domain.contexts(*own).orders[0]
            ]
            expected = np.log((1 - weight) * np.exp(of_base) + weight * np.exp(of_domain))
            found = mixture.logprobs(*own, np.array([word]))[0]
            assert found == pytest.approx(expected, abs=1e-4)


def test_sentence_start_is_never_predicted(mixture: AdaptedLanguageModel) -> None:
    assert mixture.unigram_logprobs[mixture.bos_id] == -np.inf
    assert np.isfinite(np.delete(mixture.unigram_logprobs, mixture.bos_id)).all()


@pytest.mark.parametrize("weights", [np.zeros((4, 4)), np.ones((4, 4)), np.full((2, 2), 0.5)])
def test_bad_weights_are_told(mixture: AdaptedLanguageModel, weights: np.ndarray) -> None:
    empty = np.zeros(0, dtype=np.int32)
    parts = WordParts(empty, empty, empty, empty, np.zeros(0, dtype=np.float32))
    with pytest.raises(ArtifactError, match="weights"):
        AdaptedLanguageModel(mixture.base, mixture.base, parts, weights=weights)


def test_general_text_takes_weight_where_the_domain_is_wrong() -> None:
    right, wrong = np.log(np.full(50, 0.5, np.float32)), np.log(np.full(50, 0.01, np.float32))
    orders = np.full(50, 6)
    domain, general = WordLogprobs(wrong, right, orders), WordLogprobs(right, wrong, orders)
    alone = fit_mixture(domain)[1, 2]
    guarded = fit_mixture(domain, general, general_weight=10.0)[1, 2]
    assert alone > 0.8
    assert guarded < 0.3


def test_split_has_no_sentence_twice() -> None:
    parts = DomainTexts.split(["甲", "乙", "甲", *(str(n) for n in range(60))], seed=3)
    everything = [*parts.train, *parts.tune, *parts.held_out]
    assert len(everything) == len(set(everything)) == 62
    assert (len(parts.tune), len(parts.held_out)) == (6, 6)


@pytest.mark.parametrize("changes", [{"order": "alphabet"}, {"tune_share": 0.0}])
def test_bad_split_is_told(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        DomainTexts.split(["甲"], **changes)  # type: ignore[arg-type]


def test_new_word_is_cohesive_free_and_unknown() -> None:
    def run(text: str, borders: tuple[int, ...]) -> LabelledRun:
        numbers = tuple(ord(char) % 7 for char in text)
        return LabelledRun(text, numbers, tuple([1] * len(text)), borders)

    runs = [
        run(f"{a}阿奇霉素{b}", (0, 1, 3, 5, 6)) for a, b in ("吃了", "用好", "买吗", "有呢", "开的")
    ]
    runs += [run("普通句子", (0, 2, 4)) for _ in range(60)]
    options = NewWordOptions(min_count=4, min_cohesion=2.0, min_entropy=0.5)
    assert [word.text for word in find_new_words(runs, {"普通句子"}, options)] == ["阿奇霉素"]
    assert find_new_words(runs, {"普通句子", "阿奇霉素"}, options) == []


def test_extension_by_nothing_changes_nothing() -> None:
    arrays = yinzi.load(TINY).artifact.arrays("lexicon")
    extended = extend_lexicon(arrays, [], [], []).arrays
    assert extended.keys() == arrays.keys()
    for name, array in arrays.items():
        assert extended[name].dtype == array.dtype
        np.testing.assert_array_equal(extended[name], array)


def test_extension_keeps_order_and_readings() -> None:
    arrays = yinzi.load(TINY).artifact.arrays("lexicon")
    old = Lexicon(arrays)
    syllables = [[syllable_id("piao"), syllable_id("mai")], [syllable_id("ni")] * 9]
    word = "".join(old.text(index) for index in range(old.n_words))[:2]
    extended = extend_lexicon(arrays, [word[::-1]], syllables[:1], [[4, 3]])
    new = Lexicon(extended.arrays)
    (added,) = extended.new_words.tolist()
    assert new.text(added) == word[::-1]
    assert new.spell(
        int(
            new.child(
                new.child(np.array([0]), np.array(syllables[0][:1])), np.array(syllables[0][1:])
            )[0]
        )
    ) == ("piao", "mai")
    kept = np.delete(np.arange(new.n_words), added)
    assert new.texts(kept) == old.texts(np.arange(old.n_words))
    for index in range(old.n_words):
        assert new.main_reading(int(kept[index])) == old.main_reading(index)
    with pytest.raises(LexiconError, match="lacks"):
        extend_lexicon(arrays, ["龘"], [[1]], [[1]])
    with pytest.raises(LexiconError, match="9 hanzi"):
        extend_lexicon(arrays, [word[0] * 9], syllables[1:], [[1] * 9])
