from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.yinzi_train.dataset.augmentation_samples import HEAVY, row_of, table_of, tables
from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, SyllableGraph, prefix_range, syllable_id
from yinzi.scoring import InputVocabulary
from yinzi_train.dataset.augmentation import AugmentationOptions, augment_table
from yinzi_train.dataset.augmentation_abbreviations import AbbreviationOptions
from yinzi_train.dataset.augmentation_mixing import MixingOptions
from yinzi_train.dataset.augmentation_rows import InputKind
from yinzi_train.dataset.augmentation_typing import ERROR_KINDS
from yinzi_train.dataset.collator import (
    ACCENT,
    IGNORED,
    TYPING_ERROR,
    Collator,
    CollatorOptions,
)
from yinzi_train.dataset.pair_vocabulary import PairVocabulary

NONE = AugmentationOptions.none()
CLEAN = CollatorOptions(augmentation=NONE, context_rate=0)
ALL = table_of([("all", range(len(SYLLABLES)), [1] * len(SYLLABLES), [len(SYLLABLES)])])
PAIRS = PairVocabulary.from_tables([ALL])
VOCAB = InputVocabulary("".join(PAIRS.texts()))


def batch_of(options: CollatorOptions, *rows: Any, epoch: int = 0) -> dict[str, NDArray[Any]]:
    collator = Collator(VOCAB, PAIRS, options)
    collator.set_epoch(epoch)
    return collator(table_of(rows))


def spelled(batch: dict[str, NDArray[Any]], row: int = 0) -> list[str]:
    ids = batch["input_ids"][row][batch["attention_mask"][row]]
    return [VOCAB.spell(int(input_id)) for input_id in ids]


def test_a_row_becomes_a_padded_line() -> None:
    batch = batch_of(CLEAN, row_of("a", "wo3 yao4", "qu4"), row_of("b", "ni3"))
    assert spelled(batch, 0) == ["wo", "yao", "BREAK", "qu"]
    assert spelled(batch, 1) == ["ni"]
    assert {array.shape for array in batch.values()} == {(2, 8)}
    assert batch["input_tones"][0].tolist() == [3, 4, 0, 4, 0, 0, 0, 0]
    assert batch["positions"][0].tolist() == [0, 1, -1, 2, -1, -1, -1, -1]
    assert batch["loss_mask"][0].tolist() == [True, True, False, True] + [False] * 4
    assert batch["input_kinds"][0].tolist()[:5] == [
        InputKind.FULL,
        InputKind.FULL,
        InputKind.BREAK,
        InputKind.FULL,
        InputKind.PAD,
    ]
    yao = syllable_id("yao")
    assert batch["targets"][0].tolist()[:3] == [
        int(PAIRS.starts[syllable_id("wo")]),
        int(PAIRS.starts[yao]),
        IGNORED,
    ]
    assert (batch["syllable_lo"][0, 1], batch["syllable_hi"][0, 1]) == (yao, yao + 1)


def test_initials_are_ranges() -> None:
    initials = AbbreviationOptions(initials_rate=1, mixed_rate=0, long_initial_rate=0)
    options = replace(CLEAN, augmentation=replace(NONE, abbreviations=initials))
    batch = batch_of(options, row_of("a", "zhong1 mo4 an3"))
    assert spelled(batch) == ["z-", "m-", "an"]
    low_high = batch["syllable_lo"][0, :2].tolist(), batch["syllable_hi"][0, :2].tolist()
    assert list(zip(*low_high, strict=True)) == [prefix_range("z"), prefix_range("m")]
    assert batch["is_reachable"][0, :3].all()


@settings(deadline=None, max_examples=30)
@given(tables(), st.integers(0, 1000))
def test_arrays_agree_with_the_rows(table: pa.Table, seed: int) -> None:
    collator = Collator(VOCAB, PAIRS, CollatorOptions(augmentation=HEAVY, seed=seed))
    batch = collator(table)
    typed = augment_table(table, HEAVY, seed=seed).to_pylist()
    ranges = VOCAB.ranges[batch["input_ids"]]
    assert (ranges[..., 0] == batch["syllable_lo"]).all()
    assert (ranges[..., 1] == batch["syllable_hi"]).all()
    for number, row in enumerate(typed):
        mask = batch["attention_mask"][number]
        assert not mask[mask.sum() :].any()
        at = np.flatnonzero(batch["positions"][number] >= 0)
        assert batch["positions"][number, at].tolist() == list(range(len(row["hanzi"])))
        assert batch["target_syllables"][number, at].tolist() == row["syllables"]
        n_literals = sum(o["kind"] in ("word", "number") for o in row["operations"])
        n_breaks = max(0, len(row["run_lengths"]) - 1)
        assert mask.sum() == len(row["hanzi"]) + n_literals + n_breaks
        errors = {o["position"] for o in row["operations"] if o["kind"] in ERROR_KINDS}
        accents = {o["position"]: o["after"] for o in row["operations"] if o["kind"] == "accent"}
        for place in at:
            position = int(batch["positions"][number, place])
            target = int(batch["targets"][number, place])
            kind = batch["input_kinds"][number, place]
            if kind == InputKind.HANZI:
                assert VOCAB.spell(batch["input_ids"][number, place]) == row["hanzi"][position]
                assert target == IGNORED
                continue
            assert PAIRS.syllables[target] == row["syllables"][position]
            assert chr(PAIRS.hanzi[target]) == row["hanzi"][position]
            changes = batch["changes"][number, place]
            assert bool(changes & TYPING_ERROR) == (position in errors)
            assert bool(changes & ACCENT) == (position in accents)
            if position not in errors:
                assert kind == row["kinds"][position]
                low, high = batch["syllable_lo"][number, place], batch["syllable_hi"][number, place]
                meant = accents.get(position, SYLLABLES[row["syllables"][position]])
                assert low <= syllable_id(meant) < high
                assert batch["is_reachable"][number, place] or position in accents


