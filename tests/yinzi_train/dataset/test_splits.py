from __future__ import annotations

import numpy as np
import pytest

from yinzi.errors import ConfigError
from yinzi_train.dataset.schema import SPLITS
from yinzi_train.dataset.splits import SplitOptions, assign_splits, folds

TEXTS = [f"第{chr(0x4E00 + index)}{chr(0x4E00 + index // 7)}句" for index in range(20_000)]


def test_shares_are_as_asked_and_folds_even() -> None:
    options = SplitOptions(validation=0.05, test=0.1, n_folds=4)
    split, fold = assign_splits(TEXTS, options)
    shares = [float((split == index).mean()) for index in range(3)]
    assert shares == pytest.approx([0.85, 0.05, 0.1], abs=0.01)
    for index in range(4):
        assert (fold == index).mean() == pytest.approx(0.25, abs=0.015)
        train = fold[split == SPLITS.index("train")]
        assert (train == index).mean() == pytest.approx(0.25, abs=0.015)


def test_equal_hanzi_fall_together_in_any_order() -> None:
    options = SplitOptions(validation=0.3, test=0.3)
    split, fold = assign_splits(TEXTS, options)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    split_again, fold_again = assign_splits([TEXTS[index] for index in order], options)
    assert (split_again == split[order]).all()
    assert (fold_again == fold[order]).all()


def test_other_seed_divides_otherwise() -> None:
    first, _ = assign_splits(TEXTS, SplitOptions(validation=0.3, test=0.3))
    second, _ = assign_splits(TEXTS, SplitOptions(validation=0.3, test=0.3, seed=1))
    assert 0.3 < (first == second).mean() < 0.5


def test_test_split_stays_when_validation_grows() -> None:
    small, _ = assign_splits(TEXTS, SplitOptions(validation=0.01, test=0.1))
    large, _ = assign_splits(TEXTS, SplitOptions(validation=0.3, test=0.1))
    test = SPLITS.index("test")
    assert ((small == test) == (large == test)).all()


def test_split_of_a_sentence_never_changes() -> None:
    split, fold = assign_splits(["我要买机票", "你好", ""], SplitOptions(0.4, 0.4))
    assert (split.tolist(), fold.tolist()) == ([2, 1, 2], [6, 7, 6])


def test_no_sentences_give_no_splits() -> None:
    split, fold = assign_splits([], SplitOptions())
    assert (len(split), len(fold)) == (0, 0)


def test_rounds_of_cross_validation_cover_each_fold_once() -> None:
    rounds = folds(5, n_folds=10)
    assert sorted(fold for one in rounds for fold in one.validation) == list(range(10))
    for one in rounds:
        assert sorted([*one.train, *one.validation]) == list(range(10))


@pytest.mark.parametrize("k", [0, 1, 3, 11, 20])
def test_k_that_does_not_divide_the_folds_is_refused(k: int) -> None:
    with pytest.raises(ConfigError, match=r"choose one of \[2, 5, 10\]"):
        folds(k, n_folds=10)


@pytest.mark.parametrize(
    "options",
    [{"validation": -0.1}, {"test": 1.0}, {"validation": 0.5, "test": 0.5}, {"n_folds": 1}],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"validation|test|n_folds"):
        SplitOptions(**options)  # type: ignore[arg-type]
