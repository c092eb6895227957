"""Say how likely syllables follow one another: a quick opinion, before any word is looked up.

A mistyped line has hundreds of corrections that are syllables, and to look up words for all of them
would cost more than the conversion itself. This table of syllable pairs ranks them in microseconds,
so that a handful enters the graph; the language model, which sees words, decides among those.

What an initial or an incomplete syllable can be is a range of syllables. The ranges that letters
can have are few, so each is a unit of its own beside the single syllables.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yinzi.errors import ConfigError
from yinzi.pinyin.inventory import SYLLABLES, prefix_range

__all__ = ["SyllableModel"]

_LITERAL_LOGPROB = -6.0  # of something that is no pinyin, after anything
_FLOOR = 1e-9  # share of pairs that no word has


class SyllableModel:
    """Hold the logprob of each unit after each other one.

    A unit is a syllable, a range of syllables, or a literal; see `unit`.

    Attributes:
        start: id of the start of a stretch, only as the unit before another one.
        after: float32 [n_units + 1, n_units], natural log, of the second unit after the first.
        before: float32 [n_units, n_units + 1], the same the other way round.
    """

    def __init__(self, pairs: npt.NDArray[np.floating], first: npt.NDArray[np.floating]) -> None:
        """Make the model of counts.

        Args:
            pairs: [n_syllables, n_syllables] ≥ 0, how often the second follows the first.
            first: [n_syllables] ≥ 0, how often each starts an input.

        Raises:
            ConfigError: a shape does not fit the inventory.
        """
        n_syllables = len(SYLLABLES)
        if pairs.shape != (n_syllables, n_syllables) or first.shape != (n_syllables,):
            raise ConfigError(
                f"syllable model: counts of shapes {pairs.shape} and {first.shape}; expected "
                f"{(n_syllables, n_syllables)} and {(n_syllables,)}: one for each syllable"
            )
        prefixes = {syllable[:length] for syllable in SYLLABLES for length in range(1, 7)}
        ranges = {prefix_range(prefix) for prefix in prefixes}
        wide = sorted((low, high) for low, high in ranges if high - low > 1)
        self._range_units = {bounds: n_syllables + i for i, bounds in enumerate(wide)}
        members = np.zeros((n_syllables + len(wide), n_syllables))
        members[:n_syllables] = np.eye(n_syllables)
        for unit, (low, high) in enumerate(wide, start=n_syllables):
            members[unit, low:high] = 1
        shares = pairs / pairs.sum() + _FLOOR
        joint = members @ shares @ members.T
        starts = members @ (first / first.sum() + _FLOOR)
        n_units = len(members) + 1  # the last one is a literal
        self._literal = n_units - 1
        self.start = n_units
        after = np.full((n_units + 1, n_units), _LITERAL_LOGPROB, dtype=np.float32)
        after[:-2, :-1] = np.log(joint / joint[:, :n_syllables].sum(axis=1, keepdims=True))
        after[-2:, :-1] = np.log(starts)  # behind a literal, words start as they do in a line
        self.after: npt.NDArray[np.float32] = after
        self.before: npt.NDArray[np.float32] = np.ascontiguousarray(after.T)

    def unit(self, syllable_lo: int, syllable_hi: int) -> int:
        """Return the id of the unit for a range of syllables; what is no known range is a literal.

        >>> counts = np.ones((len(SYLLABLES), len(SYLLABLES)))
        >>> SyllableModel(counts, counts[0]).unit(3, 4)
        3
        """
        if syllable_hi - syllable_lo == 1:
            return syllable_lo
        return self._range_units.get((syllable_lo, syllable_hi), self._literal)
