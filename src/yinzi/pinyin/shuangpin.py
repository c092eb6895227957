"""Read and write shuangpin: two keys a syllable, one for the initial and one for the final.

A `Layout` says which key is what and gives every syllable its codes; it is checked when made, so a
layout that leaves a syllable out, or gives two the same code without saying so, never gets into
use. `ShuangpinEdges` reads keys by a layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from yinzi.errors import ConfigError
from yinzi.pinyin.edges import EdgeKind, GraphOptions, Proposal
from yinzi.pinyin.inventory import INITIALS, INTERJECTIONS, SYLLABLES, near_syllables
from yinzi.pinyin.key_reading import TONE_DIGIT, KeyReader
from yinzi.pinyin.prefix_cover import prefix_cover
from yinzi.pinyin.reading import Stretch
from yinzi.pinyin.scheme import InputScheme
from yinzi.pinyin.syllable import Syllable

__all__ = [
    "FINALS",
    "KEYS",
    "WITHOUT_CODE",
    "Layout",
    "LayoutError",
    "ShuangpinEdges",
    "shuangpin_scheme",
]

KEYS = "abcdefghijklmnopqrstuvwxyz;,./[]-=\\"
"""What can be a key; digits are tones, apostrophes and blanks are borders."""

WITHOUT_CODE = INTERJECTIONS | {"ê"}
"""Syllables that need no code: no layout has keys for them.

