from __future__ import annotations

import dataclasses
import importlib.util
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinzi.errors import ConfigError, MissingExtra, YinziError
from yinzi.lexicon.segmentation import Segmenter
from yinzi_train.corpus.hanzi_runs import Fold
from yinzi_train.ngram import counting
from yinzi_train.ngram.counting import (
    count_runs,
    count_shard,
    count_shards,
    count_shards_with_ray,
    is_counted,
    merge_shards,
    read_shard_summary,
)
from yinzi_train.ngram.counts import NgramCounts, unpack

N_WORDS = 4
WORDS = ["我", "要", "机票", "买"]
TEXTS = {
    "chat__a": "我要买机票。买票！\n我要 我要买\n",
    "chat__b": "机票机票机票\n",
    "news__c": "no hanzi here\n",
    "news__d": "我买机票，我要机票\n" * 50,
}

# Word N_WORDS is unknown.
segmented = st.lists(st.lists(st.integers(0, N_WORDS), min_size=1, max_size=6), max_size=8)


def naive_counts(sentences: list[list[int]]) -> list[Counter[tuple[int, ...]]]:
    """Count n-grams by looking at each; the sentence start is counted, never predicted."""
    counters: list[Counter[tuple[int, ...]]] = [Counter(), Counter(), Counter()]
    for sentence in sentences:
        words = [
            "<s>",
            *("?" if word == N_WORDS else word for word in sentence),
            "</s>",
        ]
        for order in (1, 2, 3):
            for start in range(len(words) - order + 1):
                ngram = words[start : start + order]
                if "?" not in ngram:
                    ids = {"<s>": N_WORDS, "</s>": N_WORDS + 1}
                    counters[order - 1][tuple(ids.get(word, word) for word in ngram)] += 1
    return counters


def keyed(keys: np.ndarray, order: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(row) for row in unpack(keys, order).tolist())


def as_bytes(counts: NgramCounts) -> list[bytes]:
    fields = [getattr(counts, field.name) for field in dataclasses.fields(counts)[1:]]
    return [str(array.dtype).encode() + array.tobytes() for array in fields]


def folder_bytes(shard_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shard_path.iterdir()}


@pytest.fixture
def segmenter() -> Segmenter:
    return Segmenter.from_words(WORDS, np.float32([-2, -2, -3, -2]), filter_bits=8)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "corpora"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


@given(segmented)
def test_count_runs_counts_as_one_by_one(sentences: list[list[int]]) -> None:
    flat = np.array([word for sentence in sentences for word in sentence], dtype=np.int32)
    n_tokens = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
    unigrams, bigrams, trigrams = count_runs(flat, n_tokens, n_words=N_WORDS)
    expected = naive_counts(sentences)
    assert {(word,): n for word, n in enumerate(unigrams.tolist()) if n} == expected[0]
    assert keyed(bigrams, 2) == expected[1]
    assert keyed(trigrams, 3) == expected[2]