@settings(deadline=None, max_examples=30)
@given(tables())
def test_a_row_alone_gives_the_line_it_has_in_a_batch(table: pa.Table) -> None:
    collator = Collator(VOCAB, PAIRS, CollatorOptions(augmentation=HEAVY))
    whole = collator(table)
    for number in range(len(table)):
        alone = collator(table.slice(number, 1))
        listed = collator(table.slice(number, 1).to_pylist())
        for name, array in alone.items():
            assert np.array_equal(array, listed[name])
            width = array.shape[1]
            assert np.array_equal(array[0], whole[name][number, :width])


def test_epochs_differ_and_repeat_exactly() -> None:
    rows = [row_of(f"t:{i}", "wo3 yao4 qu4 zhong1 guo2") for i in range(20)]
    options = CollatorOptions(augmentation=HEAVY)
    first = batch_of(options, *rows)["input_ids"]
    assert np.array_equal(first, batch_of(options, *rows)["input_ids"])
    assert not np.array_equal(first, batch_of(options, *rows, epoch=1)["input_ids"])


def test_left_context_is_hanzi_without_targets() -> None:
    rows = [row_of(f"t:{i}", "wo3 yao4 qu4 zhong1 guo2") for i in range(200)]
    batch = batch_of(replace(CLEAN, context_rate=1), *rows)
    is_context = batch["input_kinds"] == InputKind.HANZI
    n_context = is_context.sum(axis=1)
    assert set(n_context.tolist()) == {0, 1, 2, 3, 4}
    assert all(line[:n].all() for line, n in zip(is_context, n_context, strict=True))
    assert not (is_context & batch["loss_mask"]).any()
    assert batch["loss_mask"].sum(axis=1).min() == 1


def test_long_rows_show_another_window_each_epoch() -> None:
    options = replace(CLEAN, max_length=8)
    row = row_of("long", " ".join(["wo3"] * 40))
    collator, windows = Collator(VOCAB, PAIRS, options), []
    for epoch in range(60):
        collator.set_epoch(epoch)
        windows.append(collator(table_of([row]))["positions"][0])
    assert all((np.diff(window) == 1).all() for window in windows)
    starts = {int(window[0]) for window in windows}
    assert len(starts) > 15
    assert min(starts) >= 0
    assert max(starts) <= 32


def test_words_and_numbers_are_literals_without_targets() -> None:
    options = replace(CLEAN, augmentation=replace(NONE, mixing=MixingOptions(1, 0)))
    batch = batch_of(options, *[row_of(f"t:{i}", "wo3 yao4") for i in range(50)])
    places = {tuple(spelled(batch, row)) for row in range(50)}
    assert places == {("WORD", "wo", "yao"), ("wo", "WORD", "yao"), ("wo", "yao", "WORD")}
    is_word = batch["input_kinds"] == InputKind.LITERAL
    assert (batch["targets"][is_word] == IGNORED).all()


def test_doubtful_labels_and_unknown_pairs_are_not_learnt() -> None:
    table = table_of([row_of("a", "wo3 yao4 qu4")])
    table = table.append_column("doubtful", pa.array([[1]], pa.list_(pa.int16())))
    table = table.set_column(1, "hanzi", pa.array([table["hanzi"][0].as_py()[:2] + "龘"]))
    assert Collator(VOCAB, PAIRS, CLEAN)(table)["loss_mask"][0, :3].tolist() == [True, False, False]
    told = Collator(VOCAB, PAIRS, replace(CLEAN, uses_doubtful=True))(table)
    assert told["loss_mask"][0, :3].tolist() == [True, True, False]


