from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import yinzi_train.dataset
from tests.yinzi_train.dataset.augmentation_samples import row_of, table_of
from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, parse_syllable, syllable_id
from yinzi_train.dataset.augmentation_accents import (
    PROFILES,
    AccentOptions,
    accent_table,
    apply_accents,
    read_profile_rules,
)
from yinzi_train.dataset.augmentation_rows import TypedRows

FOLDER = Path(next(iter(yinzi_train.dataset.__path__)))
ASKED_PAIRS = ("n/l", "zh/z", "ch/c", "sh/s", "h/f", "an/ang", "en/eng", "in/ing")
INITIALS = {"n": "l", "zh": "z", "ch": "c", "sh": "s"}


def outcomes(profile: str, syllable: str) -> dict[str, float]:
    table = accent_table(profile)
    index = syllable_id(syllable)
    shares = np.diff(table.cumulative[index], prepend=0.0)
    return {
        SYLLABLES[target]: float(share)
        for target, share in zip(table.outcomes[index], shares, strict=True)
        if share > 0
    }


def test_every_asked_pair_has_a_rule_in_both_directions() -> None:
    rules = {rule for profile in PROFILES for rule in read_profile_rules(profile)}
    for pair in ASKED_PAIRS:
        one, other = pair.split("/")
        assert {f"{one}>{other}", f"{other}>{one}"} <= rules


def test_profiles_name_rules_that_exist_and_probabilities() -> None:
    with (FOLDER / "accent_rules.tsv").open(encoding="utf-8", newline="") as file:
        known = {row["rule"] for row in csv.DictReader(file, delimiter="\t")}
    with (FOLDER / "accent_profiles.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["profile"] for row in rows} == set(PROFILES)
    assert {row["rule"] for row in rows} == known
    assert all(0 < float(row["probability"]) <= 1 for row in rows)
    assert len({(row["profile"], row["rule"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_outcomes_are_other_syllables_and_a_distribution(profile: str, strength: float) -> None:
    table = accent_table(profile, strength=strength)
    shares = np.diff(table.cumulative, axis=1, prepend=0.0)
    assert (shares >= -1e-12).all()
    assert (table.cumulative <= 1 + 1e-12).all()
    own = np.arange(len(SYLLABLES))[:, None]
    assert ((shares <= 0) | (table.outcomes != own)).all()


@pytest.mark.parametrize("profile", PROFILES)
def test_outcomes_differ_by_the_named_pairs_only(profile: str) -> None:
    """Whatever is typed, an IME with all fuzzy pairs on reads it as the right syllable."""

    def blurred(syllable: str) -> tuple[str, str]:
        parts = parse_syllable(syllable)
        initial, final = INITIALS.get(parts.initial, parts.initial), parts.final
        if initial == "h" and (final.startswith("u") or final == "ong"):
            glides = {"u": "u", "uo": "o", "ui": "ei", "un": "en", "ong": "eng"}
            initial, final = "f", glides.get(final, final[1:])
        final = {"ueng": "un"}.get(final, final)
        return initial, final.removesuffix("g") if final.endswith("ng") else final

    for syllable in SYLLABLES:
        for target in outcomes(profile, syllable):
            assert blurred(target) == blurred(syllable), (syllable, target)


@pytest.mark.parametrize(
    ("profile", "syllable", "expected"),
    [
        ("southwest", "na", {"la": 0.30}),
        ("southwest", "huang", {"fang": 0.12}),
        ("southwest", "zhang", {"zang": 0.30}),
        ("min", "fei", {"hui": 0.25}),
        ("min", "xian", {"xiang": 0.12}),
        ("cantonese", "zi", {"zhi": 0.10}),
        ("southwest", "wo", {}),
        ("wu", "jin", {"jing": 0.20}),
    ],
)
def test_directions_follow_the_profile(
    profile: str, syllable: str, expected: dict[str, float]
) -> None:
    assert outcomes(profile, syllable) == pytest.approx(expected)


def test_changes_are_as_frequent_as_the_profile_says() -> None:
    table = table_of([row_of(f"t:{i}", "shi4 shi4 shi4 shi4") for i in range(3000)])
    rows = TypedRows.from_table(table, seed=2)
    typed = apply_accents(rows, AccentOptions(rate=0.5, profiles={"southwest": 1}))
    assert len(typed.profiles) / 3000 == pytest.approx(0.5, abs=0.03)
    accented = np.isin(typed.row_of, list(typed.profiles))
    changed = typed.typed_syllables == syllable_id("si")
    assert not changed[~accented].any()
    assert changed[accented].mean() == pytest.approx(0.3, abs=0.02)
    assert (typed.syllables == syllable_id("shi")).all()


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected southwest, wu, min, cantonese"):
        read_profile_rules("hakka")
