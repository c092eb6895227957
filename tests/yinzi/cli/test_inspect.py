from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from yinzi.artifact import Source
from yinzi_train.export import write_artifact

Yinzi = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "tiny"
    write_artifact(
        target,
        name="tiny",
        version="1.0",
        created="2025-01-01",
        components={"lexicon": {"words": np.arange(6, dtype=np.int32)}},
        parameters={"decoder": {"beam_width": 20}},
        sources=[Source("[bold].txt", "the authors", "CC BY-SA 4.0", 0.5, "counts")],
        metrics={"hsk": {"miu_accuracy@1": 0.9}},
        training={"seed": 1},
    )
    return target


def test_inspect_shows_files_licences_and_metrics(yinzi: Yinzi, folder: Path) -> None:
    status, out, err = yinzi("inspect", str(folder))
    assert (status, err) == (0, "")
    assert "tiny 1.0, 2025-01-01, format 1, 0.0 MiB in 1 files: sizes agree" in out
    for text in ("lexicon/words.npy", "152", "decoder.beam_width", "[bold].txt", "CC BY-SA 4.0"):
        assert text in out
    assert "hsk.miu_accuracy@1" in out


def test_inspect_prints_the_manifest_as_json(yinzi: Yinzi, folder: Path) -> None:
    _, out, _ = yinzi("inspect", "--json", str(folder))
    written = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert json.loads(out) == written


def test_inspect_finds_an_edited_file_with_verify_only(yinzi: Yinzi, folder: Path) -> None:
    path = folder / "lexicon/words.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert yinzi("inspect", str(folder))[0] == 0
    status, out, err = yinzi("inspect", "--verify", str(folder))
    assert (status, out) == (1, "")
    assert "words.npy sha256 is" in err


def test_inspect_tells_a_missing_artifact(yinzi: Yinzi) -> None:
    status, _, err = yinzi("inspect", "./none")
    assert status == 1
    assert err.startswith("yinzi: error: no artifact folder './none': ")
