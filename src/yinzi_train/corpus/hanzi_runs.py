"""Read text files as runs of hanzi, the unit that is segmented and counted.

A run is a maximal stretch of hanzi (a maximum input unit, MIU); everything else, blanks included,
ends it. All work is on whole arrays of code points: 20 M hanzi a second on one core.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.text import hanzi_mask

__all__ = ["Fold", "HanziRuns", "read_hanzi_runs", "read_text_blocks"]

BLOCK_BYTES: Final = 1 << 25


@dataclass(frozen=True)
class Fold:
    """A part of all texts: every so many lines, one.

    Attributes:
        index: first line of each text that belongs to it, counted from 0.
        count: folds in all; at least 2.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not (self.count >= 2 and 0 <= self.index < self.count):
            raise ConfigError(
                f"fold {self.index} of {self.count}: expected at least 2 folds, counted from 0, "
                "such as 0 of 5"
            )

    def holds(self, lines: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which lines belong to it, by their numbers in their text, counted from 0.

        >>> Fold(1, 3).holds(np.arange(6)).tolist()
        [False, True, False, False, True, False]
        """
        held: NDArray[np.bool_] = lines % self.count == self.index
        return held


@dataclass(frozen=True)
class HanziRuns:
    """Runs of hanzi in one flat array.

    Attributes:
        codes: uint32 [n_codes], code points of the text, hanzi or not.
        starts: int64 [n_runs], first position of each run in `codes`.
        lengths: int64 [n_runs], hanzi in each run.
    """

    codes: NDArray[np.uint32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def from_text(cls, text: str) -> HanziRuns:
        """Find the runs of a text.

        >>> runs = HanziRuns.from_text("你好，world 世界")
        >>> runs.lengths.tolist()
        [2, 2]
        """
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        is_hanzi = np.zeros(len(codes) + 2, dtype=np.int8)
        is_hanzi[1:-1] = hanzi_mask(codes)
        change = np.diff(is_hanzi)
        starts = np.flatnonzero(change == 1)
        return cls(codes, starts, np.flatnonzero(change == -1) - starts)

    def without(self, fold: Fold, *, first_line: int) -> tuple[HanziRuns, int]:
        """Return the runs that stand outside of a fold, and the number of the line that follows.

        Args:
            fold: what is left out.
            first_line: number of the first line of these runs in their text, from 0.
        """
        line = first_line + np.cumsum(self.codes == ord("\n"), dtype=np.int64)
        stays = ~fold.holds(line[self.starts])
        runs = HanziRuns(self.codes, self.starts[stays], self.lengths[stays])
        return runs, int(line[-1]) if len(line) else first_line


def read_text_blocks(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[str]:
    """Yield a UTF-8 text file (plain or .xz) in blocks of whole lines.

    Raises:
        ConfigError: the file is missing, damaged, or not UTF-8 text; names the file and the byte.
    """
    opener = lzma.open if path.suffix == ".xz" else open
    position = 0
    try:
        with opener(path, "rb") as file:
            while block := file.read(block_bytes):
                block += file.readline()
                yield _decode(block, path=path, position=position)
                position += len(block)
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read text {path.name!r}: {reason}; fetch it again") from error


def _decode(block: bytes, *, path: Path, position: int) -> str:
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"text {path.name!r} is not UTF-8 at byte {position + error.start} "
            f"({block[error.start]:#04x}): convert it to UTF-8 first"
        ) from error


def read_hanzi_runs(
    path: Path, *, left_out: Fold | None = None, block_bytes: int = BLOCK_BYTES
) -> Iterator[HanziRuns]:
    """Yield the runs of hanzi of a text file, block by block, without those of a fold.

    Raises:
        ConfigError: as `read_text_blocks`.
    """
    line = 0
    for block in read_text_blocks(path, block_bytes=block_bytes):
        runs = HanziRuns.from_text(block)
        if left_out is not None:
            runs, line = runs.without(left_out, first_line=line)
        yield runs
