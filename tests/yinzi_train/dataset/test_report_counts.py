from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.yinzi_train.dataset.dataset_samples import SOURCES, Sentence, row, write_dataset
from yinzi.pinyin import SYLLABLES, syllable_id
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.dataset.report_counts import DatasetCounts, SentenceBatch
from yinzi_train.dataset.report_lexicon import ReportLexicon
from yinzi_train.dataset.report_statistics import counted_statistics, frequency_curve
from yinzi_train.dataset.schema import ROW_SCHEMA
from yinzi_train.lexicon.readings import Reading
from yinzi_train.lexicon.tables import build_tables

SENTENCES = [sentence for sentences in SOURCES.values() for sentence in sentences]


def rows_of(*sentences: Sentence) -> list[dict[str, Any]]:
    return [
        row(sentence, source="chat__talk", domain="chat", licence="[open] MIT", number=number)
        for number, sentence in enumerate(sentences)
    ]


def arrow_batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, ROW_SCHEMA)


def counted(*batches: pa.RecordBatch) -> DatasetCounts:
    counts = DatasetCounts()
    for batch in batches:
        counts.add(SentenceBatch.from_arrow(batch, label="shard"))
    return counts


def naive_readings(rows: list[dict[str, Any]]) -> Counter[tuple[int, int, int, bool]]:
    return Counter(
        (ord(hanzi), syllable, tone, place in row["doubtful"])
        for row in rows
        for place, (hanzi, syllable, tone) in enumerate(
            zip(row["hanzi"], row["syllables"], row["tones"], strict=True)
        )
    )


def readings_of(counts: DatasetCounts) -> Counter[tuple[int, int, int, bool]]:
    table = counts.readings.table()
    found: Counter[tuple[int, int, int, bool]] = Counter()
    for hanzi, syllable, tone, count, doubtful in zip(
        *(table[name].tolist() for name in ("hanzi", "syllable", "tone", "count", "doubtful")),
        strict=True,
    ):
        found[hanzi, syllable, tone, True] = doubtful
        found[hanzi, syllable, tone, False] = count - doubtful
    return +found


def test_readings_are_those_counted_row_by_row() -> None:
    rows = rows_of(*SENTENCES)
    assert readings_of(counted(arrow_batch(rows))) == naive_readings(rows)


def test_batches_can_be_cut_anywhere() -> None:
    whole = arrow_batch(rows_of(*SENTENCES))
    parts = [whole.slice(0, 1), whole.slice(1, 3), whole.slice(4, 0), whole.slice(4)]
    one, other = counted(whole), counted(*parts)
    assert counted_statistics(one) == counted_statistics(other)


def test_many_hanzi_make_room() -> None:
    hanzi = "".join(map(chr, range(0x4E00, 0x4E00 + 9000)))
    one = {**rows_of(SENTENCES[0])[0], "hanzi": hanzi, "run_lengths": [9000], "doubtful": [8999]}
    rows = [{**one, "syllables": [7] * 9000, "tones": [1] * 9000}]
    assert readings_of(counted(arrow_batch(rows))) == naive_readings(rows)


def test_hanzi_without_reading_are_counted_apart() -> None:
    rows = rows_of(SENTENCES[0])
    rows[0]["syllables"] = [-1, *rows[0]["syllables"][1:]]
    coverage = counted_statistics(counted(arrow_batch(rows)))["coverage"]
    assert coverage["hanzi_without_reading"] == 1
    assert coverage["syllables"]["seen"] == 4


def test_dataset_without_rows_gives_figures() -> None:
    statistics = counted_statistics(counted(arrow_batch([])))
    assert statistics["totals"]["hanzi"] == 0
    assert statistics["repeats"]["rows"] == 0


