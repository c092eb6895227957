"""Name a set of syllables by as few ranges as the models know: prefixes and single syllables."""

from __future__ import annotations

from collections.abc import Iterable

from yinzi.pinyin.inventory import SYLLABLES, prefix_range

__all__ = ["prefix_cover"]


def prefix_cover(syllable_ids: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return half-open ranges of syllable ids that hold the given ids and no others.

    Each range is that of a prefix or of one syllable, as an edge of a graph must be: the neural
    model has an input for those and for no other ranges. In shuangpin the key z is never zh, so z
    alone is `za`, `ze`, `zi`, `zo` and `zu`.

    >>> ids = [i for i, s in enumerate(SYLLABLES) if s[0] == "z" and s[:2] != "zh"]
    >>> [SYLLABLES[low] for low, high in prefix_cover(ids)]
    ['za', 'ze', 'zi', 'zong', 'zu']
    """
    wanted = set(syllable_ids)
    ranges: list[tuple[int, int]] = []
    covered = 0
    for index in sorted(wanted):
        if index < covered:
            continue
        syllable = SYLLABLES[index]
        low, high = index, index + 1
        for end in range(1, len(syllable) + 1):
            wide_low, wide_high = prefix_range(syllable[:end])
            if wide_low == index and wanted.issuperset(range(wide_low, wide_high)):
                low, high = wide_low, wide_high
                break
        ranges.append((low, high))
        covered = high
    return tuple(ranges)
