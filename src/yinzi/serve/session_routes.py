"""The WebSocket path `/v1/session`: JSON messages in, a state or an error for each out.

A message has a `type`: `start` (first; left_context, options, page_size, n_suggestions; once more
to begin anew, with other options), `key` (keys, by
the names that browsers give them), `select` (index on the page), `reset` (left_context). A number
`id` comes back with its answer. A message that cannot be read is answered with an error and
changes nothing; a connection that sends twenty of them in a row is closed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, cast

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect, WebSocketState

from yinzi.errors import YinziError
from yinzi.pinyin import FULL_PINYIN
from yinzi.serve.audit import RequestFacts
from yinzi.serve.engine import Engine
from yinzi.serve.gate import KEY_PROTOCOL
from yinzi.serve.metrics import Metrics
from yinzi.serve.problems import Problem
from yinzi.serve.schemas import OptionsModel
from yinzi.serve.sessions import SessionState, TypingSession, open_session
from yinzi.serve.typing_options import TypingOptions

__all__ = ["PROTOCOL", "router"]

PROTOCOL: Final = "yinzi.v1"
"""The WebSocket subprotocol."""

_BAD_MESSAGES: Final = 20
_LONGEST_WAIT: Final = 1.0  # seconds
_TRY_AGAIN_LATER: Final = 1013
_POLICY: Final = 1008
_GOING_AWAY: Final = 1001


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: Annotated[int, Field(strict=True, ge=0, lt=2**53)] | None = None


class _Start(_Message):
    type: Literal["start"]
    left_context: Annotated[str, Field(max_length=1_000)] = ""
    page_size: Annotated[int, Field(strict=True, ge=5, le=9)] = 9
    n_suggestions: Annotated[int, Field(strict=True, ge=0, le=9)] = 0
    options: OptionsModel = OptionsModel()

    def to_options(self) -> TypingOptions:
        """Return the options; whoever types full pinyin makes slips and writes English."""
        options = self.options.to_options()
        if options.scheme != FULL_PINYIN.name:
            return options
        said = self.options.model_fields_set
        return replace(
            options,
            corrects_typing=options.corrects_typing or "corrects_typing" not in said,
            reads_english=options.reads_english or "reads_english" not in said,
        )


class _Key(_Message):
    type: Literal["key"]
    keys: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=16)]], Field(min_length=1, max_length=64)
    ]


class _Select(_Message):
    type: Literal["select"]
    index: Annotated[int, Field(strict=True, ge=0, lt=50)]


class _Reset(_Message):
    type: Literal["reset"]
    left_context: Annotated[str, Field(max_length=1_000)] = ""


_AnyMessage = Annotated[_Start | _Key | _Select | _Reset, Field(discriminator="type")]
_messages: Final[TypeAdapter[_Start | _Key | _Select | _Reset]] = TypeAdapter(_AnyMessage)

router = APIRouter()


@router.websocket("/v1/session")
async def session(websocket: WebSocket) -> None:
    """Type over a WebSocket."""
    engine = cast(Engine, websocket.app.state.engine)
    metrics = cast(Metrics, websocket.app.state.metrics)
    open_sessions = cast("set[WebSocket]", websocket.app.state.sessions)
    offered = websocket.scope.get("subprotocols", [])
    is_offered = PROTOCOL in offered or any(one.startswith(KEY_PROTOCOL) for one in offered)
    if not engine.is_ready or len(open_sessions) >= engine.settings.max_sessions:
        await websocket.close(_TRY_AGAIN_LATER)
        return
    await websocket.accept(PROTOCOL if is_offered else None)
    open_sessions.add(websocket)
    metrics.sessions.set(len(open_sessions))
    try:
        await _Connection(websocket, engine).run()
    except WebSocketDisconnect:
        pass
    finally:
        open_sessions.discard(websocket)
        metrics.sessions.set(len(open_sessions))


class _Connection:
    """One typist; messages are answered one after the other."""

    def __init__(self, websocket: WebSocket, engine: Engine) -> None:
        self._websocket = websocket
        self._engine = engine
        self._facts = cast(RequestFacts, websocket.scope["yinzi.facts"])
        self._session: TypingSession | None = None
        self._n_bad = 0

    async def run(self) -> None:
        """Answer until the other side leaves, idles too long, or sends nonsense only."""
        idle = self._engine.settings.session_idle_seconds
        while self._websocket.application_state is WebSocketState.CONNECTED:
            try:
                received = await asyncio.wait_for(self._websocket.receive(), idle)
            except asyncio.TimeoutError:
                await self._websocket.close(_GOING_AWAY, "idle")
                return
            if received["type"] == "websocket.disconnect":
                return
            started = time.perf_counter()
            message_id: int | None = None
            try:
                message = self._read(received)
                message_id = message.id
                state = await self._answer(message)
                answer = _render(state)
                self._n_bad = 0
                self._facts.n_lines += 1
                self._facts.n_candidates += len(state.candidates)
            except Problem as problem:
                answer = {"type": "error", **problem.to_dict()}
                if problem.retry_after is not None:
                    answer["retry_after"] = round(problem.retry_after, 3)
                else:
                    self._n_bad += 1
            except YinziError:
                answer = {"type": "error", "error": "refused", "detail": "this cannot be done"}
                self._n_bad += 1
            answer["id"] = message_id
            answer["ms"] = round((time.perf_counter() - started) * 1e3, 2)
            await self._websocket.send_json(answer)
            if self._n_bad >= _BAD_MESSAGES:
                await self._websocket.close(_POLICY, "too many bad messages")

    async def _answer(self, message: _Start | _Key | _Select | _Reset) -> SessionState:
        """Carry a message out, key by key: others take turns with a typist who sends many at once.

        Once the first key has been taken, a full queue delays the others and refuses none of them.

        Raises:
            Problem: there is no room for it now, or it cannot be done.
        """
        call = self._engine.batcher.call
        if not isinstance(message, _Key):
            return await call(lambda: self._take(message))
        states: list[SessionState] = []
        for key in message.keys:
            one = message.model_copy(update={"keys": [key]})
            while True:
                try:
                    states.append(await call(lambda one=one: self._take(one)))  # type: ignore[misc]
                    break
                except Problem as problem:
                    if not states or problem.status != 429:
                        raise
                    await asyncio.sleep(min(problem.retry_after or 0.0, _LONGEST_WAIT))
        return replace(states[-1], commit="".join(state.commit for state in states))

    def _read(self, received: Message) -> _Start | _Key | _Select | _Reset:
        """Read a message, and count it.

        Raises:
            Problem: it is too long, no JSON, or no message.
        """
        raw = received.get("text")
        if raw is None:
            raise Problem(422, "invalid", "messages are texts, not bytes")
        if len(raw.encode("utf-8", "surrogatepass")) > self._engine.settings.max_message_bytes:
            limit = self._engine.settings.max_message_bytes
            raise Problem(413, "too_large", f"the message is larger than {limit} bytes")
        try:
            message = _messages.validate_json(raw)
        except (ValidationError, ValueError):
            raise Problem(
                422, "invalid", "expected a JSON message of type start, key, select or reset"
            ) from None
        if isinstance(message, _Key):
            self._facts.n_characters += len(message.keys)
        return message

    def _take(self, message: _Start | _Key | _Select | _Reset) -> SessionState:
        """Change the session; runs in the thread of the queue."""
        if isinstance(message, _Start):
            options = message.to_options()
            self._session = open_session(
                self._engine.converter(options),
                left_context=message.left_context,
                page_size=message.page_size,
                scheme=options.scheme,
                has_chinese_punctuation=options.punctuation == "chinese",
                n_suggestions=message.n_suggestions,
            )
            return self._session.press(())
        if self._session is None:
            raise Problem(409, "not_started", "the first message has to be of type start")
        if isinstance(message, _Key):
            return self._session.press(message.keys)
        if isinstance(message, _Select):
            return self._session.select(message.index)
        return self._session.reset(message.left_context)


def _render(state: SessionState) -> dict[str, Any]:
    return {
        "type": "state",
        "preedit": state.preedit,
        "cursor": state.cursor,
        "candidates": [
            {
                "text": one.text,
                "start": one.start,
                "end": one.end,
                "kind": one.kind,
                "syllables": list(one.syllables),
            }
            for one in state.candidates
        ],
        "page": state.page,
        "n_pages": state.n_pages,
        "highlighted": state.highlighted,
        "commit": state.commit,
        "is_handled": state.is_handled,
        "letters": state.letters,
        "n_selected": state.n_selected,
        "is_suggesting": state.is_suggesting,
        "mode": state.mode,
    }
