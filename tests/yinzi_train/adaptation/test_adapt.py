"""From a user's texts to an artifact, on the tiny artifact."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import yinzi
from tests.yinzi.tiny_lexicon import TINY
from yinzi.errors import ArtifactError, ConfigError
from yinzi.language_model import AdaptedLanguageModel
from yinzi_train.adaptation import adapt as adapt_module
from yinzi_train.adaptation.adapt import AdaptationRefused, adapt
from yinzi_train.adaptation.new_words import NewWordOptions
from yinzi_train.adaptation.options import AdaptationOptions
from yinzi_train.adaptation.place import artifact_place, work_folder

OPTIONS = AdaptationOptions(new_words=NewWordOptions(min_count=5, min_cohesion=0.5, min_entropy=0))


@pytest.fixture(scope="module")
def adapted(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home") / "artifacts" / "clinic"
    adapt([texts], place, created="2025-01-01", base=TINY, options=OPTIONS, forces=True)
    return place


def test_adapted_artifact_loads_by_name(adapted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZI_HOME", str(adapted.parent.parent))
    converter = yinzi.load("clinic")
    assert isinstance(converter.decoder.language_model, AdaptedLanguageModel)
    assert converter.artifact.manifest.name == "clinic"
    assert "report" in converter.artifact.manifest.training["adaptation"]


def test_reader_of_the_format_before_refuses_it(
    adapted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert yinzi.load(adapted).artifact.manifest.format_version == 2
    monkeypatch.setattr("yinzi.artifact.manifest.FORMAT_VERSION", 1)
    with pytest.raises(ArtifactError, match="format version 2 was written by a later yinzi"):
        yinzi.load(adapted)


def test_unknown_name_lists_own_artifacts_but_no_leftovers(
    adapted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YINZI_HOME", str(adapted.parent.parent))
    left_over = adapted.with_name(".clinic.adapting-1")
    shutil.copytree(adapted, left_over)
    with pytest.raises(ArtifactError, match="'clinic'") as caught:
        yinzi.load("clinnic")
    assert "adapting" not in str(caught.value)
    shutil.rmtree(left_over)


def test_search_letter_by_letter_gives_what_the_whole_line_gives(adapted: Path) -> None:
    converter = yinzi.load(adapted)
    typing = converter.type_keys()
    line = "woyaomaipiao"
    for end in range(1, len(line) + 1):
        grown = typing.update(line[:end])
    assert grown == converter.candidates(line)


def test_truncated_domain_model_is_told(adapted: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(adapted, damaged)
    cells = damaged / "domain" / "bigram_cells.npy"
    cells.write_bytes(cells.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match=r"domain/bigram_cells.npy.*truncated"):
        yinzi.load(damaged)


def test_adapted_artifact_is_not_adapted_again(adapted: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="adapted already"):
        adapt([texts], tmp_path / "again", created="2025-01-01", base=adapted)


def test_harm_is_refused_and_nothing_is_written(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "yinzi_train.adaptation.comparison.AdaptationReport.objections",
        lambda self, max_loss: ["it got worse"],
    )
    with pytest.raises(AdaptationRefused, match="--force") as caught:
        adapt([texts], tmp_path / "clinic", created="2025-01-01", base=TINY, options=OPTIONS)
    assert caught.value.report.held_out.n_rows > 0
    assert list(tmp_path.iterdir()) == []


def test_stopped_run_leaves_nothing(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **others: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(adapt_module, "_store_report", stop)
    with pytest.raises(KeyboardInterrupt):
        adapt([texts], tmp_path / "clinic", created="2025-01-01", base=TINY, forces=True)
    assert list(tmp_path.iterdir()) == []


def test_left_overs_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".clinic.adapting-999999999").mkdir()
    with work_folder(tmp_path / "clinic") as work:
        assert list(tmp_path.iterdir()) == [work]


def test_few_sentences_are_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text(
        "\n".join(f"我要买第{n}张票。" for n in "一二三四五六七八九十"), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"10 different sentences.*at least 100.*2,000"):
        adapt([path], tmp_path / "clinic", created="2025-01-01", base=TINY)


def test_text_without_hanzi_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "english.txt"
    path.write_text("\n".join(f"line {n}" for n in range(200)), encoding="utf-8")
    with pytest.raises(ConfigError, match="0 different sentences with hanzi"):
        adapt([path], tmp_path / "clinic", created="2025-01-01", base=TINY)


@pytest.mark.parametrize("name", ["", "my/clinic", ".clinic", "诊所", "../clinic"])
def test_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        artifact_place(name, tmp_path, replaces=False)


def test_taken_name_is_refused_unless_replaced(adapted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--replace"):
        artifact_place("clinic", adapted.parent, replaces=False)
    assert artifact_place("clinic", adapted.parent, replaces=True) == adapted
    (tmp_path / "notes").mkdir()
    with pytest.raises(ConfigError, match="no artifact"):
        artifact_place("notes", tmp_path, replaces=True)
    with pytest.raises(ConfigError, match="ships with yinzi"):
        artifact_place("base", None, replaces=True)