def test_class_weights_reach_their_targets() -> None:
    weights = np.arange(len(PAIRS), dtype=np.float32)
    batch = Collator(VOCAB, PAIRS, CLEAN, class_weights=weights)(
        table_of([row_of("a", "wo3 yao4", "qu4")])
    )
    learnt = batch["loss_mask"]
    assert (batch["weights"][learnt] == batch["targets"][learnt]).all()
    assert not batch["weights"][~learnt].any()
    with pytest.raises(ConfigError, match="class weights"):
        Collator(VOCAB, PAIRS, CLEAN, class_weights=weights[:3])


def test_an_empty_batch_and_an_empty_row_have_arrays() -> None:
    assert batch_of(CLEAN)["input_ids"].shape == (0, 8)
    assert not batch_of(CLEAN, ("a", [], [], []))["attention_mask"].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_length": 4}, "max_length is 4"),
        ({"multiple": 0}, "multiple is 0"),
        ({"context_rate": 2}, "context_rate is 2"),
    ],
)
def test_options_are_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CollatorOptions(**change)


def test_vocabulary_numbers_every_edge_of_a_graph() -> None:
    for syllable in SYLLABLES:
        for end in range(1, len(syllable) + 1):
            for edge in SyllableGraph.from_text(syllable[:end]).edges:
                input_id = int(VOCAB.ids_of_ranges(edge.syllable_lo, edge.syllable_hi))
                if edge.syllable_lo < 0:
                    assert input_id == VOCAB.word_id
                else:
                    assert tuple(VOCAB.ranges[input_id]) == (edge.syllable_lo, edge.syllable_hi)


def test_vocabulary_ids_are_syllables_then_prefixes_then_hanzi() -> None:
    bare = InputVocabulary()
    assert [bare.find(s) for s in SYLLABLES if s not in "mn"] == [
        index for index, s in enumerate(SYLLABLES) if s not in "mn"
    ]
    assert bare.spell(bare.find("m")) == "m-"
    assert list(bare.prefixes) == sorted(bare.prefixes)
    assert len(bare) == len(SYLLABLES) + len(bare.prefixes) + 5
    assert [VOCAB.spell(i) for i in range(len(bare))] == [bare.spell(i) for i in range(len(bare))]
    assert len({VOCAB.spell(i) for i in range(len(VOCAB))}) == len(VOCAB)
    codes = np.array([ord("龘"), ord(VOCAB.hanzi[3])], dtype=np.uint32)
    assert VOCAB.hanzi_ids(codes).tolist() == [VOCAB.unknown_id, VOCAB.first_hanzi_id + 3]


def test_vocabularies_are_saved_and_read(tmp_path: Path) -> None:
    VOCAB.save(tmp_path / "input.json")
    assert InputVocabulary.load(tmp_path / "input.json") == VOCAB
    PAIRS.save(tmp_path / "pairs.json")
    read = PairVocabulary.load(tmp_path / "pairs.json")
    for name in ("syllables", "hanzi", "counts"):
        assert np.array_equal(getattr(read, name), getattr(PAIRS, name))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"zhong"', '"zhongg"', "its syllables are not those of this version"),
        ('"format_version": 1', '"format_version": 2', "its format_version are not"),
        ('"hanzi"', '"hanzis"', "cannot read"),
    ],
)
def test_another_vocabulary_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "input.json"
    VOCAB.save(path)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        InputVocabulary.load(path)


def test_wrong_ranges_and_hanzi_are_refused() -> None:
    with pytest.raises(ConfigError, match="no prefix's"):
        VOCAB.ids_of_ranges(3, 90)
    with pytest.raises(ConfigError, match="twice"):
        InputVocabulary("我我")
    with pytest.raises(ConfigError, match="no hanzi"):
        InputVocabulary("我a")


def test_pairs_are_sorted_slices() -> None:
    rows = pa.table(
        {"hanzi": ["中种中", "中"], "syllables": pa.array([[5, 5, 5], [7]], pa.list_(pa.int16()))}
    )
    pairs = PairVocabulary.from_tables([rows, rows])
    assert pairs.texts() == ["中", "种", "中"]
    assert pairs.counts.tolist() == [4, 2, 2]
    assert pairs.distinct_hanzi() == ["中", "种"]
    assert pairs.starts[[5, 6, 7, 8]].tolist() == [0, 2, 2, 3]
    assert pairs.reading_shares.tolist() == pytest.approx([2 / 3, 1, 1 / 3])
    codes = np.array([ord("种"), ord("国")], dtype=np.uint32)
    assert pairs.ids(np.array([5, 5]), codes).tolist() == [1, -1]
    assert len(PairVocabulary.from_tables([rows], min_count=2)) == 1


def test_collator_needs_no_torch() -> None:
    script = "import sys; sys.modules['torch'] = None; import yinzi_train.dataset.collator"
    subprocess.run([sys.executable, "-c", script], check=True)
