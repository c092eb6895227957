from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.yinzi_train.dataset.build_samples import make_build, write_texts
from yinzi.cli.running import run_app
from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi_train.cli.main import app
from yinzi_train.dataset import Dataset, open_dataset
from yinzi_train.dataset.build import build_dataset
from yinzi_train.dataset.query import query


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("query")
    build_dataset(make_build(write_texts(folder / "it's text", n_files=2), folder / "it's out"))
    return open_dataset(folder / "it's out")


def ask(dataset: Dataset, sql: str) -> list[tuple[object, ...]]:
    return list(query(dataset, sql, n_threads=1))


def test_rows_carry_readings_as_text(dataset: Dataset) -> None:
    by_id = {row["id"]: row for row in dataset.iter_rows()}
    answered = ask(dataset, "select id, hanzi, pinyin, toneless, n_hanzi from rows")
    assert len(answered) == len(by_id)
    for row_id, hanzi, pinyin, toneless, n_hanzi in answered:
        row = by_id[str(row_id)]
        names = [SYLLABLES[syllable] for syllable in row["syllables"]]
        assert toneless == " ".join(names)
        toned = [f"{name}{tone}" for name, tone in zip(names, row["tones"], strict=True)]
        assert pinyin == " ".join(toned)
        assert hanzi == row["hanzi"]
        assert n_hanzi == len(row["hanzi"])


def test_hanzi_are_one_each(dataset: Dataset) -> None:
    row = next(dataset.iter_rows())
    answered = ask(
        dataset,
        "select hanzi, syllable, tone, is_doubtful from hanzi "
        f"where id = '{row['id']}' order by place",
    )
    assert answered == [
        (hanzi, SYLLABLES[syllable], tone, place in row["doubtful"])
        for place, (hanzi, syllable, tone) in enumerate(
            zip(row["hanzi"], row["syllables"], row["tones"], strict=True)
        )
    ]


def test_tables_of_the_manifest_are_there(dataset: Dataset) -> None:
    manifest = dataset.manifest
    assert ask(dataset, "select sum(rows) from shards") == [(manifest.total.rows,)]
    assert ask(dataset, "select source, rows from sources order by 1") == [
        (record.source, record.rows) for record in manifest.sources
    ]
    assert dict(ask(dataset, "select * from drops")) == manifest.drops
    assert ask(dataset, "select count(*) from contamination") == [(0,)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec 1", "syntax error"),
        ("select nope from rows", 'column "nope" not found'),
        ("select * from nope", "nope does not exist"),
        ("", "holds nothing"),
        ("select 1; select 2", "holds SELECT, SELECT"),
        ("copy rows to 'a.csv'", "holds COPY"),
        ("create table a as select 1", "holds CREATE"),
        ("drop view rows", "holds DROP"),
        ("attach 'a.db'", "holds ATTACH"),
        ("install httpfs", "holds LOAD"),
        ("set enable_external_access = true", "holds SET"),
        ("pragma enable_profiling", "expected one SELECT"),
        ("select * from read_csv('/etc/hostname')", "Cannot access file"),
        ("select * from '/etc/hostname'", "does not"),
        ("select * from read_text('*')", "Cannot access"),
        ("select * from read_parquet('https://example.org/a.parquet')", "Cannot access"),
        ("select domain::int from rows", "Could not convert"),
    ],
)
def test_what_is_no_question_is_refused(dataset: Dataset, sql: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(dataset, sql)


def run(dataset: Dataset, sql: str, *options: str) -> int:
    arguments = ["query", sql, "--dataset", str(dataset.path), "--threads", "1", *options]
    return run_app(app, arguments, name="yinzi-train")


def test_command_prints_a_table(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select domain, 12345 as n, null as none from rows order by 1"
    assert run(dataset, sql, "--limit", "3") == 0
    printed = capsys.readouterr()
    assert printed.out.count("12,345") == 3
    assert "only the first 3 rows" in printed.err


def test_command_prints_csv_and_json(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select 'a,b' as x, 1.50 as y, [1, 2] as z, date '2025-01-31' as d"
    assert run(dataset, sql, "--csv") == 0
    assert capsys.readouterr().out == 'x,y,z,d\n"a,b",1.50,"[1, 2]",2025-01-31\n'
    assert run(dataset, sql, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "x": "a,b",
        "y": 1.5,
        "z": [1, 2],
        "d": "2025-01-31",
    }


def test_command_tells_what_is_wrong(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(dataset, "select nope from rows") == 1
    assert "the query does not work" in capsys.readouterr().err
    assert run(dataset, "select 1", "--csv", "--json") == 2
    assert run_app(app, ["query", "select 1", "--dataset", str(tmp_path)], name="yinzi-train") == 1
    assert "not finished, or not a dataset" in capsys.readouterr().err
