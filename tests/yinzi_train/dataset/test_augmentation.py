from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi_train.dataset.augmentation_samples import HEAVY, row_of, table_of, tables
from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, Edge, EdgeKind, GraphOptions, SyllableGraph
from yinzi.pinyin.inventory import INTERJECTIONS
from yinzi_train.dataset.augmentation import (
    AugmentationOptions,
    augment,
    augment_row,
    augment_table,
)
from yinzi_train.dataset.augmentation_abbreviations import AbbreviationOptions
from yinzi_train.dataset.augmentation_accents import AccentOptions
from yinzi_train.dataset.augmentation_marks import BorderOptions, ToneOptions
from yinzi_train.dataset.augmentation_mixing import MixingOptions
from yinzi_train.dataset.augmentation_rows import TypedRows
from yinzi_train.dataset.augmentation_typing import TypingErrorOptions

NONE = AugmentationOptions.none()
ALL_PATHS = GraphOptions(slack=1e6, abbreviated_slack=1e6)
"""Graphs with these keep every reading of the letters."""

LEGIBLE = replace(HEAVY, typing_errors=TypingErrorOptions(rate=0), mixing=MixingOptions(0, 0))
SEEDS = st.integers(0, 2**40)


def clean_text(row: dict[str, Any]) -> str:
    """Write a row in full: the naive counterpart of rate 0."""
    units = [
        f"{SYLLABLES[syllable]}{tone}"
        for syllable, tone in zip(row["syllables"], row["tones"], strict=True)
    ]
    runs, first = [], 0
    for length in row["run_lengths"]:
        runs.append(" ".join(units[first : first + length]))
        first += length
    return ",".join(runs)


def replay(row: dict[str, Any]) -> str:
    """Do the operations of a row one after another, knowing nothing but their list."""
    letters = [SYLLABLES[syllable] for syllable in row["syllables"]]
    tones = [str(tone) for tone in row["tones"]]
    separators = [" "] * len(letters)
    last = -1
    for length in row["run_lengths"]:
        last += length
        separators[last] = ","
    before = [""] * (len(letters) + 1)
    for operation in row["operations"]:
        kind, position = operation["kind"], operation["position"]
        if kind == "unsegmented":
            separators = ["" if separator == " " else separator for separator in separators]
        elif kind == "toneless":
            tones = [""] * len(tones)
        elif kind == "tone":
            assert tones[position] == operation["before"]
            tones[position] = ""
        elif kind in ("word", "number"):
            assert before[position] == ""
            before[position] = operation["after"]
        elif kind != "profile":
            assert letters[position] == operation["before"]
            letters[position] = operation["after"]
            if kind in ("initial", "incomplete"):
                tones[position] = ""
    text = ""
    for index, unit in enumerate(letters):
        if before[index]:
            text += " " if text and text[-1] not in " ," else ""
            text += before[index] + " "
        text += unit + tones[index] + (separators[index] if index + 1 < len(letters) else "")
    return f"{text} {before[-1]}".strip() if before[-1] else text


@settings(deadline=None, max_examples=50)
@given(tables(), SEEDS)
def test_rate_zero_types_rows_in_full(table: pa.Table, seed: int) -> None:
    typed = augment_table(table, NONE, seed=seed).to_pylist()
    assert [row["typed"] for row in typed] == [clean_text(row) for row in table.to_pylist()]
    assert all(not row["operations"] and not any(row["kinds"]) for row in typed)


@settings(deadline=None, max_examples=50)
@given(tables(), SEEDS)
def test_operations_replay_to_the_typed_letters(table: pa.Table, seed: int) -> None:
    for row in augment_table(table, HEAVY, seed=seed).to_pylist():
        assert replay(row) == row["typed"]


@settings(deadline=None, max_examples=50)
@given(tables(), SEEDS)
def test_labels_are_untouched_and_kinds_are_aligned(table: pa.Table, seed: int) -> None:
    typed = augment_table(table, HEAVY, seed=seed)
    assert typed.select(table.column_names) == table
    for row in typed.to_pylist():
        assert len(row["kinds"]) == len(row["hanzi"])
        cut = {o["position"] for o in row["operations"] if o["kind"] in ("initial", "incomplete")}
        assert cut == {index for index, kind in enumerate(row["kinds"]) if kind}


