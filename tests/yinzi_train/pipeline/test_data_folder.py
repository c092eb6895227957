from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from yinzi.errors import ConfigError
from yinzi_train.pipeline.data_folder import DataFolder


def edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def test_corpora_are_listed_with_their_licences(data_path: Path) -> None:
    corpora = DataFolder(data_path).corpora()
    assert [corpus.shard for corpus in corpora] == [
        "chat__short",
        "chat__talk",
        "law__rules",
        "news__lines",
    ]
    assert (corpora[0].source, corpora[0].licence) == (
        "github:someone/texts v1",
        "[open] CC BY 4.0",
    )


def test_word_lists_say_what_they_are_used_for(data_path: Path) -> None:
    uses = {part.path.name: part.use for part in DataFolder(data_path).word_lists()}
    assert uses["phrase-pinyin_pinyin.txt.xz"] == "words, readings of words"
    assert uses["pinyin-data_pinyin.txt.xz"] == "readings of hanzi"
    assert "unused.txt.xz" not in uses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("licence", "terms"), "no column 'licence'"),
        (lambda text: "", "no column 'file'"),
        (lambda text: text + "a.txt\tx\n", "line 6: 2 columns, expected 8"),
        (lambda text: text + text.splitlines()[1] + "\n", "line 6: 'chat__talk.txt.xz' is listed"),
        (lambda text: text.replace("chat__talk", "../chat__talk"), "expected a file name"),
        (lambda text: text.replace("[open] MIT", " "), "licence of 'law__rules.txt.xz' is empty"),
        (lambda text: text.replace("law__rules", "law__gone"), "'law__gone.txt.xz' in corpora/MAN"),
        (lambda text: text.splitlines()[0], "'chat__short.txt.xz', .* not in its MANIFEST.tsv"),
    ],
    ids=["column", "empty", "short", "twice", "path", "no licence", "no file", "unlisted"],
)
def test_bad_manifest_is_named(data_path: Path, change: Callable[[str], str], message: str) -> None:
    edit(data_path / "corpora" / "MANIFEST.tsv", change)
    with pytest.raises(ConfigError, match=message):
        DataFolder(data_path).corpora()


def test_missing_manifest_says_what_the_folder_should_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data names the folder with corpora/ and lexicons/"):
        DataFolder(tmp_path).corpora()


def test_manifest_that_is_not_utf8_is_named(data_path: Path) -> None:
    (data_path / "corpora" / "MANIFEST.tsv").write_bytes("file\t来源".encode("gbk"))
    with pytest.raises(ConfigError, match=r"corpora/MANIFEST\.tsv is not UTF-8 at byte 5"):
        DataFolder(data_path).corpora()


def test_missing_word_list_is_named(data_path: Path) -> None:
    (data_path / "lexicons" / "jieba_dict.txt.xz").unlink()
    with pytest.raises(ConfigError, match=r"no lexicon source 'jieba_dict\.txt\.xz'"):
        DataFolder(data_path).word_lists()


def test_word_list_without_open_licence_may_not_ship(data_path: Path) -> None:
    manifest = data_path / "lexicons" / "MANIFEST.tsv"
    edit(manifest, lambda text: text.replace("[open] MIT", "[unstated] unstated", 1))
    with pytest.raises(ConfigError, match="its words would ship"):
        DataFolder(data_path).word_lists()
    edit(manifest, lambda text: "\n".join(text.splitlines()[:1]))
    with pytest.raises(ConfigError, match="no row for"):
        DataFolder(data_path).word_lists()