def test_groups_add_up(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    tables = open_dataset(tmp_path).iter_tables()
    counts = counted(*(batch for table in tables for batch in table.to_batches()))
    assert {key: (c.rows, c.hanzi, c.doubtful) for key, c in counts.by("domain").items()} == {
        ("news",): (3, 21, 2),
        ("chat",): (3, 17, 1),
    }
    assert {key: c.rows for key, c in counts.by("split").items()} == {
        ("train",): 4,
        ("validation",): 1,
        ("test",): 1,
    }


def test_repeats_are_found_within_and_across_splits() -> None:
    pinyin = "ta1 men5 dou1 hen3 gao1 xing4"
    sentences = [
        Sentence("他们都很高兴。", pinyin),
        Sentence("他们都很高兴！", pinyin),
        Sentence("他们 都很高兴", pinyin, split="test"),
        Sentence("他们都高兴很", "ta1 men5 dou1 gao1 xing4 hen3"),
        Sentence("首都在北京吗", "shou3 du1 zai4 bei3 jing1 ma5"),
        Sentence("首都在北京吗", "shou3 du1 zai4 bei3 jing1 ma5"),
        Sentence("他们", "ta1 men5"),
        Sentence("他们", "ta1 men5", split="test"),
    ]
    assert counted(arrow_batch(rows_of(*sentences))).repeats.summary() == {
        "min_hanzi": 6,
        "rows": 6,
        "repeated_rows": 3,
        "rows_in_several_splits": 3,
    }


def damaged(**changes: Any) -> Callable[[], pa.RecordBatch]:
    return lambda: arrow_batch([{**rows_of(SENTENCES[0])[0], **changes}])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (damaged(tones=[1]), "'tones' of row 'chat__talk:0' does not fit its 5 hanzi"),
        (damaged(syllables=[1] * 6), "'syllables' of row"),
        (damaged(run_lengths=[3]), "'run_lengths' of row"),
        (damaged(doubtful=[5]), "'doubtful' of row 'chat__talk:0' points outside its 5 hanzi"),
        (damaged(syllables=[len(SYLLABLES)] * 5), "another inventory"),
        (damaged(hanzi="我要买票a"), "other characters"),
        (damaged(split="dev"), "unknown split 'dev'"),
        (damaged(source=None), "a row without source"),
        (lambda: damaged()().drop_columns(["tones"]), "no column 'tones'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_rows_are_refused(batch: Callable[[], pa.RecordBatch], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        counted(batch())


def test_lengths_are_exact() -> None:
    lengths = counted_statistics(counted(arrow_batch(rows_of(*SENTENCES))))["lengths"]
    hanzi = [len(row["hanzi"]) for row in rows_of(*SENTENCES)]
    assert lengths["sentence"]["mean"] == round(float(np.mean(hanzi)), 2)
    assert lengths["sentence"]["max"] == 9
    assert lengths["sentence"]["histogram"][6] == hanzi.count(6)
    assert lengths["run"]["n"] == 8
    assert sum(lengths["run"]["histogram"]) == 8


def test_homophones_and_polyphones_are_described() -> None:
    statistics = counted_statistics(counted(arrow_batch(rows_of(*SENTENCES))))
    xing = next(r for r in statistics["homophones"]["syllables"] if r["syllable"] == "xing")
    assert xing == {
        "syllable": "xing",
        "count": 4,
        "hanzi": 2,
        "entropy_bits": 1.0,
        "perplexity": 2.0,
        "most_frequent": "兴行",
    }
    assert statistics["polyphones"]["hanzi"] == 2
    by_hanzi = {row["hanzi"]: row for row in statistics["polyphones"]["listed"]}
    assert by_hanzi["行"]["readings"] == {"hang2": 0.6, "xing2": 0.4}
    assert (by_hanzi["行"]["count"], by_hanzi["行"]["doubtful"]) == (5, 1)


def test_coverage_is_measured_against_the_lexicon() -> None:
    def reading(text: str) -> Reading:
        return Reading((syllable_id(text),), (1,), 0.0)

    words = {
        "我": [reading("wo")],
        "行": [reading("hang"), reading("xing"), reading("heng")],
        "鑫": [reading("xin")],
    }
    tables = build_tables(words, {})
    arrays = {name: np.asarray(array) for name, array in tables.arrays.items()}
    from yinzi.lexicon import Lexicon

    lexicon = ReportLexicon("tiny", Lexicon(arrays))
    counts = counted(arrow_batch(rows_of(*SENTENCES)))
    coverage = counted_statistics(counts, lexicon=lexicon)["coverage"]
    assert coverage["readings"]["lexicon"] == 5
    assert coverage["readings"]["of_lexicon_seen"] == 3
    assert coverage["readings"]["of_seen_hanzi"] == 4
    assert coverage["readings"]["outside_lexicon"] == coverage["readings"]["seen"] - 3
    assert coverage["hanzi"] == {"lexicon": 3, "of_lexicon_seen": 2, "outside_lexicon": 23}


def test_zipf_slope_of_an_ideal_curve_is_one() -> None:
    curve = frequency_curve([round(1e9 / rank) for rank in range(1, 2001)])
    assert curve["slope"] == -1.0
    assert curve["points"][0] == [1, 1_000_000_000]
    assert curve["points"][-1][0] == 2000
