"""Type as speakers of regional accents do: fuzzy pairs of initials and finals (n/l, zh/z, an/ang).

Rules are rows of `accent_rules.tsv`, by the parts of a syllable, so that h/f knows the glide
(huang/fang, hui/fei) and an/ang reaches ian/iang and uan/uang. `accent_profiles.tsv` says how
likely a typist of a profile is to follow each rule, in which direction. One rule changes the
initial and one the final at most; what is no syllable of the inventory is not typed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.pinyin.inventory import ROWS
from yinzi_train.dataset.augmentation_draws import Purpose, check_rate, pick, uniforms
from yinzi_train.dataset.augmentation_rows import SYLLABLE_LENGTHS, InputKind, TypedRows

__all__ = [
    "PROFILES",
    "AccentOptions",
    "AccentTable",
    "accent_table",
    "apply_accents",
    "read_profile_rules",
]

PROFILES: Final = ("southwest", "wu", "min", "cantonese")
"""Accent profiles, as `accent_profiles.tsv` names them."""

_BY_PARTS = {(row.initial, row.final): index for index, row in enumerate(ROWS)}
_ANY = "*"


@dataclass(frozen=True)
class AccentOptions:
    """How often rows are typed with an accent.

    Attributes:
        rate: share of rows, 0 to 1. A row has one typist, so one profile.
        profiles: weight ≥ 0 of each profile among these rows.
        strength: factor on the probabilities of the profiles, 0 to 2; they end at 1.
    """

    rate: float = 0.15
    profiles: Mapping[str, float] = field(
        default_factory=lambda: {"southwest": 0.4, "wu": 0.2, "min": 0.2, "cantonese": 0.2}
    )
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_rate("accents.rate", self.rate)
        check_rate("accents.strength", self.strength, upper=2.0)
        for name, weight in self.profiles.items():
            if name not in PROFILES:
                raise ConfigError(
                    f"unknown key accents.profiles.{name}: expected {', '.join(PROFILES)}"
                )
            check_rate(f"accents.profiles.{name}", weight, upper=1e6)
        if self.rate and not any(self.profiles.values()):
            raise ConfigError(
                "accents.profiles gives no profile a weight above 0: add one, or set accents.rate 0"
            )


@dataclass(frozen=True)
class AccentTable:
    """What a typist of one profile types for each syllable.

    Attributes:
        outcomes: int16 [n_syllables, n_outcomes], syllable typed instead.
        cumulative: float64 [n_syllables, n_outcomes], probability of this outcome or one before it;
            draws behind the last change nothing.
    """

    outcomes: NDArray[np.int16]
    cumulative: NDArray[np.float64]


@lru_cache(maxsize=1)
def _read_rules() -> dict[str, tuple[str, dict[int, int]]]:
    """Return each rule's stage and its syllables: id to id, legal ones only."""
    rules: dict[str, tuple[str, dict[int, int]]] = {}
    for row in _read_rows("accent_rules.tsv"):
        stage, changes = rules.setdefault(row["rule"], (row["stage"], {}))
        assert stage == row["stage"], row
        for index, syllable in enumerate(ROWS):
            if row["initial"] not in (_ANY, syllable.initial):
                continue
            if row["final"] not in (_ANY, syllable.final):
                continue
            initial = syllable.initial if row["to_initial"] == _ANY else row["to_initial"]
            final = syllable.final if row["to_final"] == _ANY else row["to_final"]
            if (initial, final) in _BY_PARTS:
                changes[index] = _BY_PARTS[initial, final]
    return rules


def _read_rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_profile_rules(profile: str) -> dict[str, float]:
    """Return the probability of each rule that a profile follows.

    >>> read_profile_rules("min")["f>h"]
    0.25

    Raises:
        ConfigError: there is no such profile.
    """
    if profile not in PROFILES:
        raise ConfigError(f"unknown accent profile {profile!r}: expected {', '.join(PROFILES)}")
    return {
        row["rule"]: float(row["probability"])
        for row in _read_rows("accent_profiles.tsv")
        if row["profile"] == profile
    }


@lru_cache(maxsize=32)
def accent_table(profile: str, *, strength: float = 1.0) -> AccentTable:
    """Work out what a profile types for every syllable.

    >>> from yinzi.pinyin import SYLLABLES, syllable_id
    >>> table = accent_table("southwest")
    >>> [SYLLABLES[index] for index in table.outcomes[syllable_id("neng")]]
    ['len', 'leng', 'nen']
    """
    rules = _read_rules()
    probabilities = {
        rule: min(1.0, probability * strength)
        for rule, probability in read_profile_rules(profile).items()
    }
    spread: list[dict[int, float]] = []
    for index in range(len(ROWS)):
        outcomes = {index: 1.0}
        for stage in ("initial", "final"):
            changed: dict[int, float] = {}
            for syllable, share in outcomes.items():
                left = 1.0
                for rule, probability in probabilities.items():
                    if rules[rule][0] == stage and syllable in rules[rule][1]:
                        target = rules[rule][1][syllable]
                        taken = min(left, probability)
                        changed[target] = changed.get(target, 0.0) + share * taken
                        left -= taken
                changed[syllable] = changed.get(syllable, 0.0) + share * left
            outcomes = changed
        outcomes.pop(index)
        spread.append({key: value for key, value in sorted(outcomes.items()) if value > 0})
    width = max(1, *map(len, spread))
    own = np.arange(len(ROWS), dtype=np.int16)
    table = np.repeat(own[:, None], width, axis=1)
    cumulative = np.zeros((len(ROWS), width))
    for index, outcomes in enumerate(spread):
        table[index, : len(outcomes)] = list(outcomes)
        cumulative[index] = sum(outcomes.values())
        cumulative[index, : len(outcomes)] = np.cumsum(list(outcomes.values()))
    return AccentTable(table, cumulative)


def apply_accents(rows: TypedRows, options: AccentOptions) -> TypedRows:
    """Let some rows be typed by a person with an accent.

    Only syllables that are still in full are changed: run it before abbreviation.
    """
    if not options.rate:
        return rows
    accented = np.flatnonzero(uniforms(rows.keys, Purpose.ACCENT_ROW) < options.rate)
    if not len(accented):
        return rows
    names = [name for name in PROFILES if options.profiles.get(name)]
    weights = [options.profiles[name] for name in names]
    chosen = pick(uniforms(rows.keys[accented], Purpose.ACCENT_PROFILE), weights)
    profile_of = np.full(rows.n_rows, -1, dtype=np.int8)
    profile_of[accented] = chosen
    places = np.flatnonzero((profile_of[rows.row_of] >= 0) & (rows.kinds == InputKind.FULL))
    typed = rows.typed_syllables.copy()
    draws = uniforms(
        rows.keys[rows.row_of[places]], Purpose.ACCENT_SYLLABLE, rows.positions[places]
    )
    for number, name in enumerate(names):
        table = accent_table(name, strength=options.strength)
        mine = profile_of[rows.row_of[places]] == number
        at, draw = places[mine], draws[mine]
        cumulative = table.cumulative[typed[at]]  # [n, n_outcomes]
        outcome = (draw[:, None] >= cumulative).sum(axis=1)
        is_changed = outcome < cumulative.shape[1]
        at, outcome = at[is_changed], outcome[is_changed]
        typed[at] = table.outcomes[typed[at], outcome]
    return replace(
        rows,
        typed_syllables=typed,
        n_letters=SYLLABLE_LENGTHS[typed],
        profiles={int(row): names[int(i)] for row, i in zip(accented, chosen, strict=True)},
    )
