"""Say where the user lexicon is kept."""

from __future__ import annotations

import os
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
    variables = os.environ if environ is None else environ
    home = variables.get("YINZI_HOME")
    if home:
        return Path(home) / FILE_NAME
    data = variables.get("XDG_DATA_HOME")
    if data and Path(data).is_absolute():
        return Path(data) / "yinzi" / FILE_NAME
    return Path("~/.local/share").expanduser() / "yinzi" / FILE_NAME
