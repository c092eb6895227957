"""Lay out everything that is known about readings before a text is seen, in flat arrays.

A reading is one number, ``syllable id * 8 + tone``, so that a table of readings is one array and
comparing two is one operation. -1 stands for none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pypinyin.constants import PHRASES_DICT, PINYIN_DICT
from pypinyin.seg import mmseg

from yinzi.errors import InvalidPinyin
from yinzi.lexicon import Lexicon
from yinzi.pinyin import parse_syllable, syllable_id
from yinzi_train.labelling.network_files import NetworkFiles

__all__ = [
    "NEUTRAL",
    "Evidence",
    "PolyphoneTable",
    "WordReadings",
    "ambiguous_words",
    "citation_reading",
    "hanzi_readings",
    "reading_of",
]

NEUTRAL: Final = 5
_N_CODES: Final = 0x110000
_ERHUA: Final = "r5"  # how CC-CEDICT writes 儿 that only colours the syllable before it


class Evidence(IntEnum):
    """What the reading of a hanzi in its word rests on."""

    HANZI = 0  # the word is this one hanzi: its common reading says little
    COMPOSED = 1  # no table of phrases has the word, or the part of it with this hanzi
    AMBIGUOUS = 2  # a table of phrases has it, but several readings of it are attested
    PHRASE = 3  # a table of phrases has it


def reading_of(text: str) -> int:
    """Return a reading from pinyin with a tone, erhua ``r5`` as ``er5``; -1 if it is no syllable.

    >>> divmod(reading_of("zhong1"), 8) == (syllable_id("zhong"), 1)
    True
    >>> reading_of("r5") == reading_of("er5"), reading_of("xx5")
    (True, -1)
    """
    try:
        syllable = parse_syllable("er5" if text == _ERHUA else text)
    except InvalidPinyin:
        return -1
    return syllable_id(syllable.toneless) * 8 + (syllable.tone or NEUTRAL)


_CITATION: Final = {
    ord("一"): {reading_of("yi2"): reading_of("yi1"), reading_of("yi4"): reading_of("yi1")},
    ord("不"): {reading_of("bu2"): reading_of("bu4")},
}


def citation_reading(hanzi: str, reading: int) -> int:
    """Return the reading without tone sandhi: 一 is always yi1 and 不 bu4, unless neutral.

    >>> citation_reading("不", reading_of("bu2")) == reading_of("bu4")
    True
    """
    return _CITATION.get(ord(hanzi), {}).get(reading, reading)


class WordReadings:
    """The main reading of every word of a lexicon.

    Attributes:
        readings: int16 [n_codes + 1], readings of all words, one word after another; the last is
            -1, where an unknown word points.
        evidence: int8 [n_codes + 1], `Evidence` for each of these readings.
        first: int32 [n_words + 1], where each word starts in `readings`.
        lengths: int8 [n_words + 1], hanzi in each word; 1 for an unknown one.
        digest: sha256 of the words, their readings and the evidence.
    """

    def __init__(
        self, lexicon: Lexicon, is_polyphone: NDArray[np.bool_], particles: Mapping[int, int]
    ) -> None:
        """Build the tables.

        Args:
            lexicon: words and readings.
            is_polyphone: bool [all code points]; evidence is looked for in words with one only.
            particles: readings in the neutral tone of hanzi that have no other, by code point.
        """
        codes, lengths = lexicon.hanzi_codes()
        words = np.arange(lexicon.n_words)
        first = lexicon.first_hanzi(words)
        syllables, tones = lexicon.main_readings()
        readings = syllables * np.int16(8) + tones.astype(np.int16)
        for code, changes in _CITATION.items():
            here = np.flatnonzero(codes == code)
            for spoken, citation in changes.items():
                readings[here[readings[here] == spoken]] = citation
        singles = np.flatnonzero(lengths == 1)
        for word in singles:
            neutral = particles.get(int(codes[first[word]]), -1)
            if neutral >> 3 == readings[first[word]] >> 3:
                readings[first[word]] = neutral
        self.readings = np.append(readings, np.int16(-1))
        self.first = np.append(first, len(codes)).astype(np.int32)
        self.lengths = np.append(lengths, 1).astype(np.int8)
        self.evidence = np.append(_evidence(lexicon, codes, first, is_polyphone), np.int8(0))
        content = hashlib.sha256(codes.astype("<u4").tobytes())
        content.update(self.readings.astype("<i2").tobytes() + self.evidence.tobytes())
        self.digest = content.digest()


def _evidence(
    lexicon: Lexicon,
    codes: NDArray[np.uint32],
    first: NDArray[np.int64],
    is_polyphone: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """Return the `Evidence` for every hanzi of every word.

    pypinyin reads a word that is no phrase by cutting it into phrases, longest match first; the
    same cut says which hanzi of it a phrase vouches for.
    """
    text = codes.astype("<u4").tobytes().decode("utf-32-le")
    lengths = lexicon.lengths(np.arange(lexicon.n_words))
    n_before = np.concatenate(([0], np.cumsum(is_polyphone[codes])))
    words = np.flatnonzero((n_before[first + lengths] > n_before[first]) & (lengths > 1))
    ambiguous = ambiguous_words(lexicon)
    found = np.full(len(codes), Evidence.COMPOSED, dtype=np.int8)
    found[first[lengths == 1]] = Evidence.HANZI
    for begin, length in zip(first[words].tolist(), lengths[words].tolist(), strict=True):
        word = text[begin : begin + length]
        position = begin
        for part in (word,) if word in PHRASES_DICT else mmseg.seg.cut(word):
            if len(part) > 1 and part in PHRASES_DICT:
                kind = Evidence.AMBIGUOUS if part in ambiguous else Evidence.PHRASE
                found[position : position + len(part)] = kind
            position += len(part)
    return found


def ambiguous_words(lexicon: Lexicon) -> frozenset[str]:
    """Return the words of two hanzi or more that have several attested readings."""
    n_readings = np.bincount(lexicon.entry_word, minlength=lexicon.n_words)
    words = np.flatnonzero(n_readings > 1)
    return frozenset(lexicon.texts(words[lexicon.lengths(words) > 1]))


class PolyphoneTable:
    """The hanzi that the network tells apart by context, and their readings.

    Attributes:
        rows: int16 [all code points], row of each such hanzi in the other arrays, -1 for the rest.
        classes: int16 [n_hanzi, n_readings], outputs of the network; -1 fills a row up.
        readings: int16 [n_hanzi, n_readings], the readings of these outputs; -1 likewise.
        log_shares: float32 [n_hanzi, n_readings], natural log of the share of the reading's
            syllable in the use of the hanzi as a word of its own.
    """

    def __init__(self, files: NetworkFiles, lexicon: Lexicon, *, share_floor: float) -> None:
        """Build the table; `share_floor` is added to every share, so that none is 0."""
        choices: dict[str, list[tuple[int, int]]] = {}
        for hanzi, texts in files.readings.items():
            known = [
                (files.class_ids[text], reading)
                for text in texts
                if (reading := reading_of(text)) >= 0 and text in files.class_ids
            ]
            if len(known) > 1:
                choices[hanzi] = known
        shares = _hanzi_shares(lexicon)
        n_readings = max(map(len, choices.values()), default=1)
        shape = (len(choices), n_readings)
        self.rows = np.full(_N_CODES, -1, dtype=np.int16)
        self.classes = np.full(shape, -1, dtype=np.int16)
        self.readings = np.full(shape, -1, dtype=np.int16)
        self.log_shares = np.zeros(shape, dtype=np.float32)
        for row, (hanzi, known) in enumerate(choices.items()):
            self.rows[ord(hanzi)] = row
            for column, (class_id, reading) in enumerate(known):
                self.classes[row, column] = class_id
                self.readings[row, column] = reading
                share = shares.get((hanzi, reading >> 3), 0.0)
                self.log_shares[row, column] = np.log(share + share_floor)


def _hanzi_shares(lexicon: Lexicon) -> dict[tuple[str, int], float]:
    """Return the share of every syllable in the use of each hanzi as a word of its own."""
    shares = {}
    first = int(lexicon.node_entry[1])
    is_single = lexicon.lengths(lexicon.entry_word) == 1
    entries = np.flatnonzero(is_single)
    assert not len(entries) or entries[0] == first
    nodes = np.searchsorted(lexicon.node_entry, entries, side="right") - 1
    for entry, node in zip(entries.tolist(), nodes.tolist(), strict=True):
        hanzi = lexicon.text(int(lexicon.entry_word[entry]))
        syllable = lexicon.node_syllables(node)[0]
        shares[hanzi, syllable] = float(np.exp(lexicon.entry_logprob[entry]))
    return shares


def hanzi_readings(files: NetworkFiles) -> tuple[NDArray[np.int16], dict[int, int]]:
    """Return common readings of single hanzi, for those that no lexicon has, and particles.

    Returns:
        int16 [all code points], the first reading of pinyin-data that is a syllable, -1 for none;
        and the readings of the hanzi that CC-CEDICT reads in the neutral tone alone.
    """
    common = np.full(_N_CODES, -1, dtype=np.int16)
    for code, joined in PINYIN_DICT.items():
        common[code] = _first_known(joined.split(","))
    particles = {}
    for hanzi, texts in files.readings.items():
        if len(hanzi) == 1 and len(texts) == 1 and texts[0].endswith(str(NEUTRAL)):
            reading = reading_of(texts[0])
            if reading >= 0:
                particles[ord(hanzi)] = reading
    return common, particles


def _first_known(texts: Iterable[str]) -> int:
    return next((reading for text in texts if (reading := reading_of(text)) >= 0), -1)
