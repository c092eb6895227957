"""Look n-grams up in a static function that stores no keys.

A binary fuse filter (Graf and Lemire 2022, "Binary Fuse Filters", arXiv 2201.01174) whose cells
hold a value beside the fingerprint, used as Talbot and Brants do for language models (2008,
"Randomized Language Models via Perfect Hash Functions", ACL P08-1058). A key's hash names one cell
in each of three neighbouring segments; the exclusive or of the three cells and the hash's low bits
is the key's code if the key was stored. For any other key it is random, so that one of
2^fingerprint_bits lookups of unknown keys finds something: the price for about
1.13 x (value_bits + fingerprint_bits) bits a key and three reads a lookup. Sorted 64-bit keys
would take 64 bits more a key, and some twenty reads for a binary search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ArtifactError
from yinzi.language_model.cells import open_cells
from yinzi.language_model.hashing import Multipliers, mix

__all__ = ["FuseHash", "FuseShape", "FuseTable", "read_parameter"]

_MAX_SEGMENT_LENGTH: Final = 1 << 18
_MIDDLE_SHIFT: Final = np.uint64(18)
_HALF: Final = np.uint64(32)


@dataclass(frozen=True)
class FuseShape:
    """Cut of the cells into segments.

    Attributes:
        segment_length: cells in a segment, a power of two.
        n_segments: segments that a key's first cell may lie in; two more follow.
    """

    segment_length: int
    n_segments: int

    @classmethod
    def for_keys(cls, n_keys: int) -> FuseShape:
        """Choose the cut for a number of keys (formulas of the reference implementation).

        >>> FuseShape.for_keys(1_000_000)
        FuseShape(segment_length=8192, n_segments=136)
        >>> FuseShape.for_keys(0)
        FuseShape(segment_length=8, n_segments=1)
        """
        if n_keys < 2:
            return cls(segment_length=8, n_segments=1)
        exponent = math.floor(math.log(n_keys) / math.log(3.33) + 2.25)
        segment_length = min(max(1 << exponent, 8), _MAX_SEGMENT_LENGTH)
        factor = max(1.125, 0.875 + 0.25 * math.log(1_000_000) / math.log(n_keys))
        n_segments = math.ceil(round(n_keys * factor) / segment_length) - 2
        return cls(segment_length=segment_length, n_segments=max(n_segments, 1))

    @property
    def n_cells(self) -> int:
        """Number of cells in all segments."""
        return (self.n_segments + 2) * self.segment_length


class FuseHash:
    """Give n-grams their hashes and cells.

    Attributes:
        shape: cut of the cells.
        multipliers: make the words' parts of the hashes.
    """

    def __init__(self, shape: FuseShape, *, seed: int) -> None:
        self.shape = shape
        self.multipliers = Multipliers(seed)
        self._n_first_cells = np.uint64(shape.n_segments * shape.segment_length)
        self._offset_mask = np.uint64(shape.segment_length - 1)

    def positions(
        self, sums: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Give the place of each n-gram's three cells, and turn the sums into hashes.

        The first place counts from the first segment, the others from the second and the third:
        all three lie in the same segment so counted, and differ in the offset.
        """
        first = mix(sums)
        first *= self._n_first_cells
        first >>= _HALF
        middle = sums >> _MIDDLE_SHIFT
        middle &= self._offset_mask
        middle ^= first
        last = sums & self._offset_mask
        last ^= first
        return first.view(np.int64), middle.view(np.int64), last.view(np.int64)


class FuseTable:
    """Map n-grams to small codes.

    Safe to share between threads: nothing is written after construction.

    Attributes:
        n_codes: codes run from 0 to n_codes - 1; what `lookup` gives from there on is "not found".
        multipliers: make the parts of the hashes that `lookup` takes.
    """

    def __init__(self, cells: NDArray[Any], parameters: Mapping[str, Any], *, name: str) -> None:
        """Wrap stored cells.

        Args:
            cells: as `yinzi.language_model.cells.pack_cells` lays them out; may be read-only.
            parameters: seed, value_bits, fingerprint_bits, segment_length, n_segments.
            name: what messages call the cells.

        Raises:
            ArtifactError: a parameter is missing or does not fit the cells.
        """
        seed = read_parameter(parameters, "seed", name=name)
        shape = FuseShape(
            segment_length=read_parameter(parameters, "segment_length", name=name, minimum=1),
            n_segments=read_parameter(parameters, "n_segments", name=name, minimum=1),
        )
        length = shape.segment_length
        if length & (length - 1) or length > _MAX_SEGMENT_LENGTH:
            raise ArtifactError(
                f"language model: segment_length of {name} is {length}, expected a power of two "
                f"up to {_MAX_SEGMENT_LENGTH}; the manifest is damaged or edited, fetch it again"
            )
        value_bits = read_parameter(parameters, "value_bits", name=name)
        width = value_bits + read_parameter(parameters, "fingerprint_bits", name=name)
        self._hash = FuseHash(shape, seed=seed)
        self.multipliers = self._hash.multipliers
        self.n_codes = 1 << value_bits
        opened = open_cells(cells, width=width, n_cells=shape.n_cells, name=name)
        self._first_cells = opened
        self._middle_cells = opened.after(length)
        self._last_cells = opened.after(2 * length)
        is_plain = 8 * opened.dtype.itemsize == width  # then the cast to dtype cuts at the width
        self._width_mask = None if is_plain else np.uint64((1 << width) - 1)

    def lookup(self, sums: NDArray[np.uint64]) -> NDArray[Any]:
        """Give the code of each n-gram, or `n_codes` or more where it is not found.

        A stored n-gram always gets its own code; one of 2^fingerprint_bits others gets a random
        code.

        Args:
            sums: summed parts of the n-grams' words (`Multipliers.part`); overwritten.
        """
        first, middle, last = self._hash.positions(sums)
        codes = self._first_cells.take(first)
        codes ^= self._middle_cells.take(middle)
        codes ^= self._last_cells.take(last)
        if self._width_mask is not None:
            sums &= self._width_mask
        codes ^= sums.astype(codes.dtype)
        return codes


def read_parameter(parameters: Mapping[str, Any], key: str, *, name: str, minimum: int = 0) -> int:
    """Read one whole number of the manifest.

    Raises:
        ArtifactError: it is missing, no whole number, or too small.
    """
    value = parameters.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ArtifactError(
            f"language model: parameter {key} of {name} is {value!r}, expected a whole number "
            f"of {minimum} or more; the manifest is damaged or edited, fetch the artifact again"
        )
    return value
