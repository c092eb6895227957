"""Number what an encoder can be given at one place: syllables, prefixes of syllables, hanzi.

    0 … n_syllables-1    full syllables, by their syllable id
    …                    prefixes (`b`, `zh`, `zho`): ranges of syllable ids, in string order
    five specials        PAD BREAK WORD NUMBER UNKNOWN
    …                    hanzi of the left context, in the order they were given

An edge of a syllable graph is a half-open range of syllable ids, so `ids_of_ranges` turns edges
into input ids. A range of one syllable is that syllable, however it was typed (`zhon` is `zhong`).
A prefix that is also a syllable (`xia`) has both: the id of the syllable, and one of the range.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, prefix_range
from yinzi.pinyin.inventory import INITIALS
from yinzi.text import is_hanzi

__all__ = ["InputVocabulary"]

_SPECIALS: Final = ("PAD", "BREAK", "WORD", "NUMBER", "UNKNOWN")
_SPAN: Final = 1024
"""Keys of ranges are ``lo * 1024 + hi``: more than there are syllables."""
_FORMAT_VERSION: Final = 1


def _prefixes() -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each proper prefix that leaves a choice, with its range; equal ranges once."""
    seen: set[tuple[int, int]] = set()
    spelled = {syllable[:end] for syllable in SYLLABLES for end in range(1, len(syllable))}
    for prefix in sorted(spelled):
        low, high = prefix_range(prefix)
        if high - low > 1 and (low, high) not in seen:
            seen.add((low, high))
            yield prefix, (low, high)


