"""Read requests from connections as uvicorn does, and close those whose header comes too slowly."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["TimedProtocol"]

_DEFAULT_TIMEOUT = 10.0


class TimedProtocol(H11Protocol):
    """A connection whose request headers have to arrive in time.

    Without this a caller can hold a connection for ever by sending one letter a minute. The body
    has a time limit of its own, in the gate. The timeout is the attribute `header_timeout` of
    uvicorn's configuration.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a header."""
        super().connection_made(transport)
        self._wait_for_header()

    def data_received(self, data: bytes) -> None:
        """Stop waiting once the header is there; begin again with the next one."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop_waiting()
        elif self._timer is None:
            self._wait_for_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_header(self) -> None:
        timeout = float(getattr(self.config, "header_timeout", _DEFAULT_TIMEOUT))
        transport: Any = self.transport
        self._timer = self.loop.call_later(timeout, transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