@settings(deadline=None, max_examples=50)
@given(tables(), SEEDS, st.randoms(use_true_random=False))
def test_a_row_does_not_depend_on_its_neighbours(table: pa.Table, seed: int, random: Any) -> None:
    whole = {row["id"]: row for row in augment_table(table, HEAVY, seed=seed).to_pylist()}
    order = list(range(len(table)))
    random.shuffle(order)
    for index in order:
        alone = augment_table(table.slice(index, 1), HEAVY, seed=seed).to_pylist()[0]
        assert alone == whole[alone["id"]]
    if len(table):
        shuffled = augment_table(table.take(pa.array(order)), HEAVY, seed=seed)
        assert {row["id"]: row for row in shuffled.to_pylist()} == whole


@settings(deadline=None, max_examples=50)
@given(tables())
def test_rows_given_one_by_one_are_read_like_a_table(table: pa.Table) -> None:
    read = TypedRows.from_table(table, seed=3)
    given_singly = TypedRows.from_features(table.to_pylist(), seed=3)
    assert augment(given_singly, HEAVY).typed_texts() == augment(read, HEAVY).typed_texts()


def intended_path(row: dict[str, Any]) -> Iterator[tuple[int, int, int, int]]:
    """Yield start and end in the letters, syllable and kind of every hanzi that was typed.

    The end is that of the letters and the tone; borders that follow may belong to the edge.
    """
    tone_free = {o["position"] for o in row["operations"] if o["kind"] == "tone"}
    kinds = {o["kind"] for o in row["operations"]}
    accents = {o["position"]: o["after"] for o in row["operations"] if o["kind"] == "accent"}
    cuts = {
        o["position"]: o["after"]
        for o in row["operations"]
        if o["kind"] in ("initial", "incomplete")
    }
    at = 0
    for index, syllable in enumerate(row["syllables"]):
        spelled = accents.get(index, SYLLABLES[syllable])
        letters = cuts.get(index, spelled)
        has_tone = "toneless" not in kinds and index not in tone_free and index not in cuts
        end = at + len(letters) + has_tone
        assert row["typed"][at : at + len(letters)] == letters
        yield at, end, SYLLABLES.index(spelled), row["kinds"][index]
        at = end
        while at < len(row["typed"]) and row["typed"][at] in " ,":
            at += 1
    assert at == len(row["typed"])


@settings(deadline=None, max_examples=50)
@given(tables(), SEEDS)
def test_letters_parse_back_to_what_was_typed(table: pa.Table, seed: int) -> None:
    for row in augment_table(table, LEGIBLE, seed=seed).to_pylist():
        graph = SyllableGraph.from_text(row["typed"], ALL_PATHS)
        for start, end, syllable, kind in intended_path(row):
            if SYLLABLES[syllable] in INTERJECTIONS:
                continue  # `aam1`: a toned m inside joined letters is an initial to the graph
            assert any(
                edge.start == start
                and row["typed"][end : edge.end].strip(" ") == ""
                and end <= edge.end
                and edge.syllable_lo <= syllable < edge.syllable_hi
                and is_read_as(edge, kind, syllable)
                for edge in graph.outgoing(start)
            ), (row["typed"], start)


def is_read_as(edge: Edge, kind: int, syllable: int) -> bool:
    """Tell whether an edge is of a kind; m and n alone are initials in a graph."""
    return edge.kind == kind or (edge.kind == EdgeKind.INITIAL and SYLLABLES[syllable] in "mn")


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (replace(NONE, accents=AccentOptions(rate=1)), {"profile", "accent"}),
        (
            replace(NONE, abbreviations=AbbreviationOptions(initials_rate=1, mixed_rate=0)),
            {"initial"},
        ),
        (
            replace(
                NONE,
                abbreviations=AbbreviationOptions(
                    initials_rate=0, mixed_rate=1, syllable_rate=1, initial_share=0
                ),
            ),
            {"incomplete"},
        ),
        (replace(NONE, tones=ToneOptions(rate=1)), {"toneless"}),
        (replace(NONE, tones=ToneOptions(rate=0, syllable_rate=0.5)), {"tone", "toneless"}),
        (replace(NONE, borders=BorderOptions(rate=1)), {"unsegmented"}),
        (replace(NONE, mixing=MixingOptions(word_rate=1, number_rate=0)), {"word"}),
        (replace(NONE, mixing=MixingOptions(word_rate=0, number_rate=1)), {"number"}),
    ],
    ids=["accents", "initials", "incomplete", "toneless", "tones", "borders", "words", "numbers"],
)
def test_each_rate_drives_its_own_operation(options: AugmentationOptions, kinds: set[str]) -> None:
    table = table_of([row_of(f"t:{i}", "wo3 xiang3 zhong1 guo2 neng2") for i in range(100)])
    rows = augment_table(table, options).to_pylist()
    assert {o["kind"] for row in rows for o in row["operations"]} == kinds


