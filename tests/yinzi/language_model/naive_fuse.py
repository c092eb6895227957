"""Read a fuse table one n-gram at a time in plain Python, straight from format.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_ALL = (1 << 64) - 1


def naive_lookup(cells: Any, parameters: Mapping[str, int], ngram: Sequence[int]) -> int | None:
    """Give the n-gram's code, or None."""
    s = (parameters["seed"] + 1) * 0x9E3779B97F4A7C15 & _ALL
    s = (s ^ s >> 30) * 0xBF58476D1CE4E5B9 & _ALL
    s = (s ^ s >> 27) * 0x94D049BB133111EB & _ALL
    s ^= s >> 31
    key = 0
    for word in ngram:
        key = key * 2**21 + word
    h = key * (s | 1) & _ALL
    h = (h ^ h >> 32) * 0xFF51AFD7ED558CCD & _ALL
    h ^= h >> 32
    length = parameters["segment_length"]
    first = (h >> 32) * (parameters["n_segments"] * length) >> 32
    middle = length + (first ^ (h >> 18) % length)
    last = 2 * length + (first ^ h % length)
    width = parameters["value_bits"] + parameters["fingerprint_bits"]
    x = h % 2**width
    for position in (first, middle, last):
        x ^= _naive_cell(cells, width, position)
    return x if x < 2 ** parameters["value_bits"] else None


def _naive_cell(cells: Any, width: int, position: int) -> int:
    if width in (8, 16):
        return int(cells[position])
    bits = [
        int(cells[bit // 8]) >> bit % 8 & 1
        for bit in range(position * width, (position + 1) * width)
    ]
    return sum(bit << i for i, bit in enumerate(bits))
