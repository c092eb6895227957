from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinzi.errors import ConfigError
from yinzi_train.dataset.balance import (
    BalanceOptions,
    effective_number_weights,
    inverse_sqrt_weights,
    read_balance_tables,
    weigh_rows,
)
from yinzi_train.dataset.balance_report import report_balance
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.sampling import Sampler, SamplerState, Shards


def rows(*parts: tuple[str, str, int]) -> pa.Table:
    """Make rows of (domain, hanzi, how many); the syllable id is the code point modulo 400."""
    domains = [domain for domain, _, n in parts for _ in range(n)]
    texts = [text for _, text, n in parts for _ in range(n)]
    syllables = [[ord(char) % 400 for char in text] for text in texts]
    return pa.table(
        {
            "domain": domains,
            "hanzi": texts,
            "syllables": pa.array(syllables, pa.list_(pa.int16())),
            "split": ["train"] * len(texts),
        }
    )


CORPUS = rows(("chat", "你好吗", 900), ("chat", "你好鱻", 1), ("law", "法律", 99))
PAIRS = PairVocabulary.from_tables([CORPUS])


def weights_of(table: pa.Table = CORPUS, **options: Any) -> np.ndarray[Any, Any]:
    return weigh_rows([table], PAIRS, BalanceOptions(**options)).weights


def test_neutral_options_weigh_all_rows_alike() -> None:
    assert (weights_of(exponent=0) == 1).all()
    assert (weights_of(threshold=1e-9) == 1).all()


def test_rare_pairs_bring_their_rows_back() -> None:
    rare_share = 1 / 2901
    weights = weights_of(threshold=4 * rare_share, exponent=0.5, max_copies=3)
    assert weights[900] / weights[0] == pytest.approx(2, rel=1e-3)
    capped = weights_of(threshold=100 * rare_share, exponent=1, max_copies=3)
    assert capped[900] / capped[0] == pytest.approx(3, rel=1e-3)


def test_frequent_rows_are_thinned_out_down_to_the_limit() -> None:
    weights = weights_of(threshold=0.01, exponent=1, min_copies=0.25, max_copies=2)
    assert weights[900] / weights[0] == pytest.approx(8, rel=1e-3)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0, float("inf")])
def test_domains_get_the_share_of_their_temperature(temperature: float) -> None:
    weights = weights_of(temperature=temperature, threshold=0.01)
    natural = np.array([901, 99]) ** (1 / temperature)
    expected = natural / natural.sum()
    assert weights[:901].sum() / weights.sum() == pytest.approx(expected[0], rel=1e-4)
    assert weights.sum() == pytest.approx(1000, rel=1e-4)


def test_domain_factors_multiply_shares() -> None:
    weights = weights_of(domain_factors={"law": 2})
    assert weights[901:].sum() / weights.sum() == pytest.approx(198 / (901 + 198), rel=1e-4)
    assert not weights_of(domain_factors={"law": 0})[901:].any()
    with pytest.raises(ConfigError, match=r"domain_factors\.news: .*such as chat, law"):
        weights_of(domain_factors={"news": 2})


def test_rows_of_other_splits_are_left_out() -> None:
    splits = ["test"] * 500 + ["train"] * 500
    table = CORPUS.set_column(3, "split", pa.array(splits))
    weighed = weigh_rows([table], PAIRS)
    assert not weighed.weights[:500].any()
    assert weighed.weights.sum() == pytest.approx(500, rel=1e-5)
    with pytest.raises(ConfigError, match="no row of split 'dev'"):
        weigh_rows([table], PAIRS, split="dev")
    with pytest.raises(ConfigError, match="pass split=None"):
        weigh_rows([table.drop_columns(["split"])], PAIRS)


def test_weights_do_not_depend_on_how_tables_are_cut() -> None:
    options = BalanceOptions(temperature=2, threshold=0.01)
    whole = weigh_rows([CORPUS], PAIRS, options)
    cut = weigh_rows([CORPUS.slice(i, 7) for i in range(0, 1000, 7)], PAIRS, options)
    assert np.array_equal(whole.weights, cut.weights)
    assert cut.domains == ("chat", "law")


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50).filter(any))
def test_class_weights_keep_the_loss_and_fall_with_the_count(counts: list[int]) -> None:
    array = np.array(counts, dtype=np.int64)
    for weights in (
        inverse_sqrt_weights(array),
        effective_number_weights(array),
        effective_number_weights(array, beta=0.99),
    ):
        assert (weights * array).sum() / array.sum() == pytest.approx(1, rel=1e-4)
        order = np.argsort(array, kind="stable")
        assert (np.diff(weights[order]) <= 1e-6 * weights.max()).all()
        assert weights.min() > 0


