"""The program with the tiny artifact, in a process of its own: what comes in is hostile."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.yinzi.tiny_lexicon import TINY


def run(
    *arguments: str, stdin: bytes = b"", artifact: Path | str = TINY
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "yinzi.cli", *arguments, "--artifact", str(artifact)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


LINES = {
    "empty": (b"", b""),
    "blanks": (b" \t ", b""),
    "no_pinyin": (b"vvvv", b"vvvv"),
    "emoji": ("😀nihao".encode(), "😀你好".encode()),
    "hanzi": ("我是".encode(), "我是".encode()),
    "nul": (b"ni\0hao", "你\0好".encode()),
    "mixed_scripts": ("нni ｎｉ ا".encode(), "н你ｎｉ ا".encode()),
    "windows_line_end": (b"nihao\r", "你好".encode()),
    "lone_carriage_return": (b"ni\rhao", "你 好".encode()),
    "tab": (b"OK\tOK", b"OK OK"),
}


def test_convert_answers_every_hostile_line_with_one_line() -> None:
    stdin = b"\n".join(line for line, _ in LINES.values()) + b"\n"
    ended = run("convert", "--plain", stdin=stdin)
    assert ended.returncode == 0
    assert ended.stderr == b""
    assert ended.stdout.split(b"\n") == [*(text for _, text in LINES.values()), b""]


def test_convert_answers_ten_thousand_letters() -> None:
    ended = run("convert", "--plain", "--n-best", "5", stdin=b"n" * 10_000 + b"\nnihao")
    assert ended.returncode == 0
    assert len(ended.stdout.split(b"\t")[0].decode()) == 10_000
    assert ended.stdout.count(b"\n") == 2


def test_convert_tells_bytes_that_are_not_utf8() -> None:
    ended = run("convert", "--plain", stdin=b"nihao\nni\xff\xfehao\n")
    assert ended.returncode == 1
    assert ended.stdout.decode() == "你好\n"
    assert b"stdin line 2 is not UTF-8" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_convert_json_keeps_nul_and_line_structure() -> None:
    ended = run("convert", "--json", stdin="ni\0hao 😀\n".encode())
    (line,) = ended.stdout.decode().splitlines()
    assert json.loads(line)["candidates"][0]["text"] == "你\0好😀"


def truncate(folder: Path) -> None:
    path = folder / "lexicon/word_hanzi.npy"
    path.write_bytes(path.read_bytes()[:-1])


def edit(folder: Path) -> None:
    path = folder / "language_model/trigram_cells.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def raise_version(folder: Path) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["format_version"] = 3
    path.write_text(json.dumps(raw), encoding="utf-8")


def remove_file(folder: Path) -> None:
    (folder / "lexicon/hanzi.npy").unlink()


DAMAGES = {
    "truncated": (truncate, "word_hanzi.npy has", "the file is truncated"),
    "edited": (edit, "trigram_cells.npy sha256 is", "damaged or edited"),
    "later_version": (raise_version, "format version 3", "later yinzi"),
    "missing_file": (remove_file, "hanzi.npy is missing", "fetch the artifact again"),
    "missing_folder": (shutil.rmtree, "no artifact folder", "the path does not exist"),
}


@pytest.mark.parametrize("command", ["convert", "annotate"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_artifact_is_one_message(tmp_path: Path, damage: tuple, command: str) -> None:
    change, *messages = damage
    folder = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    change(folder)
    ended = run(command, "nihao", artifact=folder)
    assert ended.returncode == 1
    assert ended.stdout == b""
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith("yinzi: error: ")
    assert all(message in line for message in messages), line