def test_count_shard_counts_inside_runs_only(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    summary = count_shard(paths[0], tmp_path / "shard", segmenter=segmenter)
    assert (summary.n_hanzi, summary.n_runs) == (12, 4)
    sentences = [[0, 1, 3, 2], [3, N_WORDS], [0, 1], [0, 1, 3]]
    expected = naive_counts(sentences)
    for order, name in ((2, "bigram"), (3, "trigram")):
        keys = np.load(tmp_path / "shard" / f"{name}_keys.npy")
        counts = np.load(tmp_path / "shard" / f"{name}_count.npy")
        assert (np.diff(keys.astype(np.int64)) > 0).all()
        rows = map(tuple, unpack(keys, order).tolist())
        assert dict(zip(rows, counts.tolist(), strict=True)) == expected[order - 1]


def test_small_buffer_and_blocks_give_the_same_counts(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    count_shard(paths[3], tmp_path / "whole", segmenter=segmenter)
    monkeypatch.setattr(counting, "FLUSH_TOKENS", 5)
    monkeypatch.setattr(
        counting, "read_hanzi_runs", partial(counting.read_hanzi_runs, block_bytes=40)
    )
    count_shard(paths[3], tmp_path / "parts", segmenter=segmenter)
    assert folder_bytes(tmp_path / "whole") == folder_bytes(tmp_path / "parts")


@pytest.mark.parametrize("fold", [Fold(0, 2), Fold(1, 3), Fold(4, 5)], ids=str)
@pytest.mark.parametrize("block_bytes", [1, 40, 1 << 20])
def test_left_out_lines_count_as_if_deleted(
    tmp_path: Path,
    segmenter: Segmenter,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
    fold: Fold,
) -> None:
    monkeypatch.setattr(
        counting, "read_hanzi_runs", partial(counting.read_hanzi_runs, block_bytes=block_bytes)
    )
    lines = [TEXTS["chat__a"].split("\n")[number % 2] + "票" * (number % 4) for number in range(23)]
    kept = [line for number, line in enumerate(lines) if number % fold.count != fold.index]
    for name, some in (("whole", lines), ("kept", kept)):
        (tmp_path / f"{name}.txt").write_text("\n".join(some), encoding="utf-8")
    count_shard(tmp_path / "whole.txt", tmp_path / "whole", segmenter=segmenter, left_out=fold)
    count_shard(tmp_path / "kept.txt", tmp_path / "kept", segmenter=segmenter)
    assert folder_bytes(tmp_path / "whole") == folder_bytes(tmp_path / "kept")


def test_text_whose_only_line_is_left_out_counts_nothing(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    summary = count_shard(paths[1], tmp_path / "shard", segmenter=segmenter, left_out=Fold(0, 2))
    assert (summary.n_hanzi, summary.n_runs) == (0, 0)
    assert not np.load(tmp_path / "shard" / "unigram_count.npy").any()


@pytest.mark.parametrize("n_workers", [1, 2])
def test_lines_of_every_text_are_left_out(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path], n_workers: int
) -> None:
    whole = count_shards(paths, tmp_path / "whole", segmenter=segmenter)
    parts = [
        count_shards(
            paths, tmp_path / str(index), segmenter=segmenter, n_workers=n_workers, left_out=fold
        )
        for index, fold in enumerate((Fold(0, 2), Fold(1, 2)))
    ]
    n_hanzi = [
        [read_shard_summary(shard).n_hanzi for shard in shards] for shards in (whole, *parts)
    ]
    assert n_hanzi == [[12, 6, 0, 400], [5, 0, 0, 200], [7, 6, 0, 200]]


def test_finished_shard_is_kept_and_a_changed_one_is_counted_again(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    shard = tmp_path / "counts" / "chat__a"
    count_shard(paths[0], shard, segmenter=segmenter, fingerprint="one")
    before = shard.stat().st_ino
    count_shard(paths[0], shard, segmenter=segmenter, fingerprint="one")
    assert shard.stat().st_ino == before
    count_shard(paths[1], shard, segmenter=segmenter, fingerprint="two")
    assert read_shard_summary(shard).fingerprint == "two"
    assert read_shard_summary(shard).n_hanzi == 6


def test_shard_of_a_killed_job_is_ignored_and_counted_again(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    counts = tmp_path / "counts"
    left_over = counts / "chat__a.12345.part"
    left_over.mkdir(parents=True)
    (left_over / "unigram_count.npy").write_bytes(b"half")
    not_whole = counts / "chat__b"
    not_whole.mkdir()
    (not_whole / "shard.json").write_text('{"fingerprint": ', encoding="utf-8")
    assert not is_counted(not_whole, fingerprint="")
    shards = count_shards(paths, counts, segmenter=segmenter)
    assert sorted(path.name for path in counts.iterdir()) == sorted(TEXTS)
    merge_shards(shards, weights=dict.fromkeys(TEXTS, 1.0))


def test_stopped_run_goes_on_behind_the_last_finished_shard(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    def stop(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_shards(paths, tmp_path / "counts", segmenter=segmenter, on_shard=stop)
    (first,) = (tmp_path / "counts").iterdir()
    before = first.stat().st_ino
    count_shards(paths, tmp_path / "counts", segmenter=segmenter)
    assert first.stat().st_ino == before


def test_processes_give_identical_shards(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    seen: list[Path] = []
    here = count_shards(paths, tmp_path / "here", segmenter=segmenter)
    there = count_shards(
        paths, tmp_path / "there", segmenter=segmenter, n_workers=2, on_shard=seen.append
    )
    assert sorted(seen) == paths
    assert [path.name for path in there] == [path.name for path in here] == sorted(TEXTS)
    for one, other in zip(here, there, strict=True):
        assert folder_bytes(one) == folder_bytes(other)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_bad_text_stops_the_count_and_names_the_file(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path], n_workers: int
) -> None:
    paths[1].write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"'chat__b.txt' is not UTF-8"):
        count_shards(paths, tmp_path / "counts", segmenter=segmenter, n_workers=n_workers)
    with pytest.raises(ConfigError, match="cannot read text"):
        count_shards([tmp_path / "gone.txt"], tmp_path / "counts", segmenter=segmenter)


def test_two_texts_of_one_name_are_refused(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    twin = paths[0].with_suffix(".csv")
    with pytest.raises(ConfigError, match="'chat__a'"):
        count_shards([*paths, twin], tmp_path / "counts", segmenter=segmenter)


@pytest.mark.skipif(sys.platform != "linux", reason="replaces a function in forked processes")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, signal, sys, time
from pathlib import Path
import numpy as np
from yinzi.lexicon.segmentation import Segmenter
from yinzi_train.ngram import counting
def wait(path, shard_path, **_):
    Path({str(tmp_path)!r}, str(os.getpid())).touch()
    time.sleep(60)
counting.count_shard = wait
texts = [Path({str(tmp_path)!r}, name) for name in ("a.txt", "b.txt")]
for text in texts:
    text.touch()
counting.count_shards(
    texts, Path({str(tmp_path)!r}), n_workers=2,
    segmenter=Segmenter.from_words(["我"], np.zeros(1, np.float32), filter_bits=4),
)
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    workers = wait_for(lambda: [int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()], n=2)
    parent.kill()
    parent.wait()
    ended = wait_for(lambda: [pid for pid in workers if not is_running(pid)], n=2)
    assert ended == workers


def wait_for(find: Callable[[], list[int]], *, n: int) -> list[int]:
    for _ in range(200):
        found = find()
        if len(found) == n:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited 10 s for {n}, found {found}")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended stays as a zombie where nobody waits for it.
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().split(")")[1].split()[0] == "Z")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text("我要机票买口，", min_size=1, max_size=40), min_size=1, max_size=3),
    st.integers(1, 9),
)
def test_ranges_do_not_change_what_is_merged(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], n_ranges: int
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    segmenter = Segmenter.from_words(WORDS, np.float32([-2, -2, -3, -2]), filter_bits=8)
    shards, weights, weighted = [], {}, Counter[tuple[int, ...]]()
    for number, text in enumerate(texts):
        path = folder / f"text{number}.txt"
        path.write_text(text, encoding="utf-8")
        shards += count_shards([path], folder / "counts", segmenter=segmenter)
        weights[shards[-1].name] = 0.5 + number
        runs = [run for run in text.split("，") if run]
        counters = naive_counts([segmenter.segment_run(run).tolist() for run in runs])
        for counter in counters:
            for ngram, n in counter.items():
                weighted[ngram] += n * (0.5 + number)  # type: ignore[assignment]
    steps: list[None] = []
    one = merge_shards(shards, weights=weights, n_ranges=1)
    many = merge_shards(
        shards[::-1], weights=weights, n_ranges=n_ranges, on_range=lambda: steps.append(None)
    )
    assert as_bytes(one) == as_bytes(many)
    assert len(steps) == 2 * n_ranges
    found = {(word,): n for word, n in enumerate(many.unigram_weighted.tolist()) if n}
    for order, name in ((2, "bigram"), (3, "trigram")):
        rows = map(tuple, unpack(getattr(many, f"{name}_keys"), order).tolist())
        found.update(zip(rows, getattr(many, f"{name}_weighted").tolist(), strict=True))
    assert found == weighted


def test_merge_says_what_is_wrong(tmp_path: Path, segmenter: Segmenter, paths: list[Path]) -> None:
    shards = count_shards(paths, tmp_path / "counts", segmenter=segmenter)
    with pytest.raises(ConfigError, match=r"no weight for \['news__c', 'news__d'\]"):
        merge_shards(shards, weights={"chat__a": 1.0, "chat__b": 1.0})
    with pytest.raises(ConfigError, match="no shards"):
        merge_shards([], weights={})
    other = Segmenter.from_words(["我"], np.zeros(1, np.float32), filter_bits=4)
    count_shard(paths[3], shards[3], segmenter=other, fingerprint="other lexicon")
    with pytest.raises(ConfigError, match="news__d was counted with another lexicon"):
        merge_shards(shards, weights=dict.fromkeys(TEXTS, 1.0))


def test_killed_worker_says_what_to_do(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "count_shard", end_process)
    with pytest.raises(YinziError, match="with fewer --workers"):
        count_shards(paths, tmp_path / "counts", segmenter=segmenter, n_workers=2)


def end_process(*_: object, **__: object) -> None:
    os._exit(9)


def test_missing_ray_names_the_extra(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match="pip install"):
        count_shards_with_ray(paths, tmp_path / "counts", segmenter=segmenter)


@pytest.mark.train
@pytest.mark.filterwarnings("ignore")  # of Ray's own modules
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra `train`")
def test_ray_workers_give_identical_counts(
    tmp_path: Path, segmenter: Segmenter, paths: list[Path]
) -> None:
    from yinzi_train.pipeline.count_stage import ray_connection

    seen: list[Path] = []
    fold = Fold(1, 3)
    here = count_shards(paths, tmp_path / "here", segmenter=segmenter, left_out=fold)
    with ray_connection(n_workers=2):
        there = count_shards_with_ray(
            paths,
            tmp_path / "there",
            segmenter=segmenter,
            left_out=fold,
            on_shard=seen.append,
        )
        assert sorted(seen) == paths
        paths[1].write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigError, match=r"'chat__b.txt' is not UTF-8"):
            count_shards_with_ray(paths, tmp_path / "bad", segmenter=segmenter)
    for one, other in zip(here, there, strict=True):
        assert folder_bytes(one) == folder_bytes(other)
    weights = {"chat__a": 2.0, "chat__b": 1.0, "news__c": 1.0, "news__d": 0.3}
    assert as_bytes(merge_shards(here, weights=weights)) == as_bytes(
        merge_shards(there, weights=weights)
    )