@pytest.mark.parametrize(
    ("options", "typed"),
    [
        (
            AbbreviationOptions(initials_rate=1, mixed_rate=0, long_initial_rate=0),
            "w y q z g an3 n",
        ),
        (
            AbbreviationOptions(initials_rate=1, mixed_rate=0, long_initial_rate=1),
            "w y q zh g an3 n",
        ),
    ],
    ids=["short", "long"],
)
def test_initials_leave_syllables_without_one(options: AbbreviationOptions, typed: str) -> None:
    row_id, *lists = row_of("a", "wo3 yao4 qu4 zhong1 guo2 an3 ning2")
    made = augment_row(
        row_id, "我要去中国俺宁", *lists, options=replace(NONE, abbreviations=options)
    )
    assert made.typed == typed


def test_rates_are_met() -> None:
    table = table_of([row_of(f"t:{i}", "wo3 yao4 qu4", "ni3 hao3") for i in range(4000)])
    rows = augment_table(table, AugmentationOptions(), seed=5).to_pylist()

    def share(kind: str) -> float:
        return sum(any(o["kind"] == kind for o in row["operations"]) for row in rows) / len(rows)

    assert share("toneless") == pytest.approx(0.95 * 0.95, abs=0.06)  # initials have no tones
    assert share("unsegmented") == pytest.approx(0.7, abs=0.03)
    assert share("word") == pytest.approx(0.02, abs=0.01)
    assert share("profile") == pytest.approx(0.15, abs=0.02)
    initials = sum(min(row["kinds"]) == 1 for row in rows) / len(rows)
    assert initials == pytest.approx(0.05, abs=0.02)


def test_epochs_repeats_and_seeds_differ() -> None:
    table = table_of([row_of(f"t:{i}", "wo3 yao4 qu4 zhong1 guo2") for i in range(50)])
    first = augment_table(table, HEAVY)["typed"]
    assert augment_table(table, HEAVY)["typed"] == first
    assert augment_table(table, HEAVY, epoch=1)["typed"] != first
    assert augment_table(table, HEAVY, seed=1)["typed"] != first
    copies = table.append_column("repeat", pa.array([1] * 50))
    assert augment_table(copies, HEAVY)["typed"] != first
    originals = table.append_column("repeat", pa.array([0] * 50))
    assert augment_table(originals, HEAVY)["typed"] == first


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("tones", [[1]], "'a': tones speaks of 1 hanzi, the row has 2"),
        ("run_lengths", [[1]], "'a': run_lengths speaks of 1 hanzi"),
        ("run_lengths", [[2, 0]], "'a': a run has no hanzi"),
        ("syllables", [[1, 999]], "expected 0 to"),
        ("tones", [None], "empty cells"),
    ],
    ids=["tones", "runs", "empty run", "unknown syllable", "null"],
)
def test_rows_that_do_not_fit_are_refused(column: str, values: list[Any], message: str) -> None:
    table = table_of([row_of("a", "wo3 yao4")])
    index = table.column_names.index(column)
    broken = table.set_column(index, column, pa.array(values, pa.list_(pa.int16())))
    with pytest.raises(ConfigError, match=message):
        augment_table(broken)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ConfigError, match="no column 'run_lengths'"):
        augment_table(table_of([]).drop_columns(["run_lengths"]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AccentOptions(rate=1.5), "accents.rate is 1.5"),
        (lambda: AccentOptions(profiles={"mars": 1}), "accents.profiles.mars"),
        (lambda: AccentOptions(profiles={"wu": 0}), "no profile a weight"),
        (lambda: AbbreviationOptions(initials_rate=0.6, mixed_rate=0.6), "at most 1"),
        (lambda: AbbreviationOptions(tail_rate=-1), "abbreviations.tail_rate"),
        (lambda: ToneOptions(rate=float("nan")), "tones.rate is nan"),
        (lambda: BorderOptions(rate=True), "borders.rate is True"),
        (lambda: TypingErrorOptions(rate=0.5), "from 0 to 0.2"),
        (lambda: TypingErrorOptions(shares={"slip": 1}), "typing_errors.shares.slip"),
        (lambda: TypingErrorOptions(shares={}), "no kind a weight"),
        (lambda: MixingOptions(word_rate=2), "mixing.word_rate"),
    ],
)
def test_options_are_checked(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
