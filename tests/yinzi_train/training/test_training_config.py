from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.yinzi_train.training.training_samples import ROOT
from yinzi.errors import ConfigError
from yinzi_train.model import ConversionConfig
from yinzi_train.model.families import FAMILIES
from yinzi_train.training.config import SCHEDULES, TrainingConfig, read_training_config
from yinzi_train.training.learning_rate import learning_rate_share


@pytest.mark.parametrize("family", ["encoder", "lstm", "gru", "transformer"])
def test_published_config_holds_the_defaults(family: str) -> None:
    found = read_training_config(ROOT / "configs" / f"{family}.toml")
    assert found.family == family
    expected = TrainingConfig().to_dict()
    assert {**found.to_dict(), "model": 0} == {**expected, "model": 0}
    kind = FAMILIES[family]
    default = kind.config_class(**kind.fixed)
    differing = {name for name, value in found.sizes.items() if value != plain(default, name)}
    assert differing == ({"attention"} if family == "gru" else set())


def plain(config: ConversionConfig, name: str) -> Any:
    """Return a setting as TOML gives it."""
    value = getattr(config, name)
    return list(value) if isinstance(value, tuple) else value


def test_key_that_is_not_given_keeps_the_published_value(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[augmentation.tones]\nrate = 1\n[balance]\ntemperature = 2\n")
    found = read_training_config(path, overrides=["balance.domain_factors={ chat = 2 }"])
    assert found.augmentation.tones.rate == 1
    assert found.augmentation.accents.rate == 0
    assert found.augmentation.abbreviations.mixed_rate == 0.08
    assert (found.balance.temperature, found.balance.exponent) == (2, 0.25)
    assert found.balance.domain_factors == {"chat": 2}
    assert found.collator_options.augmentation == found.augmentation


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainings.max_steps=2", "unknown key 'trainings': did you mean 'training'"),
        ("training.max_step=2", r"unknown key 'training.max_step': did you mean"),
        ("training.max_steps=x", r"training.max_steps is 'x', expected whole number"),
        ("training.max_steps=0", r"\[training\]: max_steps is 0: expected 1 or more"),
        ("training.max_steps=1000", r"warmup_steps and decay_steps are 3300 of max_steps 1000"),
        ("training.schedule=flat", r"schedule is 'flat': expected one of warmup_stable_decay"),
        ("training.ema_decay=1", r"ema_decay is 1.0: expected 0 up to, not with, 1"),
        ("training.learning_rate=nan", r"learning_rate is nan: expected above 0"),
        ("training.ngram_learning_rate=0", r"ngram_learning_rate is 0.0: expected above 0"),
        ("training.patience=2", r"patience is 2 without evaluations: set eval_steps"),
        ("vocabulary.min_pair_count=0", r"\[vocabulary\]: min_pair_count is 0"),
        ("sampling.rank=1", r"unknown key 'sampling.rank'"),
        ("collator.augmentation.tones.rate=1", r"set \[augmentation\] instead"),
        ("collator.context_rate=2", r"collator.context_rate is 2"),
        ("augmentation.tone.rate=1", r"unknown key 'augmentation.tone'"),
        ("balance.exponent=2", r"balance.exponent is 2"),
        ("evaluation.beam_width=1", r"beam_width is 1: expected at least 5"),
        ("model.family=3", r"model.family is 3, expected text in quotes"),
        ("model", r"expected section.key=value, as training.max_steps=20_000"),
    ],
)
def test_wrong_settings_are_told(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_training_config(overrides=[override])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rate_rises_and_falls(schedule: str) -> None:
    options = read_training_config(
        overrides=[
            *(f"training.schedule={schedule}", "training.max_steps=100"),
            *("training.warmup_steps=10", "training.decay_steps=20"),
        ]
    ).training
    shares = [learning_rate_share(step, options) for step in range(101)]
    assert shares[0] == pytest.approx(0.05)
    assert shares[10] == max(shares) == 1
    assert shares[100] == min(shares[10:]) == pytest.approx(0.05)
    falls = [step for step in range(11, 101) if shares[step] < shares[step - 1]]
    if schedule == "cosine_restarts":
        assert [step for step in range(11, 101) if step not in falls] == [40, 70]
        assert shares[40] == shares[70] == pytest.approx(1)
    else:
        assert falls == list(range(81 if schedule == "warmup_stable_decay" else 11, 101))
    assert learning_rate_share(1000, options) == pytest.approx(0.05)


def test_schedule_is_that_of_transformers() -> None:
    import torch
    from transformers.optimization import get_wsd_schedule

    options = read_training_config(
        overrides=["training.max_steps=50", "training.warmup_steps=7", "training.decay_steps=20"]
    ).training
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_wsd_schedule(
        optimizer, 7, 20, num_training_steps=50, min_lr_ratio=options.min_learning_rate
    )
    expected = []
    for _ in range(50):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    found = [learning_rate_share(step, options) for step in range(50)]
    assert found == pytest.approx(expected)
