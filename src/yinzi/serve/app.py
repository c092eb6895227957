"""Put the application together: models, queue, paths, page, and the gate before all of them."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

import yinzi
from yinzi.converter import Converter
from yinzi.errors import YinziError
from yinzi.serve import inputtools, routes, session_routes
from yinzi.serve.audit import AuditLog
from yinzi.serve.engine import Engine, load_converter
from yinzi.serve.gate import Gate, failure, route_of
from yinzi.serve.keys import KeyStore
from yinzi.serve.metrics import Metrics
from yinzi.serve.openapi import set_document
from yinzi.serve.problems import Problem, problem_response
from yinzi.serve.rate_limits import Buckets, SharedBuckets
from yinzi.serve.settings import Settings

__all__ = ["Application", "create_app"]

_STATIC = Path(__file__).with_name("static")


class Application:
    """The service as an ASGI application.

    Attributes:
        api: the paths, without gate.
        settings: of the service.
    """

    def __init__(self, api: FastAPI, settings: Settings, app: ASGIApp) -> None:
        self.api = api
        self.settings = settings
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, one WebSocket, or start and end."""
        await self._app(scope, receive, send)


def create_app(
    settings: Settings | None = None,
    *,
    load: Callable[[Settings], Converter] = load_converter,
) -> Application:
    """Return the service; it loads its models when the server starts it.

    Args:
        settings: of the service; None for the defaults.
        load: makes the converter; in the thread that will use it.

    Raises:
        ConfigError: it would serve everyone without keys, or the file of keys cannot be read.
    """
    settings = settings or Settings()
    settings.check_exposure()
    keys = None if settings.keys_path is None else KeyStore(settings.keys_path)
    metrics = Metrics()
    audit = AuditLog(settings.audit_log)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        engine = Engine(settings, metrics, load=load)
        sessions: set[WebSocket] = set()
        api.state.engine, api.state.sessions = engine, sessions
        await engine.start()
        yield
        await engine.close()
        audit.close()

    api = FastAPI(
        title="yinzi",
        version=yinzi.__version__,
        description="Pinyin to hanzi, hanzi to pinyin, and correction of homophones.",
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from other machines
        redoc_url=None,
    )
    api.state.metrics = metrics
    api.include_router(routes.router)
    api.include_router(inputtools.router)
    api.include_router(session_routes.router)
    if settings.serves_page:
        api.router.default = _Page(api.router.not_found)
    _answer_problems(api)
    set_document(api, settings)

    def check_room() -> None:
        if hasattr(api.state, "engine"):
            api.state.engine.batcher.check_room(1)

    rates = Buckets() if settings.state_path is None else SharedBuckets(settings.state_path)
    app: ASGIApp = Gate(
        api,
        settings=settings,
        metrics=metrics,
        audit=audit,
        keys=keys,
        rates=rates,
        check_room=check_room,
    )
    if settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Retry-After", "Server-Timing", "X-Request-Id"],
        )
    return Application(api, settings, app)


class _Page:
    """The files of the web page, for paths that nothing else answers.

    A mount at `/` would also catch wrong methods of other paths, and answer for them.
    """

    def __init__(self, not_found: ASGIApp) -> None:
        self._files = StaticFiles(directory=_STATIC, html=True)
        self._not_found = not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and route_of(scope["path"]) == "page"
        await (self._files if is_page else self._not_found)(scope, receive, send)


def make_state_folder() -> str:
    """Make the folder that the workers of one service share."""
    return tempfile.mkdtemp(prefix="yinzi-serve-")


def _answer_problems(api: FastAPI) -> None:
    """Give all errors one shape, and none the text of a request."""

    @api.exception_handler(Problem)
    async def of_problem(request: Request, error: Problem) -> Response:
        return problem_response(error)

    @api.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        word = {404: "not_found", 405: "method"}.get(error.status_code, "bad_request")
        answer = problem_response(Problem(error.status_code, word, str(error.detail)))
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        if error.status_code == 405:
            # The header of the error names the methods of the first of several routes alone.
            path = request.scope["path"]
            methods = [
                one.methods or ()
                for one in inputtools.router.routes + routes.router.routes
                if isinstance(one, Route) and one.path == path
            ]
            answer.headers["Allow"] = ", ".join(sorted({m for some in methods for m in some}))
        return answer

    @api.exception_handler(YinziError)
    async def of_library(request: Request, error: YinziError) -> Response:
        # Its message goes to the caller, whose text it may quote, and nowhere else.
        return problem_response(Problem(422, "refused", str(error)))

    @api.exception_handler(Exception)
    async def of_failure(request: Request, error: Exception) -> Response:
        # It is raised again behind this answer, and the gate notes it.
        return problem_response(failure(request.scope["yinzi.facts"].request_id))

    @api.exception_handler(RequestValidationError)
    async def of_body(request: Request, error: RequestValidationError) -> Response:
        fields = [_field_error(one) for one in error.errors()[:20]]
        first = fields[0] if fields else {"field": "body", "message": "cannot be read"}
        content = {
            "error": "invalid",
            "detail": f"{first['field']}: {first['message']}",
            "fields": fields,
        }
        return JSONResponse(content, 422)


def _field_error(error: Any) -> dict[str, str]:
    """Return place and message of one error, without the value that was given."""
    place = ".".join(str(part) for part in error["loc"] if part != "body")
    clean = place.encode("utf-8", "replace").decode("utf-8")
    message = "not JSON" if error["type"] == "json_invalid" else str(error["msg"])
    return {"field": clean[:200] or "body", "message": message.encode("utf-8", "replace").decode()}
