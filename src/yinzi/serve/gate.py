"""Stand before every path: who may come in, how much they may bring, and what is noted of it.

Written against ASGI itself, because it has to act before a body is read. In this order: the Host
header, the API key and its scope, the key's rate, room in the queue, then the body, which is
counted while it arrives and has to arrive in time. Only then does a path see the request. Whatever
fails inside is answered with 500 and noted by type and place, without its message, which may quote
a text.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yinzi.serve.audit import AuditLog, RequestFacts
from yinzi.serve.keys import ApiKey, KeyStore
from yinzi.serve.metrics import Metrics
from yinzi.serve.problems import Problem, problem_response
from yinzi.serve.settings import Settings

__all__ = ["KEY_PROTOCOL", "Gate", "RateLimit", "failure", "route_of"]

_log = logging.getLogger(__name__)

KEY_PROTOCOL: Final = "yinzi.key."
"""Prefix of the WebSocket subprotocol that carries a key: browsers can set no header there."""

_SCOPE_OF: Final[Mapping[str, str | None]] = {
    "/v1/convert": "convert",
    "/v1/convert/batch": "convert",
    "/v1/annotate": "annotate",
    "/v1/correct": "correct",
    "/v1/explain": "explain",
    "/v1/models": "models",
    "/v1/session": "session",
    "/inputtools/request": "convert",
    "/metrics": "metrics",
    "/health": None,
    "/ready": None,
    "/openapi.json": None,
}

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
}


class RateLimit(Protocol):
    """Count what a key uses."""

    def take(self, key: ApiKey) -> float:
        """Return 0, or the seconds until the key may be used again."""


def failure(request_id: str) -> Problem:
    """Return what a caller is told of a failure inside."""
    return Problem(500, "internal", f"the service failed; its log has request {request_id}")


def route_of(path: str) -> str:
    """Return a name for a path that is fixed, whatever a caller writes.

    >>> route_of("/v1/convert"), route_of("/v1/../secret"), route_of("/style.css")
    ('/v1/convert', 'other', 'page')
    """
    if path in _SCOPE_OF:
        return path
    return "other" if path.startswith(("/v1/", "/inputtools/")) else "page"


class Gate:
    """The outermost layer of the application.

    Args:
        app: what comes behind.
        settings: limits.
        metrics: counts.
        audit: log.
        keys: None lets everyone in.
        rates: limits of keys.
        check_room: raises the `Problem` of a queue that is full; asked before a body is read.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        metrics: Metrics,
        audit: AuditLog,
        keys: KeyStore | None,
        rates: RateLimit,
        check_room: Callable[[], None],
    ) -> None:
        self._app = app
        self._check_room = check_room
        self._settings = settings
        self._metrics = metrics
        self._audit = audit
        self._keys = keys
        self._rates = rates
        self._hosts = frozenset(settings.answered_hosts())
        self._headers = dict(_HEADERS)
        if settings.tls_certificate is not None:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or one WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        facts = RequestFacts(secrets.token_hex(8))
        scope["yinzi.facts"] = facts
        is_websocket = scope["type"] == "websocket"
        route = route_of(scope["path"])
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                self._add_headers(message, route, facts, time.perf_counter() - started)
            elif kind == "websocket.close":
                status = message.get("code", 1000)
            await send(message)

        async def receive_noted() -> Message:
            nonlocal status
            message = await receive()
            if message["type"] == "websocket.disconnect" and not status:
                status = message.get("code") or 1005
            return message

        try:
            await self._pass(scope, receive_noted, send_noted, facts, route)
        except Exception as error:
            self._metrics.errors.inc()
            _log.error("request %s failed: %s", facts.request_id, _place(error))
            if not status:
                await _refuse(failure(facts.request_id), scope, receive, send_noted)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.requests.labels(route, str(status)).inc()
            if not is_websocket:
                self._metrics.seconds.labels(route).observe(seconds)
            client = scope.get("client")
            self._audit.write(
                facts,
                method="WEBSOCKET" if is_websocket else scope["method"],
                route=route,
                status=status,
                seconds=seconds,
                client=client[0] if client else None,
            )

    async def _pass(
        self, scope: Scope, receive: Receive, send: Send, facts: RequestFacts, route: str
    ) -> None:
        """Let a request through to its path, or answer what is wrong with it."""
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            if scope["type"] == "websocket":
                self._check_origin(headers)
            self._check_key(scope, headers, facts, route)
            if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
                self._check_room()
                body = await self._read_body(headers, receive)
                if body is None:
                    return
                receive = _replay(body, receive)
        except Problem as problem:
            self._metrics.rejected.labels(problem.error).inc()
            await _refuse(problem, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        """Refuse other names for a loopback service: a web page may have bound one to it."""
        if not self._hosts:
            return
        host = headers.get("host", "")
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else ""
        name = name or host.split(":", 1)[0]
        if name.lower() not in self._hosts:
            raise Problem(400, "unknown_host", "the Host header names another service")

    def _check_origin(self, headers: Headers) -> None:
        """Refuse WebSockets of other web pages; browsers do not hold them back by themselves."""
        origin = headers.get("origin")
        if origin is None or origin in self._settings.cors_origins:
            return
        if origin.split("://", 1)[-1] != headers.get("host"):
            raise Problem(403, "origin", "web pages of other origins are not allowed here")

    def _check_key(self, scope: Scope, headers: Headers, facts: RequestFacts, route: str) -> None:
        needed = _SCOPE_OF.get(route)
        if self._keys is None or needed is None:
            return
        token = self._token(scope, headers, route)
        if token is None:
            raise Problem(
                401, "key", "an API key is needed: send it as `Authorization: Bearer KEY`"
            )
        key = self._keys.find(token)
        if key is None:
            raise Problem(401, "key", "the API key is not known, expired or revoked")
        facts.key_id = key.key_id
        if needed not in key.scopes:
            raise Problem(403, "scope", f"the API key does not allow {needed!r}")
        wait = self._rates.take(key)
        if wait:
            raise Problem(
                429,
                "rate",
                f"the API key allows {key.rate:g} requests a second: wait as long as Retry-After",
                retry_after=wait,
            )

    def _token(self, scope: Scope, headers: Headers, route: str) -> str | None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return token.strip()
        if scope["type"] == "websocket":
            for protocol in scope.get("subprotocols", []):
                if protocol.startswith(KEY_PROTOCOL):
                    return str(protocol[len(KEY_PROTOCOL) :])
        if self._settings.inputtools_key_parameter and route == "/inputtools/request":
            query = parse_qs(scope["query_string"].decode("latin-1"))
            return query["key"][0] if "key" in query else None
        return None

    async def _read_body(self, headers: Headers, receive: Receive) -> bytes | None:
        """Read a body up to the limits; None if the caller has left."""
        limit = self._settings.max_body_bytes
        too_large = Problem(413, "too_large", f"the body is larger than {limit} bytes")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(415, "encoding", "compressed bodies are not read: send it as it is")
        charset = _charset(headers.get("content-type", ""))
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise Problem(415, "encoding", "only bodies in UTF-8 are read")
        length = headers.get("content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise too_large
        deadline = time.monotonic() + self._settings.body_timeout
        body = bytearray()
        while True:
            try:
                message = await asyncio.wait_for(receive(), max(0.001, deadline - time.monotonic()))
            except asyncio.TimeoutError:
                raise Problem(
                    408,
                    "slow",
                    f"the body did not arrive within {self._settings.body_timeout:g} seconds",
                ) from None
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > limit:
                raise too_large
            if not message.get("more_body", False):
                return bytes(body)

    def _add_headers(
        self, message: Message, route: str, facts: RequestFacts, seconds: float
    ) -> None:
        headers = MutableHeaders(raw=message.setdefault("headers", []))
        message["headers"] = headers.raw
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = facts.request_id
        headers["Server-Timing"] = f"total;dur={seconds * 1e3:.2f}"
        if route != "page":
            headers.setdefault("Cache-Control", "no-store")


def _charset(content_type: str) -> str:
    for part in content_type.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a function that gives a body that was read already, then what comes after it."""
    is_given = False

    async def replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a problem; a WebSocket is refused before it opens, with the status if that goes."""
    if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
        await problem_response(problem)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


def _place(error: BaseException) -> str:
    """Return type and place of an error, without its message: that may quote a text."""
    frames: Any = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-4:]))
    return f"{type(error).__name__} at {where}"
