from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.errors import ConfigError
from yinzi.text import miu_spans
from yinzi_train.dataset.contamination import (
    ContaminationIndex,
    ContaminationOptions,
    EvaluationSet,
    read_evaluation_set,
)

OPTIONS = ContaminationOptions(min_hanzi=3, min_contained_hanzi=5)
ITEMS = EvaluationSet("dev", ("他很快恢复健康", "值得一提的是", "做梦", "买机票"))


def find(texts: list[str], sets: list[EvaluationSet], options: ContaminationOptions) -> list[int]:
    runs = [[text[start:end] for start, end in miu_spans(text)] for text in texts]
    lengths = np.array([len(run) for row in runs for run in row], dtype=np.int64)
    found = ContaminationIndex(sets, options).find(["".join(row) for row in runs], lengths)
    return [finding.row for finding in found]


def is_contaminated(text: str, items: tuple[str, ...], options: ContaminationOptions) -> bool:
    """Say the rule as it is documented, one sentence at a time."""
    runs = [text[start:end] for start, end in miu_spans(text)]
    hanzi = "".join(runs)
    for item in items:
        if len(item) < options.min_hanzi:
            continue
        if item in runs or (len(hanzi) >= options.min_hanzi and hanzi in item):
            return True
        if len(item) >= options.min_contained_hanzi and item in hanzi:
            return True
    return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("他很快恢复健康", True),
        ("后来，他很快恢复健康了。", True),
        ("他很快，恢复健康", True),
        ("很快恢复", True),
        ("很快", False),
        ("我要买机票", False),
        ("我要，买机票！", True),
        ("做梦", False),
        ("值得一提的是他很快", True),
        ("", False),
        ("abc", False),
        ("他很快恢复健", True),
        ("他很快恢复健美", False),
    ],
)
def test_rule(text: str, expected: bool) -> None:
    assert find([text], [ITEMS], OPTIONS) == [0] * expected
    assert is_contaminated(text, ITEMS.items, OPTIONS) == expected


_FEW = st.text("天地人，", max_size=12)


@given(st.lists(_FEW, max_size=8), st.lists(st.text("天地人", min_size=1, max_size=9), max_size=5))
def test_batch_finds_what_the_rule_says(texts: list[str], items: list[str]) -> None:
    long_enough = tuple(item for item in items if len(item) >= OPTIONS.min_hanzi)
    expected = [
        row for row, text in enumerate(texts) if is_contaminated(text, long_enough, OPTIONS)
    ]
    assert find(texts, [EvaluationSet("dev", long_enough)], OPTIONS) == expected


def test_matches_name_set_and_item() -> None:
    sets = [ITEMS, EvaluationSet("other", ("今天天气", "他很快恢复健康"))]
    index = ContaminationIndex(sets, OPTIONS)
    (finding,) = index.find(["他很快恢复健康"], np.array([7]))
    assert finding.matches == ((0, 0), (1, 1))


def test_no_sets_find_nothing() -> None:
    assert find(["他很快恢复健康"], [], OPTIONS) == []


@pytest.mark.parametrize(
    "text",
    [
        "a\t他很快恢复健康，好\tta hen kuai\n\nb\t做梦\tzuo meng\n",
        "\ufeffhanzi\tid\n他很快恢复健康，好\ta\n做梦\tb\r\n",
    ],
    ids=["without header", "with header"],
)
def test_set_is_read_by_its_column(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dev.tsv"
    path.write_text(text, encoding="utf-8")
    assert read_evaluation_set(path, min_hanzi=3) == EvaluationSet("dev", ("他很快恢复健康",), 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "cannot read evaluation set"),
        (b"a\t\xc4\xe3\n", "not UTF-8 at byte 2"),
        ("只有一列".encode(), "row 1: 1 columns"),
        (b"a\tni hao\n", "no run of 3 hanzi in its column 2"),
        (b"", "no run of 3 hanzi"),
    ],
    ids=["missing", "bytes", "columns", "no hanzi", "empty"],
)
def test_bad_set_is_told(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "dev.tsv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        read_evaluation_set(path, min_hanzi=3)


@pytest.mark.parametrize("options", [{"min_hanzi": 1}, {"min_hanzi": 9, "min_contained_hanzi": 8}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="min_"):
        ContaminationOptions(**options)
