"""Hold the settings of the service; read them from a TOML file.

One frozen dataclass for the application, its workers and the command line. It is plain data, so it
goes to worker processes as it is.
"""

from __future__ import annotations

import ipaddress
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from yinzi.errors import ConfigError, MissingExtra

__all__ = ["Settings", "is_loopback"]

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Settings:
    """Settings of the service.

    Attributes:
        artifact: name or folder of the artifact.
        uses_encoder: use its neural model.
        host: address to listen on; any other than loopback needs keys, or `is_insecure`.
        port: 0 to 65535; 0 takes a free one.
        workers: processes, 1 to 64. Each loads the artifact; its tables are memory-mapped and
            shared.
        keys_path: file of API keys; None asks for no key.
        is_insecure: allow other addresses than loopback without keys.
        allowed_hosts: values of the Host header that are answered, without port; empty: the
            loopback names on a loopback address, and any elsewhere.
        cors_origins: origins of web pages that may call the service from another address.
        tls_certificate: PEM file; None serves plain HTTP.
        tls_key: PEM file of its private key.
        audit_log: file of audit lines, "-" for stderr, None for none.
        serves_page: serve the web page at `/`.
        inputtools_key_parameter: accept a key as the query parameter `key` on the path of Google
            Input Tools, whose clients can set no header. Proxies log query parameters.
        max_body_bytes: of a request, at least 1,024.
        max_line_characters: of one input, its left context, or one text.
        max_lines: inputs of one batch.
        max_n_best: candidates of one input.
        batch_window_ms: how long a first request waits for others to join its batch.
        batch_units: work taken up at once; a line of up to 32 characters is one unit.
        queue_units: work that may wait; what comes on top is answered 429.
        request_timeout: seconds until a request is answered 504.
        body_timeout: seconds for a body to arrive, answered 408.
        header_timeout: seconds for the header of a request to arrive; the connection is closed.
        shutdown_timeout: seconds for accepted requests to be finished on SIGTERM.
        max_connections: of one worker; further ones are answered 503.
        max_sessions: WebSocket sessions of one worker.
        session_idle_seconds: after which a session without messages is closed.
        max_message_bytes: of one WebSocket message.
        state_path: folder shared by the workers of one service; made when there are several.
    """

    artifact: str = "base"
    uses_encoder: bool = True
    host: str = "127.0.0.1"
    port: int = 8462
    workers: int = 1
    keys_path: str | None = None
    is_insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    tls_certificate: str | None = None
    tls_key: str | None = None
    audit_log: str | None = None
    serves_page: bool = True
    inputtools_key_parameter: bool = False
    max_body_bytes: int = 262_144
    max_line_characters: int = 1_000
    max_lines: int = 256
    max_n_best: int = 50
    batch_window_ms: float = 2.0
    batch_units: int = 64
    queue_units: int = 256
    request_timeout: float = 10.0
    body_timeout: float = 10.0
    header_timeout: float = 10.0
    shutdown_timeout: float = 15.0
    max_connections: int = 1_000
    max_sessions: int = 200
    session_idle_seconds: float = 600.0
    max_message_bytes: int = 16_384
    state_path: str | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or not low <= value <= high:
                raise ConfigError(f"serve.{name} is {value!r}: expected {low} to {high}")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("serve.tls_certificate and serve.tls_key belong together: give both")
        if "*" in self.cors_origins:
            raise ConfigError("serve.cors_origins holds '*': name the origins, each by itself")

    def check_exposure(self) -> None:
        """Refuse to serve everyone without keys.

        Raises:
            ConfigError: the address is not loopback, there is no file of keys, and `is_insecure`
                is not set.
        """
        if self.keys_path is None and not self.is_insecure and not is_loopback(self.host):
            raise ConfigError(
                f"the address {self.host!r} can be reached from other machines and there are no "
                "API keys: make some with `yinzi serve keys add` and give --keys, "
                "or allow everyone with --insecure"
            )

    def answered_hosts(self) -> tuple[str, ...]:
        """Return the Host headers that are answered, without port; empty for any."""
        if self.allowed_hosts:
            return self.allowed_hosts
        return (*LOOPBACK_HOSTS, self.host) if is_loopback(self.host) else ()

    def updated(self, changes: Mapping[str, Any]) -> Settings:
        """Return settings with some changed; None leaves one as it is.

        >>> Settings().updated({"port": 9000, "host": None}).port
        9000

        Raises:
            ConfigError: a name is unknown or a value is out of range.
        """
        known = {field.name: field for field in fields(self)}
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise ConfigError(f"unknown serve settings {unknown}: expected some of {sorted(known)}")
        chosen: dict[str, Any] = {}
        for name, value in changes.items():
            if value is None:
                continue
            chosen[name] = _of_kind(name, value, str(known[name].type))
        return replace(self, **chosen)

    @classmethod
    def from_file(cls, path: str | Path) -> Settings:
        """Read a TOML file with a table `serve`.

        Raises:
            ConfigError: the file is no TOML, has no such table, or a setting is wrong.
        """
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            try:
                import tomli as tomllib
            except ModuleNotFoundError as error:
                raise MissingExtra(
                    "Python 3.10 reads TOML with the package 'tomli', which is not installed: "
                    "pip install 'yinzi[serve]'"
                ) from error
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not a TOML file: {error}") from error
        table = tables.get("serve")
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: there is no table [serve]; put the settings below one")
        return cls().updated(table)


_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "workers": (1, 64),
    "max_body_bytes": (1_024, 64 * 1024 * 1024),
    "max_line_characters": (16, 100_000),
    "max_lines": (1, 10_000),
    "max_n_best": (1, 1_000),
    "batch_window_ms": (0, 1_000),
    "batch_units": (1, 4_096),
    "queue_units": (1, 1_000_000),
    "request_timeout": (0.01, 3_600),
    "body_timeout": (0.01, 3_600),
    "header_timeout": (0.01, 3_600),
    "shutdown_timeout": (0, 3_600),
    "max_connections": (1, 1_000_000),
    "max_sessions": (0, 100_000),
    "session_idle_seconds": (0.01, 86_400),
    "max_message_bytes": (256, 1_048_576),
}


def _of_kind(name: str, value: Any, kind: str) -> Any:
    """Return a value as its field holds it, or say what was expected."""
    if kind.startswith("tuple"):
        if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise ConfigError(f"serve.{name} is {value!r}: expected a list of texts")
    expected: dict[str, tuple[type, ...]] = {
        "bool": (bool,),
        "int": (int,),
        "float": (int, float),
        "str": (str,),
        "str | None": (str,),
    }
    if not isinstance(value, expected[kind]) or (kind != "bool" and isinstance(value, bool)):
        raise ConfigError(f"serve.{name} is {value!r}: expected {kind.split(' ', maxsplit=1)[0]}")
    return value


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine alone.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