m, n, ng, hm and hng are reached by the key of their initial; the hanzi of ê are read ei as well.
"""

ZERO_RULES = ("spelled", "letter")


class LayoutError(ConfigError):
    """A mistake in a layout; `where` has tables and keys, so that a file can give their lines."""

    def __init__(self, message: str, *where: tuple[str, str]) -> None:
        super().__init__(message)
        self.where = where


def _split(syllable: str) -> tuple[str, str]:
    """Return initial and final of a syllable as they are spelled; y and w are initials."""
    for initial in (syllable[:2], syllable[:1]):
        if initial in INITIALS and initial != syllable:
            return initial, syllable[len(initial) :]
    return "", syllable


_PARTS = {s: _split(s) for s in SYLLABLES if s not in WITHOUT_CODE}
_IDS = {syllable: index for index, syllable in enumerate(SYLLABLES)}

FINALS: tuple[str, ...] = tuple(sorted({final for _, final in _PARTS.values()}))
"""The finals as they are spelled behind an initial or alone."""


@dataclass(frozen=True)
class Layout:
    """Say which keys type what; letters that are named nowhere stand for themselves.

    Attributes:
        initials: keys of initials, such as ("zh", "v").
        finals: keys of finals as spelled, such as ("ang", "h"); several keys for one final are all
            read, the first is the usual one.
        zero_initial: how syllables without an initial are typed, the usual way first: a key that
            stands before the key of the final; "letter" is the first letter, then the key of the
            final (`a` is aa); "spelled" is the same, but two letters are typed as they are.
        syllables: codes of single syllables, which take the place of those by rule.
        shared: codes that stand for several syllables on purpose.

    Raises:
        ConfigError: a key is no key, a part is unknown, a syllable has no code, or one code stands
            for several syllables and is not in `shared`.
    """

    initials: tuple[tuple[str, str], ...]
    finals: tuple[tuple[str, str], ...]
    zero_initial: tuple[str, ...] = ("spelled",)
    syllables: tuple[tuple[str, str], ...] = ()
    shared: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for table in ("initials", "finals", "syllables"):  # equal layouts in any order are equal
            entries: tuple[tuple[str, str], ...] = getattr(self, table)
            object.__setattr__(self, table, tuple(sorted(entries, key=lambda entry: entry[0])))
        self._check_names()
        by_code = self.by_code
        for code in self.shared:
            if len(by_code.get(code, ())) < 2:
                count = "one" if code in by_code else "no"
                raise LayoutError(
                    f"the code {code!r} is declared as shared and stands for {count} syllable: "
                    "take it out of `shared`",
                    ("", "shared"),
                )
        for code, ids in by_code.items():
            if len(ids) > 1 and code not in self.shared:
                clash = [SYLLABLES[index] for index in ids]
                initials, finals = zip(*(_PARTS[syllable] for syllable in clash), strict=True)
                raise LayoutError(
                    f"the code {code!r} stands for {' and '.join(clash)}: give one of them another "
                    f"key, or add {code!r} to `shared` if that is meant",
                    *(("syllables", syllable) for syllable in clash),
                    *(("finals", final) for final in finals if len(set(finals)) > 1),
                    *(("initials", initial) for initial in initials if len(set(initials)) > 1),
                )

    def __hash__(self) -> int:  # asked for at every look-up of a stretch
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.initials, self.finals, self.zero_initial, self.syllables, self.shared))

    @cached_property
    def codes(self) -> Mapping[str, tuple[str, ...]]:
        """The codes of each syllable, the usual one first."""
        own: dict[str, list[str]] = {}
        for syllable, code in self.syllables:
            own.setdefault(syllable, []).append(code)
        return {
            syllable: tuple(dict.fromkeys(own.get(syllable) or self._codes_by_rule(syllable)))
            for syllable in _PARTS
        }

    @cached_property
    def by_code(self) -> Mapping[str, tuple[int, ...]]:
        """The ids of the syllables of each code, rising."""
        found: dict[str, list[int]] = {}
        for syllable, codes in self.codes.items():
            for code in codes:
                found.setdefault(code, []).append(_IDS[syllable])
        return {code: tuple(sorted(ids)) for code, ids in found.items()}

    @cached_property
    def by_first_key(self) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """Ranges of syllable ids that each key can start, interjections included."""
        found: dict[str, set[int]] = {}
        for code, ids in self.by_code.items():
            found.setdefault(code[0], set()).update(ids)
        for syllable in INTERJECTIONS:
            key = self._key_of_initial(syllable[0])
            found.setdefault(key, set()).add(_IDS[syllable])
        return {key: prefix_cover(ids) for key, ids in found.items()}

    def _key_of_initial(self, initial: str) -> str:
        return dict(self.initials).get(initial, initial)

    @cached_property
    def keys_of_finals(self) -> Mapping[str, tuple[str, ...]]:
        """The keys of each final, the usual one first."""
        keys: dict[str, tuple[str, ...]] = {}
        for final, key in self.finals:
            keys[final] = (*keys.get(final, ()), key)
        return {final: (final,) for final in "aoeiuv"} | keys

    def _codes_by_rule(self, syllable: str) -> Iterator[str]:
        initial, final = _PARTS[syllable]
        keys = self.keys_of_finals.get(final, ())
        if initial and not keys:
            raise LayoutError(
                f"the final {final!r} has no key, so {syllable!r} cannot be typed: add it to "
                "the finals",
                ("finals", ""),
            )
        if initial:
            first = self._key_of_initial(initial)
            if len(first) != 1:
                raise LayoutError(
                    f"the initial {initial!r} has no key, so {syllable!r} cannot be typed: add it "
                    "to the initials",
                    ("initials", ""),
                )
            yield from (first + key for key in keys)
            if initial in "jqxy" and final == "u":  # ju is jü
                yield from (first + key for key in self.keys_of_finals["v"])
            return
        is_found = False
        for rule in self.zero_initial:
            if rule == "spelled" and len(syllable) == 2:
                codes = [syllable]
            elif rule in ZERO_RULES and len(syllable) == 1:
                codes = [syllable + syllable]
            else:
                lead = syllable[0] if rule in ZERO_RULES else rule
                codes = [lead + key for key in keys]
            is_found = is_found or bool(codes)
            yield from codes
        if not is_found:
            raise LayoutError(
                f"the syllable {syllable!r} has no code: give the final {final!r} a key, or "
                f"{syllable!r} a code among the syllables",
                ("", "zero_initial"),
            )

    def _check_names(self) -> None:
        """Check that parts are known and that keys are keys."""
        tables: tuple[tuple[str, Iterable[tuple[str, str]], Iterable[str]], ...] = (
            ("initials", self.initials, INITIALS),
            ("finals", self.finals, FINALS),
            ("syllables", self.syllables, _PARTS),
        )
        for table, entries, known in tables:
            for name, code in entries:
                what, length = table[:-1], 2 if table == "syllables" else 1
                if name not in known:
                    near = near_syllables(name) if table == "syllables" else list(known)
                    raise LayoutError(
                        f"unknown {what} {name!r}: expected one such as {' '.join(near[:40])}; "
                        "ü is written v",
                        (table, name),
                    )
                bad = next((key for key in code if key not in KEYS), "")
                if bad or len(code) != length:
                    expected = "two keys" if length == 2 else "one key"
                    raise LayoutError(
                        f"the {what} {name!r} has {code!r}: expected {expected} out of {KEYS}",
                        (table, name),
                    )
        for rule in self.zero_initial:
            if rule not in ZERO_RULES and (len(rule) != 1 or rule not in KEYS):
                raise LayoutError(
                    f"zero_initial has {rule!r}: expected spelled, letter, or one key out of "
                    f"{KEYS}",
                    ("", "zero_initial"),
                )
        if not self.zero_initial:
            raise LayoutError("zero_initial is empty: give one way", ("", "zero_initial"))


@dataclass(frozen=True)
class ShuangpinEdges:
    """Propose the edges of keys typed by a layout.

    Where keys can be read as pairs from the first on, they are, and a last key without its pair is
    the start of a syllable. Where they cannot, single keys are initials, at the price of one: that
    is how abbreviations are typed.
    """

    layout: Layout

    def __call__(self, stretch: Stretch, options: GraphOptions, /) -> Iterator[Proposal]:
        """Yield the edges of a stretch; its letters are keys."""
        keys, n_keys = stretch.letters, len(stretch.letters)
        by_code, by_first = self.layout.by_code, self.layout.by_first_key
        is_paired = all(keys[i : i + 2] in by_code for i in range(0, n_keys - 1, 2))
        is_paired &= n_keys % 2 == 0 or keys[-1] in by_first
        for first in range(0, n_keys, 2 if is_paired else 1):
            is_last = first + 2 >= n_keys
            for index in by_code.get(keys[first : first + 2], ()):
                tone = stretch.final_tone if is_last else 0
                yield Proposal(first, first + 2, index, index + 1, EdgeKind.FULL, 0.0, tone)
            ends = first + 1 == n_keys
            if (is_paired and not ends) or (ends and stretch.final_tone):
                continue
            is_tail = ends and stretch.is_tail
            is_tail &= is_paired or keys[-2:] not in by_code
            logprob = options.tail_logprob if is_tail else options.initial_logprob
            for low, high in by_first.get(keys[first], ()):
                yield Proposal(first, first + 1, low, high, EdgeKind.INITIAL, logprob, 0)

    def takes_tone(self, keys: str) -> bool:
        """Tell whether a tone may follow the keys: they end in a whole pair."""
        return len(keys) % 2 == 0 and keys[-2:] in self.layout.by_code

    def write(self, syllable: Syllable) -> str:
        """Return the keys of a syllable in the usual way, its tone as a digit.

        Raises:
            ConfigError: the syllable is one of `WITHOUT_CODE`.
        """
        codes = self.layout.codes.get(syllable.toneless)
        if codes is None:
            raise ConfigError(
                f"{syllable.toneless!r} has no code in shuangpin: "
                f"{' '.join(sorted(WITHOUT_CODE))} cannot be typed whole"
            )
        return f"{codes[0]}{syllable.tone or ''}"


@lru_cache(maxsize=64)
def shuangpin_scheme(name: str, layout: Layout) -> InputScheme:
    """Return the scheme of a layout; equal layouts of one name give the same object.

    Letters are keys, and so is everything that the layout names, in the place where it does: the
    `;` that is a final in some layouts is punctuation where a syllable would have to start.
    """
    edges = ShuangpinEdges(layout)
    seconds = {code[1] for code in layout.by_code}
    first, second = (
        "[A-Za-z" + re.escape("".join(sorted(keys - set("abcdefghijklmnopqrstuvwxyz")))) + "]"
        for keys in (set(layout.by_first_key), seconds)
    )
    word = f"(?P<word>(?:{first}{second})+{first}?|{first})"
    token = re.compile(rf"{word}|{TONE_DIGIT}|(?P<border>[\s'’]+)|(?P<other>.)", re.DOTALL)
    return InputScheme(name, (edges,), KeyReader(token, edges.takes_tone), edges.write)
