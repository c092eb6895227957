"""Write who asked for how much, when, and how long it took; never what."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from logging.handlers import WatchedFileHandler

__all__ = ["AuditLog", "RequestFacts"]


@dataclass
class RequestFacts:
    """What is counted of one request; the paths fill it in.

    Attributes:
        request_id: also in the answer's header `X-Request-Id`.
        key_id: of the API key, None without.
        n_lines: inputs or texts.
        n_characters: of them together.
        n_candidates: answered.
    """

    request_id: str
    key_id: str | None = None
    n_lines: int = 0
    n_characters: int = 0
    n_candidates: int = 0


class AuditLog:
    """A file of JSON lines; a file that was moved away by a log rotation is made anew."""

    def __init__(self, target: str | None) -> None:
        self._handler: logging.Handler | None = None
        if target == "-":
            self._handler = logging.StreamHandler(sys.stderr)
        elif target is not None:
            self._handler = WatchedFileHandler(target, encoding="utf-8", delay=True)

    def write(
        self,
        facts: RequestFacts,
        *,
        method: str,
        route: str,
        status: int,
        seconds: float,
        client: str | None,
        now: datetime | None = None,
    ) -> None:
        """Write one line.

        Args:
            facts: what was counted.
            method: of HTTP, or "WEBSOCKET".
            route: the path's template, never the path as it came.
            status: of HTTP, or the code that a WebSocket was closed with.
            seconds: from first byte to last.
            client: address.
            now: time of the end; the clock's if None.
        """
        if self._handler is None:
            return
        row = {
            "time": (now or datetime.now(timezone.utc)).isoformat(timespec="milliseconds"),
            "request_id": facts.request_id,
            "key_id": facts.key_id,
            "client": client,
            "method": method,
            "route": route,
            "status": status,
            "lines": facts.n_lines,
            "characters": facts.n_characters,
            "candidates": facts.n_candidates,
            "ms": round(seconds * 1e3, 2),
        }
        record = logging.LogRecord("yinzi.audit", logging.INFO, "", 0, json.dumps(row), None, None)
        self._handler.handle(record)

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._handler, WatchedFileHandler):
            self._handler.close()
