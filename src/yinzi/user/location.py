"""Say where the user lexicon is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["FILE_NAME", "user_lexicon_path"]

FILE_NAME = "user.sqlite3"


def user_lexicon_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return the file of the user lexicon; it need not exist.

    It is ``$YINZI_HOME/user.sqlite3``, or in the folder `yinzi` of ``$XDG_DATA_HOME``, or of
    ``~/.local/share``. A variable that is empty, or an XDG path that is not absolute, does not
    count.

    >>> str(user_lexicon_path({"XDG_DATA_HOME": "/data"}))
    '/data/yinzi/user.sqlite3'

    Args:
        environ: environment variables; those of the process if not given.
    """
    from yinzi.artifact.reader import artifact_home  # loads numpy, which `--help` does not need

    return artifact_home(environ) / FILE_NAME
