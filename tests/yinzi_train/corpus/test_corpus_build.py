"""The corpus stage from files to shards: same rows however run, resumed, or interrupted."""

from __future__ import annotations

import errno
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from yinzi.errors import ConfigError
from yinzi_train.corpus import build
from yinzi_train.corpus.build import run_corpus
from yinzi_train.corpus.errors import CorpusError, UnreadableSource
from yinzi_train.corpus.execution import Progress
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.quality import count_hanzi
from yinzi_train.corpus.result import CorpusResult

HANZI = "我你他她们要去买卖飞机火车票吃饭喝水今明早上晚很好不错谢再见西安北京海天津学校"


def lines(n_lines: int, seed: int) -> list[str]:
    """Different lines of 20 hanzi."""
    state = seed
    made = []
    for _ in range(n_lines):
        chars = []
        for _ in range(20):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            chars.append(HANZI[(state >> 33) % len(HANZI)])
        made.append("".join(chars) + "。")
    return made


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    news = lines(300, seed=1)
    chat = lines(200, seed=2)
    chat[5] = news[7].replace("。", "！")  # an exact duplicate in another file
    chat[6] = "啊" + news[8]  # a near duplicate
    chat[7:10] = ["ok", "锟斤拷锟斤拷", "好"]
    chat[10] = ""
    (folder / "news__a.txt").write_text("\n".join(news) + "\n", encoding="utf-8")
    (folder / "chat__b.txt.gz").write_bytes(gzip.compress("\n".join(chat).encode()))
    rows = "".join(
        json.dumps({"text": line + line[::-1].strip("。") + "！"}) + "\n"
        for line in lines(50, seed=3)
    )
    (folder / "web__c.jsonl").write_text(rows, encoding="utf-8")
    return folder


def rows(result: CorpusResult) -> list[dict[str, Any]]:
    return [row for shard in result.shards for row in pq.read_table(shard.path).to_pylist()]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_build_writes_rows_counts_and_samples(texts: Path, tmp_path: Path) -> None:
    result = run_corpus([texts], tmp_path / "out", CorpusOptions(licence="CC0"))
    found = rows(result)
    assert result.n_rows == len(found) == sum(shard.n_rows for shard in result.shards)
    assert result.n_hanzi == sum(count_hanzi(row["text"]) for row in found)
    assert result.n_lines == 300 + 200 + 50
    assert result.n_lines + result.n_added - sum(result.drops.values()) == result.n_rows
    assert {key: result.drops[key] for key in result.drops if "duplicate" not in key} == {
        "blank": 1,
        "mojibake": 1,
        "no_hanzi": 1,
        "too_short": 1,
    }
    assert result.drops["exact_duplicate"] == 1
    assert result.drops["near_duplicate"] == 1
    assert found[0].keys() == {"id", "text", "source", "domain", "licence", "position"}
    assert [row["source"] for row in found[:2]] == ["chat__b", "chat__b"]
    assert {row["licence"] for row in found} == {"CC0"}
    assert {source.domain: source.n_rows for source in result.sources}["news"] == 298
    ids = [row["id"] for row in found]
    assert len(set(ids)) == len(ids)
    assert "web__c:0.0" in ids
    assert "web__c:0.1" in ids
    (near,) = result.sample_files["near_duplicate"].read_text(encoding="utf-8").splitlines()
    assert json.loads(near) == {
        "id": "news__a:8",
        "text": lines(300, seed=1)[8],
        "reason": "near_duplicate",
        "like_id": "chat__b:6",
        "like_text": "啊" + lines(300, seed=1)[8],
    }
    assert CorpusResult.open(tmp_path / "out") == result
    assert not (tmp_path / "out" / "work").exists()


def test_two_workers_and_small_units_give_the_same_rows(texts: Path, tmp_path: Path) -> None:
    one = run_corpus([texts], tmp_path / "one")
    two = run_corpus([texts], tmp_path / "two", workers=2)
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    small = run_corpus([texts], tmp_path / "small", CorpusOptions(unit_bytes=4096))
    assert len(small.shards) > len(one.shards)
    assert rows(small) == rows(one) == rows(two)
    assert small.drops == one.drops


