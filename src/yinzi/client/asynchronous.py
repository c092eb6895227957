"""Call a service without waiting for one answer before the next request."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from yinzi.client.answers import (
    Candidate,
    ServiceError,
    SessionState,
    batch_body,
    read_candidates,
    read_error,
    read_state,
    session_address,
)
from yinzi.client.retries import RetryPolicy

__all__ = ["AsyncClient", "AsyncSession"]

_DEFAULT_ADDRESS = "http://127.0.0.1:8462"
_MAX_MESSAGE_BYTES = 2**20


class AsyncClient:
    """A service at an address; use it as a context, or close it.

    For one event loop.

    >>> client = AsyncClient()  # doctest: +SKIP
    >>> (await client.convert("nihao"))[0].text  # doctest: +SKIP
    '你好'

    Args:
        address: of the service.
        key: API key, None if the service asks for none.
        timeout: seconds for one attempt.
        retry: when a request is sent again.
        transport: of httpx; for tests.
    """

    def __init__(
        self,
        address: str = _DEFAULT_ADDRESS,
        *,
        key: str | None = None,
        timeout: float = 15.0,
        retry: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._address = address
        self._timeout = timeout
        self._retry = retry or RetryPolicy()
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(
            base_url=address, headers=self._headers, timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> AsyncClient:
        """Give the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def convert(
        self,
        pinyin: str,
        *,
        left_context: str = "",
        n_best: int = 5,
        options: Mapping[str, Any] | None = None,
    ) -> list[Candidate]:
        """Return the likeliest texts for an input; as `yinzi.converter.Converter.convert`."""
        found = await self.convert_batch(
            [pinyin], left_contexts=[left_context], n_best=n_best, options=options
        )
        return found[0]

    async def convert_batch(
        self,
        pinyin: Sequence[str],
        *,
        left_contexts: Sequence[str] | None = None,
        n_best: int = 5,
        options: Mapping[str, Any] | None = None,
    ) -> list[list[Candidate]]:
        """Return the likeliest texts for each input; at least one input."""
        body = batch_body(pinyin, left_contexts, n_best, options)
        answer = await self.request("POST", "/v1/convert/batch", body)
        return [read_candidates(one) for one in answer["results"]]

    async def annotate(self, text: str) -> list[tuple[str, str | None]]:
        """Return each character with its pinyin, None for what is no hanzi."""
        answer = await self.request("POST", "/v1/annotate", {"text": text})
        return [(one["character"], one["pinyin"]) for one in answer["characters"]]

    async def correct(self, text: str, *, n_best: int = 1) -> dict[str, Any]:
        """Return the corrected text, its changes and alternatives."""
        return await self.request("POST", "/v1/correct", {"text": text, "n_best": n_best})

    async def explain(
        self, pinyin: str, *, left_context: str = "", n_best: int = 2
    ) -> dict[str, Any]:
        """Return why the first candidates of an input won."""
        body = {"pinyin": pinyin, "left_context": left_context, "n_best": n_best}
        return await self.request("POST", "/v1/explain", body)

    async def models(self) -> dict[str, Any]:
        """Return what the service has loaded."""
        return await self.request("GET", "/v1/models")

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send a request, again if that makes sense, and return the answer.

        Raises:
            ServiceError: the service refused, failed, or could not be reached.
        """
        waits = self._retry.waits()
        while True:
            answer: httpx.Response | None = None
            broken: httpx.TransportError | None = None
            try:
                answer = await self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                broken = error
            if answer is not None and answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            wait = next(waits, None)
            pause = None
            if wait is not None:
                pause = self._retry.pause(
                    wait,
                    status=None if answer is None else answer.status_code,
                    retry_after=None if answer is None else answer.headers.get("Retry-After"),
                    chance=random.random(),
                )
            if pause is None:
                if answer is None:
                    raise ServiceError(
                        0, "connection", f"{self._address} cannot be reached: {broken!r}"
                    ) from broken
                raise read_error(answer.status_code, _body(answer))
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def session(
        self,
        *,
        left_context: str = "",
        page_size: int = 9,
        options: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[AsyncSession]:
        """Open a typing session, as a context.

        Raises:
            ServiceError: the service refused, or could not be reached.
        """
        try:
            async with connect(
                session_address(self._address),
                additional_headers=self._headers,
                open_timeout=self._timeout,
                max_size=_MAX_MESSAGE_BYTES,
            ) as socket:
                opened = AsyncSession(socket, self._timeout)
                await opened.send(
                    {
                        "type": "start",
                        "left_context": left_context,
                        "page_size": page_size,
                        "options": dict(options or {}),
                    }
                )
                yield opened
        except (OSError, WebSocketException) as error:
            raise ServiceError(
                0, "connection", f"the session with {self._address} broke: {error}"
            ) from error


class AsyncSession:
    """An open session: keys in, states out."""

    def __init__(self, socket: ClientConnection, timeout: float) -> None:
        self._socket = socket
        self._timeout = timeout

    async def press(self, *keys: str) -> SessionState:
        """Press keys, by the names that browsers give them."""
        return await self.send({"type": "key", "keys": list(keys)})

    async def type_text(self, letters: str) -> SessionState:
        """Press the key of every letter; at least one letter."""
        return await self.press(*letters)

    async def select(self, index: int) -> SessionState:
        """Choose a candidate of the page that is shown, from 0."""
        return await self.send({"type": "select", "index": index})

    async def reset(self, left_context: str = "") -> SessionState:
        """Throw away what is typed."""
        return await self.send({"type": "reset", "left_context": left_context})

    async def send(self, message: Mapping[str, Any]) -> SessionState:
        """Send a message and return the state after it.

        Raises:
            ServiceError: the service refused it, or did not answer in time.
        """
        await self._socket.send(json.dumps(message))
        try:
            raw = await asyncio.wait_for(self._socket.recv(), self._timeout)
        except asyncio.TimeoutError as error:
            raise ServiceError(0, "timeout", "the session did not answer in time") from error
        return read_state(json.loads(raw))


def _body(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