def test_class_weights_follow_their_formulas() -> None:
    counts = np.array([10, 1000], dtype=np.int64)
    plain = effective_number_weights(counts, beta=0.0)
    assert plain.tolist() == [1, 1]
    beta = 0.99
    raw = (1 - beta) / (1 - beta ** counts.astype(float))
    weights = effective_number_weights(counts, beta=beta, max_ratio=1e9)
    assert weights[0] / weights[1] == pytest.approx(raw[0] / raw[1], rel=1e-5)
    assert inverse_sqrt_weights(counts)[0] / inverse_sqrt_weights(counts)[1] == pytest.approx(10)
    capped = inverse_sqrt_weights(np.array([1, 10**6]), max_ratio=2)
    assert capped[0] == pytest.approx(2, rel=1e-3)


def test_report_tells_what_an_epoch_shows() -> None:
    options = BalanceOptions(temperature=2, threshold=0.01)
    weighed = weigh_rows([CORPUS], PAIRS, options)
    report = report_balance(
        [CORPUS], PAIRS, weighed, class_weights=inverse_sqrt_weights(PAIRS.counts)
    )
    weights = weighed.weights.astype(float)
    assert report.n_rows == 1000
    assert report.effective_rows == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    chat, law = report.domains
    assert (chat.domain, chat.rows, law.rows) == ("chat", 901, 99)
    assert law.row_share_before == pytest.approx(0.099)
    assert law.row_share_after > 0.2
    assert law.hanzi_share_before == pytest.approx(198 / 2901)
    rare = report.hanzi_bands[0]
    assert (rare.name, rare.n_classes, rare.mean_before) == ("1 to 9", 1, 1.0)
    assert rare.mean_after == pytest.approx(float(weights[900]))
    assert rare.loss_share_after > rare.share_after > rare.share_before
    for bands in (report.hanzi_bands, report.pair_bands):
        assert sum(band.share_before for band in bands) == pytest.approx(1)
        assert sum(band.share_after for band in bands) == pytest.approx(1)
        assert sum(band.n_classes for band in bands) == 6
    page = report.to_markdown()
    assert "| law | 99 | 9.90% |" in page
    assert "effective sample size" in page
    with pytest.raises(ConfigError, match="give the tables that were weighed"):
        report_balance([CORPUS.slice(0, 10)], PAIRS, weighed)


def test_report_counts_rare_readings() -> None:
    table = rows(("chat", "好", 99), ("chat", "好", 1))
    syllables = pa.array([[1]] * 99 + [[2]], pa.list_(pa.int16()))
    table = table.set_column(2, "syllables", syllables)
    pairs = PairVocabulary.from_tables([table])
    weighed = weigh_rows([table], pairs, BalanceOptions(threshold=0.04, exponent=0.5))
    change = report_balance([table], pairs, weighed).rare_readings
    assert change.n_classes == 1
    assert change.share_before == pytest.approx(0.01)
    assert change.share_after == pytest.approx(2 / 101)


def test_a_folder_is_weighed_and_sampled(tmp_path: Path) -> None:
    pq.write_table(CORPUS.slice(0, 901), tmp_path / "chat-000.parquet", row_group_size=100)
    pq.write_table(CORPUS.slice(901), tmp_path / "law-000.parquet", row_group_size=100)
    read = read_balance_tables(tmp_path)
    pairs = PairVocabulary.from_tables(read())
    weighed = weigh_rows(read(), pairs, BalanceOptions(temperature=float("inf")))
    sampler = Sampler(Shards.from_folder(tmp_path), weights=weighed.weights)
    seen = [
        domain
        for table, _ in sampler.batches(64, SamplerState(), columns=["domain"])
        for domain in table["domain"].to_pylist()
    ]
    assert len(seen) == pytest.approx(1000, abs=40)
    assert seen.count("law") / len(seen) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "balance.threshold is 0"),
        ({"exponent": 2}, "balance.exponent is 2"),
        ({"max_copies": 0.5}, "balance.max_copies is 0.5"),
        ({"max_copies": float("inf")}, "infinite"),
        ({"min_copies": 0}, "balance.min_copies is 0"),
        ({"temperature": 0.5}, "balance.temperature is 0.5"),
        ({"domain_factors": {"law": -1}}, "balance.domain_factors.law is -1"),
        ({"rows_per_epoch": 0}, "rows_per_epoch is 0"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BalanceOptions(**options)


def test_class_weight_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="beta is 1"):
        effective_number_weights(np.array([1]), beta=1)
    with pytest.raises(ConfigError, match="max_ratio"):
        inverse_sqrt_weights(np.array([1]), max_ratio=0.5)
    with pytest.raises(ConfigError, match="no class has an example"):
        inverse_sqrt_weights(np.array([0]))
