"""Hold the labels of many texts in flat arrays, and write them as pinyin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from yinzi.pinyin import SYLLABLES, parse_syllable

__all__ = ["Labels"]

UNKNOWN_MARK = "_"
DOUBT_MARK = "?"


@dataclass(frozen=True)
class Labels:
    """Readings of the hanzi of many texts.

    The hanzi of all texts follow each other; those of text i are ``offsets[i]:offsets[i + 1]``.

    Attributes:
        hanzi: uint32 [n_hanzi], code points.
        offsets: int64 [n_texts + 1].
        syllables: int16 [n_hanzi], syllable ids; -1 where no reading is known.
        tones: int8 [n_hanzi], 1 to 5, 5 for neutral; 0 where no reading is known.
        doubtful: bool [n_hanzi], the annotators disagree, or the decision is close.
        run_lengths: int32 [n_runs], hanzi in each run (MIU) of all texts.
        run_offsets: int64 [n_texts + 1], runs of text i are ``run_offsets[i]:run_offsets[i + 1]``.
    """

    hanzi: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    syllables: NDArray[np.int16]
    tones: NDArray[np.int8]
    doubtful: NDArray[np.bool_]
    run_lengths: NDArray[np.int32]
    run_offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.offsets) - 1

    @classmethod
    def concatenate(cls, parts: list[Labels]) -> Labels:
        """Join labels of several lists of texts; of none, labels of no text."""
        offsets, run_offsets = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
        for part in parts:
            offsets.append(part.offsets[1:] + offsets[-1][-1])
            run_offsets.append(part.run_offsets[1:] + run_offsets[-1][-1])
        return cls(
            np.concatenate([np.zeros(0, np.uint32), *(part.hanzi for part in parts)]),
            np.concatenate(offsets),
            np.concatenate([np.zeros(0, np.int16), *(part.syllables for part in parts)]),
            np.concatenate([np.zeros(0, np.int8), *(part.tones for part in parts)]),
            np.concatenate([np.zeros(0, np.bool_), *(part.doubtful for part in parts)]),
            np.concatenate([np.zeros(0, np.int32), *(part.run_lengths for part in parts)]),
            np.concatenate(run_offsets),
        )

    def doubtful_indices(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the doubtful hanzi as indices within their text, and offsets by text.

        Returns:
            int64 [n_doubtful]; int64 [n_texts + 1], those of text i are
            ``offsets[i]:offsets[i + 1]``.
        """
        where = np.flatnonzero(self.doubtful)
        offsets = np.searchsorted(where, self.offsets)
        return where - np.repeat(self.offsets[:-1], np.diff(offsets)), offsets

    def pinyin(self, text_index: int, *, marks: bool = False) -> str:
        """Write the reading of one text.

        Syllables are separated by blanks, runs of hanzi by `` | ``; ``?`` follows a doubtful
        reading, and ``_`` stands where none is known. Tones are digits, or marks.
        """
        low, high = self.offsets[text_index : text_index + 2]
        written = [
            _write(syllable, tone, marks) + (DOUBT_MARK if is_doubtful else "")
            for syllable, tone, is_doubtful in zip(
                self.syllables[low:high].tolist(),
                self.tones[low:high].tolist(),
                self.doubtful[low:high].tolist(),
                strict=True,
            )
        ]
        runs, start = [], 0
        first, last = self.run_offsets[text_index : text_index + 2]
        for length in self.run_lengths[first:last].tolist():
            runs.append(" ".join(written[start : start + length]))
            start += length
        return " | ".join(runs)


@lru_cache(maxsize=8192)
def _write(syllable: int, tone: int, marks: bool) -> str:
    if syllable < 0:
        return UNKNOWN_MARK
    digits = f"{SYLLABLES[syllable]}{tone}"
    return parse_syllable(digits).to_marks() if marks else digits
