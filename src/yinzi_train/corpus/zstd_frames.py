"""Tell whether a zstd file is whole.

The library's stream reader takes the end of a file that is cut off for the end of the text, unlike
those for gzip and xz. The headers of the blocks (RFC 8878, 3.1.1) say where each frame must end, so
walking over them finds a missing rest without decompressing anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

import zstandard

__all__ = ["is_whole"]

_MAGIC_BYTES: Final = 4
_MAX_HEADER_BYTES: Final = 18
_SKIPPABLE_MAGIC: Final = b"\x2a\x4d\x18"
_RLE_BLOCK: Final = 1


def is_whole(path: Path) -> bool:
    """Tell whether the last frame of the file is complete.

    Raises:
        zstandard.ZstdError: the file is no zstd file.
    """
    size = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(_MAX_HEADER_BYTES)
            if len(head) <= _MAGIC_BYTES:
                return False
            if head[1:_MAGIC_BYTES] == _SKIPPABLE_MAGIC:
                position += 2 * _MAGIC_BYTES + int.from_bytes(head[4:8], "little")
            else:
                position = _frame_end(file, position, head)
    return position == size


def _frame_end(file: BinaryIO, position: int, head: bytes) -> int:
    """Position after the frame, past any file if the last block is missing."""
    parameters = zstandard.get_frame_parameters(head)
    position += zstandard.frame_header_size(head)
    while True:
        file.seek(position)
        raw = file.read(3)
        if len(raw) < 3:
            return 1 << 62
        header = int.from_bytes(raw, "little")
        is_rle = header >> 1 & 3 == _RLE_BLOCK
        position += 3 + (1 if is_rle else header >> 3)
        if header & 1:
            return position + (4 if parameters.has_checksum else 0)