class InputVocabulary:
    """Input ids of an encoder.

    The order never depends on data but for the hanzi, which stand last: vocabularies with other
    hanzi agree on all ids before them.

    >>> vocab = InputVocabulary("我你")
    >>> vocab.spell(vocab.find("zhong")), vocab.spell(vocab.find("zho")), vocab.find("q!")
    ('zhong', 'zho-', -1)
    >>> vocab.spell(vocab.hanzi_id("你")), vocab.hanzi_id("龘") == vocab.unknown_id
    ('你', True)

    Attributes:
        hanzi: the hanzi that have an id.
        prefixes: the prefixes that have an id of their own.
        ranges: int16 [n_ids, 2], half-open range of syllable ids; 0, 0 for all but syllables and
            prefixes.
        pad_id: fills up the ends of a batch.
        break_id: between two runs of hanzi: punctuation, a blank.
        word_id: letters that are no pinyin.
        number_id: digits.
        unknown_id: a hanzi that has no id.

    Raises:
        ConfigError: a hanzi is given twice or is none.
    """

    def __init__(self, hanzi: str = "") -> None:
        for index, char in enumerate(hanzi):
            if not is_hanzi(char):
                raise ConfigError(f"hanzi {index + 1} of the vocabulary is {char!r}: no hanzi")
        if len(set(hanzi)) < len(hanzi):
            twice = next(char for char in hanzi if hanzi.count(char) > 1)
            raise ConfigError(f"hanzi {twice!r} is in the vocabulary twice: give each once")
        self.hanzi = hanzi
        found = dict(_prefixes())
        self.prefixes = tuple(found)
        first_special = len(SYLLABLES) + len(found)
        specials = range(first_special, first_special + len(_SPECIALS))
        self.pad_id, self.break_id, self.word_id, self.number_id, self.unknown_id = specials
        self.first_hanzi_id = first_special + len(_SPECIALS)
        own = [(index, index + 1) for index in range(len(SYLLABLES))]
        no_range = [(0, 0)] * (len(_SPECIALS) + len(hanzi))
        self.ranges: NDArray[np.int16] = np.array(
            [*own, *found.values(), *no_range], dtype=np.int16
        )
        self._hanzi_ids = {char: self.first_hanzi_id + i for i, char in enumerate(hanzi)}
        self._found: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputVocabulary) and self.hanzi == other.hanzi

    def __hash__(self) -> int:
        return hash(self.hanzi)

    def find(self, letters: str) -> int:
        """Return the id of typed letters: of a full syllable, else of a prefix, else -1.

        m and n are initials rather than interjections, as in a syllable graph.
        """
        known = self._found.get(letters)
        if known is None:
            known = self._find(letters)
            if len(letters) < 16:
                self._found[letters] = known
        return known

    def _find(self, letters: str) -> int:
        if not letters:
            return -1
        if letters in self._syllable_ids and letters not in INITIALS:
            return self._syllable_ids[letters]
        low, high = prefix_range(letters)
        if low == high:
            return -1
        return low if high - low == 1 else int(self.ids_of_ranges(low, high))

    @cached_property
    def _syllable_ids(self) -> dict[str, int]:
        return {syllable: index for index, syllable in enumerate(SYLLABLES)}

    @cached_property
    def _range_keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sorted keys of all ranges, and the id of each."""
        ranges = self.ranges[: self.pad_id].astype(np.int64)
        keys = ranges[:, 0] * _SPAN + ranges[:, 1]
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def ids_of_ranges(
        self, syllable_lo: NDArray[np.integer] | int, syllable_hi: NDArray[np.integer] | int
    ) -> NDArray[np.int64]:
        """Return the ids of ranges of syllable ids, such as the edges of a syllable graph have.

        Literals (-1, -1) become WORD.

        >>> vocab = InputVocabulary()
        >>> low, high = prefix_range("zh")
        >>> vocab.spell(int(vocab.ids_of_ranges(low, high)))
        'zh-'

        Raises:
            ConfigError: a range belongs to no syllable and no prefix.
        """
        low = np.asarray(syllable_lo, dtype=np.int64)
        high = np.asarray(syllable_hi, dtype=np.int64)
        keys, ids = self._range_keys
        wanted = low * _SPAN + high
        slots = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        is_literal = low < 0
        unknown = (keys[slots] != wanted) & ~is_literal
        if unknown.any():
            pair = int(low[unknown][0]), int(high[unknown][0])
            raise ConfigError(
                f"syllable ids {pair[0]} to {pair[1]} are no prefix's: "
                "take ranges from prefix_range or from the edges of a graph"
            )
        return np.where(is_literal, self.word_id, ids[slots])

    def hanzi_id(self, char: str) -> int:
        """Return the id of a hanzi, `unknown_id` if it has none."""
        return self._hanzi_ids.get(char, self.unknown_id)

    def hanzi_ids(self, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the ids of many hanzi, given as code points."""
        known, ids = self._code_table
        if not len(known):
            return np.full(codes.shape, self.unknown_id)
        slots = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.where(known[slots] == codes, ids[slots], self.unknown_id)

    @cached_property
    def _code_table(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        codes = np.array([ord(char) for char in self.hanzi], dtype=np.uint32)
        order = np.argsort(codes)
        return codes[order], order + self.first_hanzi_id

    def spell(self, input_id: int) -> str:
        """Return what an id stands for; prefixes have a hyphen, specials are in capitals.

        Raises:
            ConfigError: there is no such id.
        """
        if not 0 <= input_id < len(self):
            raise ConfigError(f"input id {input_id}: expected 0 to {len(self) - 1}")
        if input_id < len(SYLLABLES):
            return SYLLABLES[input_id]
        if input_id < self.pad_id:
            return self.prefixes[input_id - len(SYLLABLES)] + "-"
        if input_id < self.first_hanzi_id:
            return _SPECIALS[input_id - self.pad_id]
        return self.hanzi[input_id - self.first_hanzi_id]

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON; it names every syllable and prefix, to be checked later."""
        content = {
            "format_version": _FORMAT_VERSION,
            "syllables": SYLLABLES,
            "prefixes": self.prefixes,
            "specials": _SPECIALS,
            "hanzi": self.hanzi,
        }
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> InputVocabulary:
        """Read a vocabulary that `save` has written.

        Raises:
            ConfigError: the file cannot be read, or its ids are not those of this version.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            vocab = cls(content["hanzi"])
            expected = {
                "format_version": _FORMAT_VERSION,
                "syllables": list(SYLLABLES),
                "prefixes": list(vocab.prefixes),
                "specials": list(_SPECIALS),
            }
            other = next((key for key in expected if content[key] != expected[key]), None)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"cannot read the input vocabulary {str(path)!r}: {error}") from error
        if other is not None:
            raise ConfigError(
                f"input vocabulary {str(path)!r}: its {other} are not those of this version, so "
                "its ids mean something else; use it with the version that wrote it"
            )
        return vocab
