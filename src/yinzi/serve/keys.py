"""Keep API keys: who may call what, how often, until when.

A key is ``yz_<id>_<secret>``; the secret is 256 random bits. The file holds sha256 of the secret.
A slow hash (bcrypt, argon2) protects passwords because people choose from few of them; there is
no guessing 256 random bits, so a fast hash is as safe, and it cannot be used to slow the service
down.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from yinzi.errors import ConfigError

__all__ = ["DEFAULT_SCOPES", "SCOPES", "ApiKey", "KeyStore", "add_key", "revoke_key"]

SCOPES = ("annotate", "convert", "correct", "explain", "metrics", "models", "session")
"""What a key can be allowed: the paths of these names."""
DEFAULT_SCOPES = tuple(scope for scope in SCOPES if scope != "metrics")

_FORMAT_VERSION = 1
_NO_HASH = "0" * 64
_LOOK_AGAIN = 1.0  # seconds between looks at the file


@dataclass(frozen=True)
class ApiKey:
    """One key, without its secret.

    Attributes:
        key_id: 12 hex digits, public.
        name: for people.
        secret_sha256: hex.
        scopes: what it allows, of `SCOPES`.
        created: seconds since 1970.
        expires: seconds since 1970, None for never.
        rate: requests a second in the long run, above 0.
        burst: requests at once, at least 1.
        is_revoked: it is refused for good.
    """

    key_id: str
    name: str
    secret_sha256: str = field(repr=False)
    scopes: tuple[str, ...]
    created: float
    expires: float | None
    rate: float
    burst: int
    is_revoked: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.scopes) - set(SCOPES))
        if unknown or not self.scopes:
            raise ConfigError(f"scopes {list(self.scopes)}: expected some of {', '.join(SCOPES)}")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ConfigError(f"rate is {self.rate}: expected requests a second, above 0")
        if self.burst < 1:
            raise ConfigError(f"burst is {self.burst}: expected at least 1")

    def is_valid(self, now: float) -> bool:
        """Tell whether the key is neither revoked nor expired."""
        return not self.is_revoked and (self.expires is None or now < self.expires)


def add_key(
    path: str | Path,
    *,
    name: str,
    now: float,
    scopes: Iterable[str] = DEFAULT_SCOPES,
    lifetime: float | None = None,
    rate: float = 50.0,
    burst: int = 100,
) -> tuple[ApiKey, str]:
    """Make a key and add it to a file, which is made if it is not there.

    Args:
        path: of the file.
        name: for people.
        now: seconds since 1970.
        scopes: what it allows.
        lifetime: seconds until it expires, None for never.
        rate: requests a second in the long run.
        burst: requests at once.

    Returns:
        The key, and what its holder sends; that is kept nowhere.
    """
    if lifetime is not None and not lifetime > 0:
        raise ConfigError(f"lifetime is {lifetime} seconds: expected above 0")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ApiKey(
        key_id,
        name,
        _sha256(secret),
        tuple(sorted(set(scopes))),
        now,
        None if lifetime is None else now + lifetime,
        rate,
        burst,
    )
    _change(Path(path), lambda keys: [*keys, key], is_made=True)
    return key, f"yz_{key_id}_{secret}"


def revoke_key(path: str | Path, key_id: str) -> ApiKey:
    """Revoke a key; a running service refuses it within about a second.

    Raises:
        ConfigError: there is no such key.
    """
    found: list[ApiKey] = []

    def revoke(keys: list[ApiKey]) -> list[ApiKey]:
        found.extend(replace(key, is_revoked=True) for key in keys if key.key_id == key_id)
        if not found:
            raise ConfigError(
                f"{path}: there is no key {key_id!r}; `yinzi serve keys list` shows the ids"
            )
        return [found[0] if key.key_id == key_id else key for key in keys]

    _change(Path(path), revoke, is_made=False)
    return found[0]


class KeyStore:
    """The keys of a file; looks again when the file changes. Safe from many threads."""

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = Path(path)
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = -math.inf
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}
        self._look()

    def all_keys(self) -> list[ApiKey]:
        """Return all keys, revoked ones too, in the order of the file."""
        self._look()
        return list(self._keys.values())

    def find(self, token: str) -> ApiKey | None:
        """Return the valid key of a token, None for any other text.

        The time does not depend on how much of the secret is right.
        """
        self._look()
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get(key_id) if prefix == "yz" else None
        expected = _NO_HASH if key is None else key.secret_sha256
        is_equal = hmac.compare_digest(_sha256(secret), expected)
        if key is None or not is_equal or not key.is_valid(self._clock()):
            return None
        return key

    def _look(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._looked < _LOOK_AGAIN and self._stamp is not None:
                return
            self._looked = now
            try:
                stat = self._path.stat()
            except FileNotFoundError as error:
                self._keys, self._stamp = {}, None
                raise ConfigError(
                    f"there is no file of keys at {self._path}: make one with "
                    f"`yinzi serve keys add NAME --keys {self._path}`"
                ) from error
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if stamp != self._stamp:
                self._keys = {key.key_id: key for key in _read(self._path)}
                self._stamp = stamp


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> list[ApiKey]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format_version"] != _FORMAT_VERSION:
            raise ValueError(f"format version {raw['format_version']}")
        return [ApiKey(**{**row, "scopes": tuple(row["scopes"])}) for row in raw["keys"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path}: not a file of keys ({type(error).__name__}); restore it from a copy, "
            "or delete it and add the keys again"
        ) from error


def _change(path: Path, change: Callable[[list[ApiKey]], list[ApiKey]], *, is_made: bool) -> None:
    """Read, change and write the file; two at once wait for each other where locks exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(path.name + ".lock")):
        if path.exists() or not is_made:
            keys = change(_read(path) if path.exists() else [])
        else:
            keys = change([])
        rows: list[dict[str, Any]] = [asdict(key) for key in keys]
        text = json.dumps({"format_version": _FORMAT_VERSION, "keys": rows}, indent=2) + "\n"
        # A temporary file of mkstemp is readable by its owner alone.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


class _locked:  # noqa: N801 - used as a function
    """Hold a lock file while the body runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            import fcntl
        except ImportError:  # Windows: one administrator at a time
            return
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
