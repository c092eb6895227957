"""Read cells of 8 to 24 bits out of a flat array.

8- and 16-bit cells are plain array elements. Other widths are packed without gaps; a cell is read
as the 32 bits that start at its first byte, an unaligned read that costs about three times a plain
one (10 against 3.5 ns on one core of a 2020s Xeon), so 16 bits are the default and other widths
buy size with time.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ArtifactError

__all__ = ["Cells", "PackedCells", "PlainCells", "open_cells", "pack_cells"]

MIN_WIDTH: Final = 8
MAX_WIDTH: Final = 24
_PLAIN: Final = {8: np.uint8, 16: np.uint16}
_PADDING_BYTES: Final = 3  # the 32-bit window of the last cell ends inside the array


class Cells(Protocol):
    """Cells by position; `dtype` is what they come out as and what they are compared in."""

    dtype: np.dtype[Any]

    def take(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Give the cells at the positions; bits above the width are zero."""
        ...

    def after(self, n_cells: int) -> Cells:
        """Give the same cells with positions that count from a later one."""
        ...


class PlainCells:
    """Cells that are array elements."""

    def __init__(self, cells: NDArray[Any]) -> None:
        self.dtype = cells.dtype
        self._cells = cells

    def take(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Give the cells at the positions."""
        return self._cells.take(positions, mode="clip")  # clip: no check, positions are in range

    def after(self, n_cells: int) -> PlainCells:
        """Give the same cells with positions that count from a later one."""
        return PlainCells(self._cells[n_cells:])


class PackedCells:
    """Cells of any width, without gaps, lowest bits first."""

    def __init__(self, packed: NDArray[np.uint8], *, width: int, first_bit: int = 0) -> None:
        self.dtype = np.dtype(np.uint32)
        self._packed = packed
        self._windows: NDArray[np.uint32] = np.ndarray(
            (packed.size - _PADDING_BYTES,), "<u4", buffer=packed, strides=(1,)
        )  # overlapping: element i holds bytes i to i + 3
        self._width = width
        self._first_bit = first_bit
        self._mask = np.uint32((1 << width) - 1)

    def take(self, positions: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Give the cells at the positions."""
        bits = positions * self._width
        bits += self._first_bit
        shifts = (bits & 7).astype(np.uint32)
        bits >>= 3
        cells = self._windows[bits]
        cells >>= shifts
        cells &= self._mask
        return cells

    def after(self, n_cells: int) -> PackedCells:
        """Give the same cells with positions that count from a later one."""
        first_bit = self._first_bit + n_cells * self._width
        return PackedCells(self._packed, width=self._width, first_bit=first_bit)


def open_cells(stored: NDArray[Any], *, width: int, n_cells: int, name: str) -> Cells:
    """Wrap stored cells for reading, without a copy.

    Raises:
        ArtifactError: the array's type or length does not fit the width and number of cells.

    >>> stored = pack_cells(np.array([5, 1000, 4095], dtype=np.uint32), width=12)
    >>> open_cells(stored, width=12, n_cells=3, name="cells").take(np.array([2, 0])).tolist()
    [4095, 5]
    """
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise ArtifactError(
            f"language model: {name} has cells of {width} bits, expected {MIN_WIDTH} to "
            f"{MAX_WIDTH}; the manifest is damaged or edited, fetch the artifact again"
        )
    dtype = np.dtype(_PLAIN.get(width, np.uint8))
    size = n_cells if width in _PLAIN else _packed_bytes(n_cells, width)
    if stored.dtype != dtype or stored.shape != (size,):
        raise ArtifactError(
            f"language model: {name} is {stored.dtype} {list(stored.shape)}, expected "
            f"{dtype} [{size}] for {n_cells} cells of {width} bits; "
            "the artifact is damaged or edited, fetch it again"
        )
    flat = np.asarray(stored)  # a memmap's own class only costs time from here on
    return PlainCells(flat) if width in _PLAIN else PackedCells(flat, width=width)


def pack_cells(cells: NDArray[np.uint32], *, width: int) -> NDArray[Any]:
    """Lay cells out as `open_cells` reads them.

    >>> pack_cells(np.array([1, 2, 3], dtype=np.uint32), width=16).dtype
    dtype('uint16')
    """
    if width in _PLAIN:
        return cells.astype(_PLAIN[width])
    packed = np.zeros(_packed_bytes(cells.size, width), dtype=np.uint8)
    first_bits = np.arange(cells.size, dtype=np.int64) * width
    windows = cells << (first_bits & 7).astype(np.uint32)
    first_bytes = first_bits >> 3
    for byte in range(4):
        part = ((windows >> np.uint32(8 * byte)) & np.uint32(0xFF)).astype(np.uint8)
        # Neighbours share a byte but no bit, and cells 8 apart share no byte.
        for lane in range(8):
            packed[first_bytes[lane::8] + byte] |= part[lane::8]
    return packed


def _packed_bytes(n_cells: int, width: int) -> int:
    return (n_cells * width + 7) // 8 + _PADDING_BYTES
