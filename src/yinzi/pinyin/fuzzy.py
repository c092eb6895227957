"""Read syllables as speakers mean them who do not tell some sounds apart: fuzzy pinyin.

A switch names two initials or two finals (`z-zh`, `in-ing`); a profile is a set of switches. Both
directions count: who says s for sh types `si` for shi, and, not sure which is right, `shi` for si.
They need not be equally likely. `fuzzy_switches.tsv` has the penalties, natural logarithms, and
`fuzzy_profiles.tsv` the profiles.

The source goes around those of any scheme, as it looks at syllables and not at letters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from yinzi.errors import ConfigError
from yinzi.pinyin.edges import EdgeKind, EdgeSource, GraphOptions, Proposal
from yinzi.pinyin.inventory import ROWS, SYLLABLES, prefix_range
from yinzi.pinyin.reading import Stretch
from yinzi.pinyin.scheme import InputScheme

__all__ = ["FUZZY_PROFILES", "FUZZY_SWITCHES", "FuzzyPinyin", "read_switches", "with_fuzzy"]

_IDS: Final = {(row.initial, row.final): index for index, row in enumerate(ROWS)}

_GLIDES: Final = {"a": "ua", "an": "uan", "ang": "uang", "ei": "ui", "en": "un", "o": "uo"}
_NO_GLIDES: Final = {glide: plain for plain, glide in _GLIDES.items()}


class _Rule(NamedTuple):
    """Someone who types one part of a syllable may mean another one."""

    part: str  # "initial" or "final"
    typed: str
    meant: str
    logprob: float


def _read_table(name: str) -> list[list[str]]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()[1:]]


def _read_rules() -> dict[str, tuple[_Rule, _Rule]]:
    return {
        switch: (
            _Rule(part, one, other, float(forth)),
            _Rule(part, other, one, float(back)),
        )
        for switch, part, one, other, forth, back in _read_table("fuzzy_switches.tsv")
    }


_RULES: Final = _read_rules()

FUZZY_SWITCHES: Final[tuple[str, ...]] = tuple(_RULES)
"""Names of the switches, each two parts of syllables that a speaker merges."""

FUZZY_PROFILES: Final[Mapping[str, tuple[str, ...]]] = {
    profile: tuple(switches.split(",")) if switches else ()
    for profile, switches in _read_table("fuzzy_profiles.tsv")
}
"""Sets of switches by the name of a region."""


def read_switches(text: str) -> tuple[str, ...]:
    """Return the switches that a list of switches and profiles, with commas, names.

    >>> read_switches("southern,n-l")
    ('z-zh', 'c-ch', 's-sh', 'n-l', 'an-ang', 'en-eng', 'in-ing')

    Raises:
        ConfigError: a name is unknown.
    """
    chosen: set[str] = set()
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name in FUZZY_PROFILES:
            chosen.update(FUZZY_PROFILES[name])
        else:
            _check_switch(name)
            chosen.add(name)
    return tuple(switch for switch in FUZZY_SWITCHES if switch in chosen)


def _check_switch(name: str) -> None:
    if name not in _RULES:
        raise ConfigError(
            f"unknown fuzzy switch {name!r}: expected some of {', '.join(FUZZY_SWITCHES)}, "
            f"or a profile: {', '.join(FUZZY_PROFILES)}"
        )


@dataclass(frozen=True)
class FuzzyPinyin:
    """Propose what other sources propose, and the syllables that a speaker merges with these.

    Attributes:
        inner: the sources that are listened to.
        switches: names of `FUZZY_SWITCHES`.

    Raises:
        ConfigError: a switch is unknown.
    """

    inner: tuple[EdgeSource, ...]
    switches: tuple[str, ...]

    def __post_init__(self) -> None:
        for switch in self.switches:
            _check_switch(switch)

    def __call__(self, stretch: Stretch, options: GraphOptions) -> Iterator[Proposal]:
        """Yield the edges of the inner sources, then their merged readings.

        Literals and typing errors have none.
        """
        edges = [edge for source in self.inner for edge in source(stretch, options)]
        yield from edges
        read = {edge[:4] for edge in edges}
        found: dict[tuple[int, int, int, int, int], float] = {}
        for edge in edges:
            if edge.kind not in (EdgeKind.FULL, EdgeKind.INITIAL, EdgeKind.INCOMPLETE):
                continue
            for low, high, logprob in _merged(edge.syllable_lo, edge.syllable_hi, self.switches):
                if (edge.first, edge.last, low, high) not in read:
                    key = edge.first, edge.last, low, high, edge.tone
                    found[key] = max(found.get(key, -math.inf), edge.logprob + logprob)
        for (first, last, low, high, tone), logprob in found.items():
            yield Proposal(first, last, low, high, EdgeKind.FUZZY, logprob, tone)


@lru_cache(maxsize=1 << 14)
def _merged(low: int, high: int, switches: tuple[str, ...]) -> tuple[tuple[int, int, float], ...]:
    """Return the ranges of syllables that are meant by a typed range, with their penalties."""
    rules = [rule for switch in switches for rule in _RULES[switch]]
    if high - low == 1:
        single = _merged_syllables(low, rules)
        return tuple((one, one + 1, logprob) for one, logprob in sorted(single.items()))
    prefix = _prefixes().get((low, high))
    if prefix is None:
        return ()
    found = []
    for rule in rules:
        is_typed = rule.part == "initial" and _initial(prefix) == rule.typed
        if is_typed and not rule.meant.startswith(prefix):  # what z can be holds zh already
            bounds = prefix_range(rule.meant + prefix[len(rule.typed) :])
            if bounds[0] < bounds[1]:
                found.append((*bounds, rule.logprob))
    return tuple(found)


@lru_cache(maxsize=1)
def _prefixes() -> dict[tuple[int, int], str]:
    """Return what the syllables of a range have in common, for all ranges that a prefix has."""
    prefixes = {syllable[:length] for syllable in SYLLABLES for length in range(1, len(syllable))}
    return {prefix_range(prefix): prefix for prefix in sorted(prefixes, key=len)}


def _initial(prefix: str) -> str:
    return prefix[:2] if prefix[:2] in ("zh", "ch", "sh") else prefix[:1]


def _merged_syllables(syllable: int, rules: list[_Rule]) -> dict[int, float]:
    """Return other syllables that are meant; at most one change of each part."""
    initial, final = ROWS[syllable].initial, ROWS[syllable].final
    initials = {initial: 0.0}
    finals = {final: 0.0}
    for rule in rules:
        if rule.part == "initial" and initial == rule.typed:
            initials[rule.meant] = rule.logprob
        elif rule.part == "final" and final == rule.typed:
            finals[rule.meant] = rule.logprob
    found: dict[int, float] = {}
    for one, one_logprob in initials.items():
        for other, other_logprob in finals.items():
            for spoken in _with_glide(initial, one, other):
                index = _IDS.get((one, spoken), syllable)
                if index != syllable:
                    logprob = one_logprob + other_logprob
                    found[index] = max(logprob, found.get(index, -math.inf))
    return found


def _with_glide(typed: str, meant: str, final: str) -> tuple[str, ...]:
    """Return a final as it is, and as it sounds where f and h are merged: huang is fang."""
    if (typed, meant) == ("f", "h") and final in _GLIDES:
        return final, _GLIDES[final]
    if (typed, meant) == ("h", "f") and final in _NO_GLIDES:
        return final, _NO_GLIDES[final]
    return (final,)


def with_fuzzy(scheme: InputScheme, switches: tuple[str, ...]) -> InputScheme:
    """Return a scheme that also reads the syllables which a speaker merges with those typed.

    >>> from yinzi.pinyin import FULL_PINYIN, SyllableGraph
    >>> scheme = with_fuzzy(FULL_PINYIN, ("s-sh",))
    >>> [SYLLABLES[e.syllable_lo] for e in SyllableGraph.from_text("si", scheme=scheme).edges]
    ['shi', 'si']

    Args:
        scheme: any.
        switches: names of `FUZZY_SWITCHES`; see `read_switches`. None of them gives the scheme as
            it was.

    Raises:
        ConfigError: a switch is unknown.
    """
    if not switches:
        return scheme
    source = FuzzyPinyin(scheme.sources, switches)
    return replace(scheme, name=f"{scheme.name}+fuzzy", sources=(source,))
