from __future__ import annotations

from pathlib import Path

import pytest

from tests.yinzi_train.training.training_samples import ROOT
from yinzi.errors import ConfigError
from yinzi_train.pipeline.options import read_toml
from yinzi_train.training.config import read_training_config
from yinzi_train.tuning.config import StudyConfig, overrides_of, read_study
from yinzi_train.tuning.toml_text import toml_text

STUDY = '[study]\nname = "s"\n'
SEARCH = '[search."training.learning_rate"]\nlow = 1e-4\nhigh = 1e-2\n'


def read(folder: Path, text: str, **others: object) -> StudyConfig:
    path = folder / "s.toml"
    path.write_text(text, encoding="utf-8")
    return read_study(path, **others)  # type: ignore[arg-type]


def test_every_config_survives_being_written_and_read(tmp_path: Path) -> None:
    for path in sorted((ROOT / "configs").glob("*.toml")):
        if path.name not in ("encoder.toml", "transformer.toml", "gru.toml"):
            continue
        config = read_training_config(path, overrides=["balance.domain_factors={}"])
        (tmp_path / "copy.toml").write_text(toml_text(config.to_dict()), encoding="utf-8")
        assert read_training_config(tmp_path / "copy.toml") == config


def test_values_survive_being_overrides() -> None:
    values = {"a.text": 'a "b" \\ 字\n', "a.flag": False, "a.list": [1, 2.5], "a.table": {}}
    tables = read_toml(None, overrides=overrides_of(values), example="")
    assert tables == {"a": {"text": 'a "b" \\ 字\n', "flag": False, "list": [1, 2.5], "table": {}}}


def test_kinds_of_ranges_are_told_apart(tmp_path: Path) -> None:
    text = STUDY + SEARCH + '[search."model.n_layers"]\nlow = 1\nhigh = 5\nstep = 2\n'
    config = read(tmp_path, text, n_trials=3, overrides=("training.seed=4",))
    rate, layers = config.parameters
    assert not rate.is_whole
    assert layers.is_whole
    assert config.study.n_trials == 3
    assert config.fixed == {"training.seed": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SEARCH, r"no study\.name: add it"),
        (STUDY, "nothing to search"),
        (STUDY + "trials = 3\n" + SEARCH, r"unknown key 'study\.trials': did you mean"),
        ("[studie]\n" + STUDY + SEARCH, "unknown key 'studie': did you mean 'study'"),
        (STUDY + 'kind = "fusions"\n' + SEARCH, "kind is 'fusions': expected one of training"),
        (STUDY + 'sampler = "grid"\n' + SEARCH, "sampler is 'grid': expected one of tpe, random"),
        (STUDY + 'pruner = "best"\n' + SEARCH, "pruner is 'best'"),
        (STUDY + 'command = "adapt"\n' + SEARCH, "command is 'adapt'"),
        (STUDY + "n_trials = 0\n" + SEARCH, "n_trials is 0: expected 1 or more"),
        (STUDY + 'kind = "fusion"\nbase = "a.toml"\n' + SEARCH, "leave base out"),
        (STUDY + SEARCH + "hight = 3\n", r"unknown key 'training\.learning_rate\.hight'"),
        (STUDY + "[search.training.learning_rate]\nlow = 1\n", "put the dotted name into quotes"),
        (STUDY + '[search."a.b"]\nlow = 1\n', "has no high"),
        (STUDY + '[search."a.b"]\nlow = 2\nhigh = 1\n', "expected low below high"),
        (STUDY + '[search."a.b"]\nlow = "1"\nhigh = 2\n', "low is '1': expected a number"),
        (STUDY + '[search."a.b"]\nlow = 0\nhigh = 2\nlog = true\n', "needs low above 0"),
        (STUDY + '[search."a.b"]\nlow = 0\nhigh = 2\nstep = 3\n', "step is 3"),
        (STUDY + '[search."a.b"]\nchoices = [1]\n', "expected two or more"),
        (STUDY + '[search."a.b"]\nchoices = [1, 1]\n', "two or more different"),
        (STUDY + '[search."a.b"]\nchoices = [[1], [2]]\n', "expected numbers, texts"),
        (STUDY + '[search."a.b"]\nchoices = [1, 2]\nlow = 1\n', "either choices or a range"),
        (STUDY + '[search."a.b"]\nchoices = [1, 2]\ndefault = 3\n', "which is not among"),
        (STUDY + '[search."a.b"]\nlow = 1\nhigh = 5\nstep = 2\ndefault = 4\n', "in steps of 2"),
        (
            STUDY + '[search."a.b"]\nlow = 1\nhigh = 2\nwhen = { "a.c" = 1 }\n',
            r"when names 'a\.c', which is not searched before it",
        ),
        (
            STUDY
            + '[search."a.c"]\nchoices = ["x", "y"]\n'
            + '[search."a.b"]\nlow = 1\nhigh = 2\nwhen = { "a.c" = "z" }\n',
            r"when names a\.c = 'z', which is not among its choices",
        ),
        (STUDY + SEARCH + "[fixed.training]\nlearning_rate = 1e-3\n", "searched and fixed"),
        (STUDY + SEARCH + "[study]\n", "is not TOML"),
    ],
)
def test_wrong_study_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)


def test_study_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read config .*nowhere\.toml"):
        read_study(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("name", ["tune.toml", "tune-fusion.toml"])
def test_published_studies_can_be_read(name: str) -> None:
    assert read_study(ROOT / "configs" / name).parameters
