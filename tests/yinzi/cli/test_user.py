from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import yinzi as package
from yinzi.cli import loading
from yinzi.converter import Converter

Yinzi = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def tiny(yinzi: Yinzi, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yinzi:
    """Return the program with the tiny artifact and a data folder of its own."""

    def load_tiny(artifact: str, *, no_encoder: bool = False) -> Converter:
        return package.load(tiny_folder, uses_encoder=not no_encoder)

    monkeypatch.setattr(loading, "load_converter", load_tiny)
    monkeypatch.setenv("YINZI_HOME", str(tmp_path))
    return yinzi


def test_user_path_prints_the_file(tiny: Yinzi, tmp_path: Path) -> None:
    assert tiny("user", "path") == (0, f"{tmp_path}/user.sqlite3\n", "")


def test_user_add_changes_convert_with_user_only(tiny: Yinzi) -> None:
    assert tiny("user", "add", "翻摇", "fan yao")[1] == "翻摇\tfan yao\n"
    assert tiny("convert", "--user", "fanyao")[1] == "翻摇\n"
    assert tiny("convert", "fanyao")[1] != "翻摇\n"


def test_user_add_reads_words_by_the_lexicon(tiny: Yinzi) -> None:
    assert tiny("user", "add", "买药")[1] == "买药\tmai yao\n"
    status, _, err = tiny("user", "add", "璟药")
    assert status == 1
    assert "the reading of '璟药' is not known" in err


def test_user_list_shows_words(tiny: Yinzi, tmp_path: Path) -> None:
    assert tiny("user", "list") == (0, "", "")
    assert not (tmp_path / "user.sqlite3").exists()
    tiny("user", "add", "翻摇", "fan yao")
    tiny("user", "forget", "你好", "ni hao")
    assert tiny("user", "list")[1].splitlines() == [
        "你好\tni hao\tforgotten\t0\t0.00",
        "翻摇\tfan yao\tadded\t0\t4.00",
    ]
    row = json.loads(tiny("user", "list", "--json")[1].splitlines()[1])
    assert row["syllables"] == ["fan", "yao"]


def test_user_forget_and_restore(tiny: Yinzi) -> None:
    assert tiny("user", "forget", "你好")[0] == 0
    assert tiny("convert", "--user", "nihao")[1] != "你好\n"
    assert tiny("user", "restore", "你好")[0] == 0
    assert tiny("convert", "--user", "nihao")[1] == "你好\n"
    status, _, err = tiny("user", "restore", "你好")
    assert status == 1
    assert "is not forgotten" in err
    status, _, err = tiny("user", "forget", "你")
    assert status == 1
    assert "single hanzi stay" in err


def test_user_import_and_export(tiny: Yinzi, tmp_path: Path) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("翻摇\tfan yao\n买药\n璟药\n", encoding="utf-8")
    status, out, err = tiny("user", "import", str(words))
    assert (status, out) == (0, "3 words, 2 new, 1 left out\n")
    assert err == "1 left out: reading not known; first line 3: 璟药\n"
    assert "翻摇\tfan yao\t1\n" in tiny("user", "export")[1]
    out_path = tmp_path / "out.dict.yaml"
    assert tiny("user", "export", "--format", "rime", str(out_path))[0] == 0
    assert "翻摇\tfan yao\t100\n" in out_path.read_text(encoding="utf-8")
    assert tiny("user", "export", "--format", "scel")[0] == 1
    assert tiny("user", "export", "--format", "xls")[0] == 2


def test_user_import_tells_bad_lists(tiny: Yinzi, tmp_path: Path) -> None:
    words = tmp_path / "words.scel"
    words.write_bytes(b"nothing of the kind")
    status, _, err = tiny("user", "import", str(words))
    assert status == 1
    assert "is no .scel file" in err


def test_user_clear_asks_first(tiny: Yinzi) -> None:
    tiny("user", "add", "翻摇", "fan yao")
    assert tiny("user", "clear", stdin=b"n\n")[0] == 1
    assert tiny("user", "list")[1] != ""
    assert tiny("user", "clear", "--yes")[0] == 0
    assert tiny("user", "list")[1] == ""


def test_convert_without_a_user_lexicon_tells(tiny: Yinzi, tmp_path: Path) -> None:
    status, _, err = tiny("convert", "--user", "nihao")
    assert status == 1
    assert "no user lexicon" in err
    assert not (tmp_path / "user.sqlite3").exists()


def test_a_damaged_file_is_kept_and_told(tiny: Yinzi, tmp_path: Path) -> None:
    (tmp_path / "user.sqlite3").write_bytes(b"damaged" * 1000)
    status, _, err = tiny("user", "add", "翻摇", "fan yao")
    assert status == 0
    assert "user.sqlite3.damaged-1" in err
    assert (tmp_path / "user.sqlite3.damaged-1").read_bytes() == b"damaged" * 1000


def test_explain_shows_the_user(tiny: Yinzi) -> None:
    tiny("user", "add", "翻摇", "fan yao")
    found = json.loads(tiny("explain", "--user", "fanyao", "--json")[1])
    assert found["candidates"][0]["features"]["user"] > 0
