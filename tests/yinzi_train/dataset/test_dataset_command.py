from __future__ import annotations

from pathlib import Path

import pytest

from tests.yinzi_train.dataset.build_samples import load_code_labeller, write_texts
from yinzi.cli.running import run_app
from yinzi.errors import ConfigError
from yinzi_train.cli.dataset_progress import BuildProgress
from yinzi_train.cli.main import app
from yinzi_train.dataset import build, open_dataset
from yinzi_train.dataset.config import DatasetConfig, read_dataset_config

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: object) -> int:
    return run_app(app, [str(argument) for argument in arguments], name="yinzi-train")


def test_commands_build_a_dataset_stage_by_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "load_labeller", lambda lexicon, options: load_code_labeller())
    write_texts(tmp_path / "data" / "corpora", n_files=1, n_lines=60)
    config = tmp_path / "dataset.toml"
    config.write_text("[splits]\nvalidation = 0.2\n")
    out = tmp_path / "out"
    rest = ("--out", out, "--workers", 1, "--set", "splits.test=0.2")
    assert run("corpus", config, "--data", tmp_path / "data", *rest) == 0
    assert run("label", config, *rest) == 0
    assert run("dataset", config, "--data", tmp_path / "data", *rest) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == str(out)
    assert "dataset: 100% in" in printed.err
    manifest = open_dataset(out, verify=True).manifest
    assert manifest.config["splits"]["test"] == manifest.config["splits"]["validation"] == 0.2
    assert manifest.splits["test"].rows > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[split]\n", r"unknown key 'split': did you mean 'splits'"),
        ("[splits]\ntests = 1\n", r"unknown key 'splits.tests': did you mean 'splits.test'"),
        ("[splits]\ntest = 2.0\n", r"\[splits\]: test is 2.0"),
        ("[corpus]\nscript = 't2t'\n", r"script is 't2t'"),
        ("[corpus\n", "is not TOML"),
    ],
)
def test_config_that_is_wrong_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "dataset.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_dataset_config(path)


@pytest.mark.parametrize("override", ["splits", "splits=1", "splits.test.more=1", "splits.test=x"])
def test_override_that_is_wrong_is_told(tmp_path: Path, override: str) -> None:
    path = tmp_path / "dataset.toml"
    path.touch()
    with pytest.raises(ConfigError, match="splits"):
        read_dataset_config(path, overrides=[override])


def test_published_config_holds_the_defaults() -> None:
    assert read_dataset_config(ROOT / "configs" / "dataset.toml") == DatasetConfig()


def test_time_left_counts_what_was_done_now(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = BuildProgress(["corpus", "labelling", "dataset"], clock=lambda: now[0])
    with progress:
        progress.update("corpus", 100, 100)  # kept from an earlier run
        now[0] = 10.0
        progress.update("labelling", 0, 300)
        assert progress.left() == ""
        now[0] = 43.0
        progress.update("labelling", 150, 300)
    # Half of labelling took 33 s; the rest of it and the last stage need 28.5 of its 33 units.
    assert progress.left() == "about 0:57 left"
    assert "labelling: 50% in 33 s, about 0:57 left" in capsys.readouterr().err
