"""Answer over HTTP what the library answers: needs the extra `serve`.

Nothing of the web framework is imported before a name of this package is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yinzi.errors import MissingExtra
from yinzi.serve.settings import Settings

if TYPE_CHECKING:
    from yinzi.serve.app import create_app

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> object:
    """Import the application when it is first asked for."""
    if name != "create_app":
        raise AttributeError(f"module 'yinzi.serve' has no attribute {name!r}")
    try:
        from yinzi.serve.app import create_app as loaded
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return loaded


def missing_extra(error: ModuleNotFoundError) -> Exception:
    """Return what to raise where a package of the extra `serve` is missing.

    >>> print(missing_extra(ModuleNotFoundError("No module named 'fastapi'", name="fastapi")))
    the package 'fastapi' is not installed: the service needs the extra 'serve', install it with: \
pip install 'yinzi[serve]'
    """
    if error.name is None or error.name.split(".")[0] == "yinzi":
        return error
    return MissingExtra(
        f"the package {error.name!r} is not installed: the service needs the extra 'serve', "
        "install it with: pip install 'yinzi[serve]'"
    )
