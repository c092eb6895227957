"""Call a yinzi service from Python: needs the extra `client`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yinzi.client.answers import ServiceError
from yinzi.client.retries import RetryPolicy
from yinzi.errors import MissingExtra

if TYPE_CHECKING:
    from yinzi.client.asynchronous import AsyncClient, AsyncSession
    from yinzi.client.synchronous import Client, Session

__all__ = ["AsyncClient", "AsyncSession", "Client", "RetryPolicy", "ServiceError", "Session"]

_MODULES = {
    "AsyncClient": "yinzi.client.asynchronous",
    "AsyncSession": "yinzi.client.asynchronous",
    "Client": "yinzi.client.synchronous",
    "Session": "yinzi.client.synchronous",
}


def __getattr__(name: str) -> object:
    """Import a client when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module 'yinzi.client' has no attribute {name!r}")
    import importlib

    try:
        module = importlib.import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "yinzi":
            raise
        raise MissingExtra(
            f"the package {error.name!r} is not installed: the client needs the extra 'client', "
            "install it with: pip install 'yinzi[client]'"
        ) from error
    return getattr(module, name)