def test_finished_corpus_is_kept_until_text_or_options_change(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = run_corpus([texts], out)
    with monkeypatch.context() as patch:
        patch.setattr(build, "run_steps", lambda *_, **__: pytest.fail("ran again"))
        assert run_corpus([texts], out) == first
    (texts / "news__a.txt").write_text("我要去买飞机票。\n", encoding="utf-8")
    second = run_corpus([texts], out)
    assert second.digest != first.digest
    assert "我要去买飞机票。" in [row["text"] for row in rows(second)]
    third = run_corpus([texts], out, CorpusOptions(min_hanzi=9))
    assert "我要去买飞机票。" not in [row["text"] for row in rows(third)]


def test_what_a_killed_run_left_unfinished_goes(texts: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_corpus([texts], whole)
    for folder, name in ((out, "corpus.json"), (out / "shards", "news__a-000.parquet")):
        folder.mkdir(exist_ok=True)
        (folder / f".{name}.0123abcd.part").write_text("half")
    run_corpus([texts], out)
    assert snapshot(out) == snapshot(whole)


@pytest.mark.parametrize("n_writes", [1, 5, 9, 11, 14, 18, 24])
def test_full_disk_is_an_error_and_the_next_run_goes_on(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_writes: int
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_corpus([texts], whole)
    replace = Path.replace
    done = 0

    def full_disk(path: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done >= n_writes:
            path.write_bytes(path.read_bytes()[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full_disk)
        with pytest.raises(CorpusError, match="disk is full; free some space and run again"):
            run_corpus([texts], out)
    assert not list(out.rglob("*.part"))
    with pytest.raises(CorpusError, match="no finished corpus"):
        CorpusResult.open(out)
    run_corpus([texts], out)
    assert snapshot(out) == snapshot(whole)


def test_full_disk_while_rows_are_written(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full_disk)
    with pytest.raises(CorpusError, match=r"cannot write 'news__a-000\..*disk is full"):
        run_corpus([texts], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.suffix == ".parquet"] == []


def test_unreadable_file_stops_the_run_or_is_left_out_whole(texts: Path, tmp_path: Path) -> None:
    path = texts / "chat__b.txt.gz"
    kept = rows(run_corpus([texts / "news__a.txt", texts / "web__c.jsonl"], tmp_path / "without"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableSource, match=r"chat__b\.txt\.gz.*damaged or cut off"):
        run_corpus([texts], tmp_path / "out")
    result = run_corpus([texts], tmp_path / "out", CorpusOptions(skip_unreadable=True))
    assert rows(result) == kept
    assert len(result.unreadable) == 1
    assert "chat__b.txt.gz" in result.unreadable[0]


def test_corpus_of_which_nothing_stays_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello\n\nworld\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"empty corpus: 3 lines read.*2 no_hanzi, 1 blank"):
        run_corpus([tmp_path / "a.txt"], tmp_path / "out")
    (tmp_path / "b.txt").touch()
    with pytest.raises(CorpusError, match="empty corpus: 0 lines read"):
        run_corpus([tmp_path / "b.txt"], tmp_path / "out")


def test_many_small_files_share_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yinzi_train.corpus.planning.MAX_SINGLE_UNITS", 10)
    folder = tmp_path / "texts"
    folder.mkdir()
    for at, line in enumerate(lines(30, seed=4)):
        (folder / f"chat__{at:02d}.txt").write_text(line, encoding="utf-8")
    result = run_corpus([folder], tmp_path / "out")
    assert len(result.shards) == 1
    assert [source.n_rows for source in result.sources] == [1] * 30
    assert [row["text"] for row in rows(result)] == lines(30, seed=4)


def test_progress_goes_through_the_stages_to_the_end(texts: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    run_corpus([texts], tmp_path / "out", progress=seen.append)
    assert list(dict.fromkeys(step.stage for step in seen)) == ["clean", "duplicates", "write"]
    assert seen[-1].n_done == seen[-1].n_units == 3
    assert seen[-1].done_share == 1


@pytest.mark.parametrize("setting", [{"executor": "slurm"}, {"workers": 0}])
def test_settings_out_of_range_are_errors(
    texts: Path, tmp_path: Path, setting: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        run_corpus([texts], tmp_path / "out", **setting)
