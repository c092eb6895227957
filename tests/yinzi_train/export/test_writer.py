from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yinzi.artifact import Artifact, Manifest, Source
from yinzi.errors import ArtifactError, ConfigError
from yinzi_train.export import update_manifest, write_artifact


def write(folder: Path, components: dict[str, Any] | None = None) -> Manifest:
    return write_artifact(
        folder,
        name="tiny",
        version="1",
        created="2025-01-01",
        components=components or {"lexicon": {"words": np.arange(3)}},
        parameters={"a": 1},
        sources=[Source("文.txt", "s", "MIT")],
    )


def test_write_reads_back_equal(tmp_path: Path) -> None:
    manifest = write(tmp_path / "deep/tiny")
    assert Artifact.open(tmp_path / "deep/tiny").manifest == manifest


def test_write_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*")]
    assert len(files) == 2
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_write_copies_arrays_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    np.save(tmp_path / "built/words.npy", np.arange(4))
    (tmp_path / "built/log.txt").write_text("x")
    manifest = write(tmp_path / "tiny", {"lexicon": tmp_path / "built"})
    assert list(manifest.files) == ["lexicon/words.npy"]


def test_write_replaces_an_artifact_and_leaves_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "tiny")
    write(tmp_path / "tiny", {"other": {"numbers": np.arange(2)}})
    assert list(Artifact.open(tmp_path / "tiny").manifest.files) == ["other/numbers.npy"]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_failed_write_keeps_the_old_artifact(tmp_path: Path) -> None:
    manifest = write(tmp_path / "tiny")
    with pytest.raises(ConfigError, match="holds Python objects"):
        write(tmp_path / "tiny", {"lexicon": {"words": np.array(["a", {}], dtype=object)}})
    assert Artifact.open(tmp_path / "tiny").manifest == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_write_refuses_an_empty_component(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="component 'lexicon' is empty"):
        write(tmp_path / "tiny", {"lexicon": {}})
    assert not any(tmp_path.iterdir())


def test_write_refuses_a_folder_that_is_no_artifact(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/thesis.txt").write_text("x")
    with pytest.raises(ArtifactError, match="is no artifact"):
        write(tmp_path / "thesis")
    assert (tmp_path / "thesis/thesis.txt").exists()


def test_update_replaces_given_sections_only(tmp_path: Path) -> None:
    write(tmp_path / "tiny")
    manifest = update_manifest(tmp_path / "tiny", metrics={"hsk": {"ca": 0.5}})
    assert manifest.metrics == {"hsk": {"ca": 0.5}}
    assert manifest.parameters == {"a": 1}
    assert Artifact.open(tmp_path / "tiny").manifest == manifest
