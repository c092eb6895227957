"""Readers: every format, encoding and compression, and what cannot be read."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from yinzi_train.corpus.errors import CorpusError, UnreadableSource
from yinzi_train.corpus.options import CorpusOptions
from yinzi_train.corpus.planning import plan_units
from yinzi_train.corpus.readers import read_part
from yinzi_train.corpus.sources import find_sources
from yinzi_train.corpus.streams import ReadLog

LINES = ["我要买票，去西安。", "你好，世界！", "今天天气很好，我们去吃饭吧。"]


def rows(path: Path, log: ReadLog | None = None, **settings: object) -> list[tuple[int, int, str]]:
    options = CorpusOptions(**settings)  # type: ignore[arg-type]
    log = log or ReadLog(skip=options.skip_unreadable)
    plan = plan_units(find_sources([path], options), options)
    return [
        row for unit in plan.units for part in unit.parts for row in read_part(part, options, log)
    ]


def texts(path: Path, **settings: object) -> list[str]:
    return [text for _, _, text in rows(path, **settings)]


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zst,
}


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv", "tsv", "md", "parquet"])
def test_read_gives_texts_and_positions_for_every_format(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    if kind == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"n": [1, 2, 3], "text": LINES}), sink, row_group_size=2)
        data = sink.getvalue().to_pybytes()
    else:
        written = {
            "txt": "\n".join(LINES),
            "md": "\r\n".join(LINES) + "\r\n",
            "jsonl": "\n".join(json.dumps({"text": line}) for line in LINES),
            "csv": "n,text\n" + "".join(f'1,"{line}"\n' for line in LINES),
            "tsv": "n\ttext\n" + "".join(f"1\t{line}\n" for line in LINES),
        }
        data = written[kind].encode()
    path = tmp_path / f"a.{kind}{suffix}"
    path.write_bytes(COMPRESS[suffix](data))
    assert rows(path) == [(at, 0, line) for at, line in enumerate(LINES)]


def test_read_dataset_from_disk_with_splits(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    train = datasets.Dataset.from_dict({"text": LINES})
    test = datasets.Dataset.from_dict({"text": ["再见。"]})
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(tmp_path / "chat__toy")
    sources = find_sources([tmp_path], CorpusOptions())
    assert [source.name for source in sources] == ["chat__toy.test", "chat__toy.train"]
    assert sources[0].domain == "chat"
    assert texts(tmp_path) == ["再见。", *LINES]
    assert texts(tmp_path / "chat__toy" / "train", unit_bytes=1024) == LINES


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "big5"], ids=lambda name: name
)
def test_encoding_is_detected(tmp_path: Path, encoding: str) -> None:
    lines = ["我要去買票，你呢？", "今天天氣很好。"] if encoding == "big5" else LINES
    (tmp_path / "a.txt").write_bytes("\n".join(lines).encode(encoding))
    assert texts(tmp_path) == lines


def test_named_encoding_is_used(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("票".encode("gb18030"))
    assert texts(tmp_path, encoding="gb18030") == ["票"]


def test_utf16_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("我要买票".encode("utf-16"))
    with pytest.raises(UnreadableSource, match=r"'a\.txt': it is UTF-16"):
        texts(tmp_path)


def test_markdown_leaves_out_front_matter_and_code(tmp_path: Path) -> None:
    text = "---\ntitle: x\n---\n正文\n```python\n代码 = 1\n```\n~~~\n``` 还是代码\n~~~\n结尾\n"
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    log = ReadLog()
    assert [row[2] for row in rows(tmp_path, log)] == ["正文", "结尾"]
    assert log.counts == {"code": 9}


def test_csv_keeps_quoted_line_ends_and_tsv_keeps_quotes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text\n"你好,\n世界"\n', encoding="utf-8")
    (tmp_path / "b.tsv").write_text('text\n"你好\n', encoding="utf-8")
    assert texts(tmp_path) == ["你好,\n世界", '"你好']


BAD: dict[str, tuple[str, bytes, str]] = {
    "broken gzip": ("a.txt.gz", gzip.compress(b"abc" * 9999)[:-30], "a.txt.gz.*damaged or cut off"),
    "no gzip": ("a.txt.gz", b"plain text", "a.txt.gz.*Not a gzipped file"),
    "gzip with wrong bytes": (
        "a.txt.gz",
        gzip.compress(bytes(range(256)) * 99)[:60] + b"\xff" * 99,
        "a.txt.gz",
    ),
    "broken xz": ("a.txt.xz", lzma.compress(b"abc" * 9999)[:-20], "a.txt.xz.*damaged or cut off"),
    "broken zst": ("a.txt.zst", zst(b"abc" * 9999)[:-6], "a.txt.zst.*damaged or cut off"),
    "invalid bytes": (
        "a.txt",
        "你好，世界\n".encode() * 5 + b"\xff\n",
        r"line 6 is not utf-8 at byte 80 \(0xff\)",
    ),
    "csv without the column": ("a.csv", b"id,body\n1,x\n", "no column 'text', it has 'id', 'body'"),
    "csv with a short row": ("a.csv", b"id,text\n1,x\n2\n", "line 3 has 1 columns"),
    "empty csv": ("a.csv", b"", "no column 'text', it has nothing"),
    "jsonl without the key": (
        "a.jsonl",
        b'{"text": "x"}\n{"body": "x"}\n',
        "line 2 .*'text'.*'body'",
    ),
    "jsonl that is no json": ("a.jsonl", b"{\n", "line 1 is not JSON"),
    "jsonl of numbers": ("a.jsonl", b"3\n", "it is a int"),
    "cut parquet": ("a.parquet", b"PAR1 and no more", "a.parquet"),
}


@pytest.mark.parametrize(("name", "data", "message"), BAD.values(), ids=BAD)
def test_unreadable_file_is_an_error_with_name_and_position(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableSource, match=message):
        texts(tmp_path)


def test_parquet_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(UnreadableSource, match="no column 'text', it has 'body', 'n'"):
        texts(tmp_path)
    with pytest.raises(UnreadableSource, match="column 'n' holds int64, not text"):
        texts(tmp_path, text_column="n")


def test_row_without_text_is_an_error_or_counted(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["你好", None, "再见"]}), tmp_path / "a.parquet")
    with pytest.raises(UnreadableSource, match="row 2 has no text"):
        texts(tmp_path)
    log = ReadLog(skip=True)
    assert rows(tmp_path, log) == [(0, 0, "你好"), (2, 0, "再见")]
    assert log.counts == {"unreadable_row": 1}


def test_skipping_leaves_out_bad_lines_only(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("你好世界\n".encode() * 5 + b"\xff\xfe\n" + "再见\n".encode())
    log = ReadLog(skip=True)
    assert [text for _, _, text in rows(tmp_path, log)] == ["你好世界"] * 5 + ["再见"]
    assert log.counts == {"unreadable_row": 1}
    assert "line 6 is not utf-8 at byte 65" in log.messages[0]


def test_skipping_leaves_out_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n", encoding="utf-8")
    (tmp_path / "b.parquet").write_bytes(b"nothing")
    (tmp_path / "c.txt").write_text("你好", encoding="utf-8")
    options = CorpusOptions(skip_unreadable=True)
    plan = plan_units(find_sources([tmp_path], options), options)
    assert [name for name, _ in plan.skipped] == ["b.parquet"]
    assert [unit.name for unit in plan.units] == ["a-000", "c-000"]


def test_long_line_is_cut_at_sentences_in_bounded_memory(tmp_path: Path) -> None:
    sentence = "我要买票去西安。"
    (tmp_path / "a.txt").write_text(sentence * 600_000 + "\n结尾\n", encoding="utf-8")  # 14 MB
    log = ReadLog()
    found = rows(tmp_path, log, max_line_chars=100_000)
    assert "".join(text for at, _, text in found if at == 0) == sentence * 600_000
    assert all(len(text) <= 100_000 and text.endswith("。") for at, _, text in found if at == 0)
    assert [piece for _, piece, _ in found[:-1]] == list(range(len(found) - 1))
    assert found[-1] == (1, 0, "结尾")
    assert log.n_lines_cut == 1


def test_long_line_without_borders_is_cut_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("票" * 25_000, encoding="utf-8")
    assert [len(text) for text in texts(tmp_path, max_line_chars=10_000)] == [10_000, 10_000, 5_000]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_long_row_of_a_table_is_unreadable(tmp_path: Path, name: str) -> None:
    head = "" if name.endswith("jsonl") else "text\n"
    last = '{"text": "好"}' if name.endswith("jsonl") else "好"
    (tmp_path / name).write_text(head + "x" * 2_000_000 + f"\n{last}\n", encoding="utf-8")
    with pytest.raises(UnreadableSource, match="is longer than 1000 characters"):
        texts(tmp_path, max_line_chars=1000)
    assert texts(tmp_path, max_line_chars=1000, skip_unreadable=True) == ["好"]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet"])
def test_units_together_are_the_whole_file(tmp_path: Path, name: str) -> None:
    lines = [f"第{at}行，我要买票。" for at in range(3_000)]
    if name.endswith("parquet"):
        pq.write_table(pa.table({"text": lines}), tmp_path / name, row_group_size=100)
    else:
        made = [json.dumps({"text": x}) for x in lines] if name.endswith("jsonl") else lines
        (tmp_path / name).write_text("\ufeff" + "\n".join(made) + "\n", encoding="utf-8")
        if name.endswith("jsonl"):
            (tmp_path / name).write_text("\n".join(made), encoding="utf-8")
    options = CorpusOptions(unit_bytes=4096)
    plan = plan_units(find_sources([tmp_path], options), options)
    assert len(plan.units) > 5
    found = [row for unit in plan.units for row in read_part(unit.parts[0], options, ReadLog())]
    assert found == [(at, 0, line) for at, line in enumerate(lines)]


def test_sources_have_domain_licence_and_unique_names(tmp_path: Path) -> None:
    for name in ("news__a.txt", "x/b.txt", "y/b.txt", ".hidden.txt", "z.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("你好", encoding="utf-8")
    (tmp_path / "MANIFEST.tsv").write_text("file\tlicence\nnews__a.txt\tMIT\n", encoding="utf-8")
    found = find_sources([tmp_path], CorpusOptions(domain="chat", licence="CC0"))
    assert [(s.name, s.domain, s.licence) for s in found] == [
        ("news__a", "news", "MIT"),
        ("x.b.txt", "chat", "CC0"),
        ("y.b.txt", "chat", "CC0"),
    ]


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="empty corpus: nothing to read"):
        find_sources([tmp_path], CorpusOptions())
    with pytest.raises(CorpusError, match="no such file or folder"):
        find_sources([tmp_path / "none"], CorpusOptions())
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(CorpusError, match=r"cannot tell the kind of 'a\.pdf'"):
        find_sources([tmp_path / "a.pdf"], CorpusOptions())
