"""Name the errors of the corpus stage."""

from __future__ import annotations

import errno

from yinzi.errors import ConfigError

__all__ = ["CorpusError", "UnreadableSource", "writing_error"]


class CorpusError(ConfigError):
    """The corpus cannot be built as asked: nothing to read, no room, or a unit that failed."""


class UnreadableSource(CorpusError):  # noqa: N818 - says what the source is
    """A file of text cannot be read; names the file and the position in it."""


def writing_error(error: OSError, name: str) -> CorpusError:
    """Say why a file could not be written and what to do.

    >>> print(writing_error(OSError(28, "No space left on device"), "chat-000.parquet"))
    cannot write 'chat-000.parquet': the disk is full; free some space and run again: \
finished units are kept
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return CorpusError(
            f"cannot write {name!r}: the disk is full; free some space and run again: "
            "finished units are kept"
        )
    reason = error.strerror or str(error)
    return CorpusError(f"cannot write {name!r}: {reason}; finished units are kept, run again")
