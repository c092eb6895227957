"""Name the edges of a syllable graph and propose them from the spelling of the letters.

A function that proposes edges for one stretch is an `EdgeSource`; the graph takes any number of
them. Here is the one for letters as they are spelled. Sources for fuzzy pinyin, typing errors or
shuangpin add a kind to `EdgeKind` and a function of the same shape, and nothing else changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import NamedTuple, Protocol

from yinzi.errors import ConfigError
from yinzi.pinyin.inventory import INITIALS, INTERJECTIONS, SYLLABLES, prefix_range
from yinzi.pinyin.letters import mark_index
from yinzi.pinyin.reading import MAX_SYLLABLE_LETTERS, Stretch

__all__ = ["Edge", "EdgeKind", "EdgeSource", "GraphOptions", "Proposal", "spelled_edges"]


class EdgeKind(IntEnum):
    """How an edge reads its letters; values are stored in arrays and never change their meaning."""

    FULL = 0
    INITIAL = 1
    INCOMPLETE = 2
    LITERAL = 3
    FUZZY = 4
    TYPO = 5


@dataclass(frozen=True)
class GraphOptions:
    """Set the penalties of a graph, all natural logarithms ≤ 0.

    Attributes:
        initial_logprob: for a syllable given by its initial only.
        incomplete_logprob: for an incomplete syllable (`zho`), and for a tone mark on the
            wrong letter.
        tail_logprob: takes the place of both where the input ends or a literal follows: the typist
            is not done. An initial gets it only if no full syllable ends there (not the n of
            `xian`).
        literal_logprob: for one letter that starts no syllable (the i of `iphone`).
        slack: edges stay that lie on a path through their stretch at most this much (≥ 0) worse
            than the best one. For this count alone, zh, ch and sh as initials cost as much as two
            initials, so that the graph keeps both readings of `zh`.
        abbreviated_slack: the slack (≥ 0) of a stretch whose best path is worse than
            `tail_logprob`. The typist abbreviates there, so the ha of `ldlha` may well be two
            syllables. (Development sets typed in initials: 4 % of the lines lose an edge that they
            need at 3, 0.1 % at 9.)
        typo_cost: what a typing error counts at most when paths are compared with the slack: which
            errors are worth a look has been decided before. (A fuzzy syllable counts as much as the
            letters do as they are spelled.)

    Raises:
        ConfigError: a value has the wrong sign or is not finite.
    """

    initial_logprob: float = -4.0
    incomplete_logprob: float = -5.0
    tail_logprob: float = -2.0
    literal_logprob: float = -30.0
    slack: float = 3.0
    abbreviated_slack: float = 9.0
    typo_cost: float = -2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_slack = field.name.endswith("slack")
            if not math.isfinite(value) or (value < 0 if is_slack else value > 0):
                expected = "a finite number ≥ 0" if is_slack else "a finite natural logarithm ≤ 0"
                raise ConfigError(f"graph option {field.name} is {value!r}; set it to {expected}")


@dataclass(frozen=True, slots=True)
class Edge:
    """One reading of a stretch of letters.

    Attributes:
        start: position in the text where it starts.
        end: position where it ends; tone digit and borders that follow are inside.
        syllable_lo: first id of the syllables it can stand for; -1 for a literal.
        syllable_hi: one past the last id; -1 for a literal.
        kind: how the letters are read.
        logprob: penalty ≤ 0, natural logarithm.
        tone: 1 to 5 as typed, 0 for any.
    """

    start: int
    end: int
    syllable_lo: int
    syllable_hi: int
    kind: EdgeKind
    logprob: float
    tone: int = 0


class Proposal(NamedTuple):
    """An edge in letters of its stretch: from letter `first` up to but without letter `last`."""

    first: int
    last: int
    syllable_lo: int
    syllable_hi: int
    kind: EdgeKind
    logprob: float
    tone: int


class EdgeSource(Protocol):
    """Propose edges for one stretch, in any order; each reading once."""

    def __call__(self, stretch: Stretch, options: GraphOptions, /) -> Iterable[Proposal]:
        """Return the proposals; logprobs are ≤ 0, and `first` < `last`."""


class _Spelling(NamedTuple):
    """What some letters can stand for; `kind` None only leads on to longer letters."""

    kind: EdgeKind | None
    syllable_lo: int
    syllable_hi: int
    mark_index: int = -1
    is_interjection: bool = False


def _spellings(syllable: str) -> Iterator[str]:
    """Yield the ways to write a toneless syllable; the inverse of `respell`."""
    yield syllable
    if syllable[0] in "jqxy" and syllable[1:2] == "u":
        yield syllable[0] + "v" + syllable[2:]
    if syllable in ("lve", "nve"):
        yield syllable[0] + "ue"


def _read_spellings() -> dict[str, _Spelling]:
    """Return all letters that spell a syllable or start one; later entries replace earlier ones."""
    spelled = [(index, letters) for index, s in enumerate(SYLLABLES) for letters in _spellings(s)]
    table: dict[str, _Spelling] = {}
    for letters in sorted(letters for _, letters in spelled if letters in INTERJECTIONS):
        for end in range(1, len(letters)):
            table[letters[:end]] = _Spelling(None, -1, -1)
    for _, letters in spelled:
        for end in range(1, len(letters) if letters not in INTERJECTIONS else 1):
            table[letters[:end]] = _Spelling(EdgeKind.INCOMPLETE, *prefix_range(letters[:end]))
    for index, letters in spelled:
        is_interjection = letters in INTERJECTIONS
        mark = mark_index(letters)
        table[letters] = _Spelling(EdgeKind.FULL, index, index + 1, mark, is_interjection)
    for letters in INITIALS:  # m and n, too: their range holds the interjection
        is_interjection = letters in INTERJECTIONS
        table[letters] = _Spelling(EdgeKind.INITIAL, *prefix_range(letters), 0, is_interjection)
    return table


_SPELLINGS = _read_spellings()
_ER = SYLLABLES.index("er")


def spelled_edges(stretch: Stretch, options: GraphOptions) -> Iterator[Proposal]:
    """Yield the edges for letters as spelled: full syllables, initials, incomplete syllables.

    m, n, ng, hm and hng without a tone cost as much as the initials that they look like; m and n
    then need no edge of their own, as the range of the initial holds them. A tone digit is only
    taken by full syllables. An r that does not start a longer stretch can also stand for er, as in
    `dianr`.

    >>> edges = spelled_edges(Stretch("he", final_tone=2), GraphOptions())
    >>> [("he"[edge.first : edge.last], edge.kind.name, edge.tone) for edge in edges]
    [('h', 'INITIAL', 0), ('he', 'FULL', 2), ('e', 'FULL', 2)]
    """
    letters, tones, n_letters = stretch.letters, stretch.tones, len(stretch.letters)
    full, initial = EdgeKind.FULL, EdgeKind.INITIAL
    initial_logprob, incomplete_logprob = options.initial_logprob, options.incomplete_logprob
    tail_logprob = options.tail_logprob if stretch.is_tail else None
    for first in range(n_letters):
        for last in range(first + 1, min(first + MAX_SYLLABLE_LETTERS, n_letters) + 1):
            spelling = _SPELLINGS.get(letters[first:last])
            if spelling is None:
                break
            kind, low, high, mark_at, is_interjection = spelling
            if kind is None:
                continue
            tone, is_misplaced = 0, False
            if tones:
                marked = [index for index in range(first, last) if tones[index]]
                if marked:
                    tone = tones[marked[0]]
                    is_misplaced = mark_at >= 0 and marked[0] != first + mark_at
                    if len(marked) > 1 or (kind is initial and not is_interjection):
                        continue
            is_last = last == n_letters
            if is_last and stretch.final_tone:
                if (
                    tone
                    or (is_interjection and first)
                    or (kind is not full and not is_interjection)
                ):
                    continue
                tone = stretch.final_tone
            if is_interjection and tone:
                yield Proposal(first, last, low, low + 1, full, 0.0, tone)
                continue
            is_tail = is_last and tail_logprob is not None
            if is_interjection and kind is full:
                logprob = initial_logprob * (last - first)
                if is_tail and tail_logprob is not None:
                    logprob += tail_logprob - initial_logprob
            elif kind is full:
                logprob = incomplete_logprob if is_misplaced else 0.0
            elif (
                is_tail
                and tail_logprob is not None
                and (kind is not initial or not _ends_full(letters))
            ):
                logprob = tail_logprob
            else:
                logprob = initial_logprob if kind is initial else incomplete_logprob
            yield Proposal(first, last, low, high, kind, logprob, tone)
            if letters[first:last] == "r" and (first or is_last):
                yield Proposal(first, last, _ER, _ER + 1, kind, logprob, tone)


def _ends_full(letters: str) -> bool:
    """Tell whether a full syllable with a vowel ends the letters."""
    for length in range(1, min(MAX_SYLLABLE_LETTERS, len(letters)) + 1):
        spelling = _SPELLINGS.get(letters[-length:])
        if spelling and spelling.kind is EdgeKind.FULL and not spelling.is_interjection:
            return True
    return False
