"""Run the service: listen, start workers, replace those that die, stop without losing requests."""

from __future__ import annotations

import math
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from yinzi.artifact import Artifact
from yinzi.errors import ConfigError
from yinzi.serve import missing_extra
from yinzi.serve.settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from yinzi.serve.app import Application

__all__ = ["make_config", "run_service"]

_MAX_HEADER_BYTES = 16_384
_BACKLOG = 1_024
_KEEP_ALIVE = 30
_SWITCH_SECONDS = 0.0005


def make_config(settings: Settings) -> uvicorn.Config:
    """Return how uvicorn is to serve an application with these settings."""
    import uvicorn

    from yinzi.serve.connections import TimedProtocol

    config = uvicorn.Config(
        partial(_make_app, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=TimedProtocol,
        ws="websockets-sansio",
        lifespan="on",
        log_level="warning",
        access_log=False,  # it writes addresses with their parameters, which may hold texts
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout),
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        ws_max_size=settings.max_message_bytes,
        ws_max_queue=4,
        ws_per_message_deflate=False,  # a small message can hold a large one
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    config.header_timeout = settings.header_timeout  # type: ignore[attr-defined]
    return config


def run_service(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until a signal ends it: SIGTERM or Ctrl-C finish what was accepted.

    Args:
        settings: of the service.
        announce: is told the address once connections are taken.

    Raises:
        MissingExtra: the extra `serve` is not installed.
        ConfigError: it would serve everyone without keys, or cannot listen.
        ArtifactError: there is no such artifact.
    """
    settings.check_exposure()
    Artifact.open(settings.artifact, verify=False)  # says here what is wrong, not in a worker
    try:
        import uvicorn
        from uvicorn.supervisors import Multiprocess

        from yinzi.serve.app import make_state_folder
        from yinzi.serve.keys import KeyStore
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    if settings.keys_path is not None:
        KeyStore(settings.keys_path)
    listening = _listen(settings)
    kind = "https" if settings.tls_certificate is not None else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    announce(f"{kind}://{host}:{listening.getsockname()[1]}")
    if settings.workers == 1:
        uvicorn.Server(make_config(settings)).run([listening])
        return
    state_path = settings.state_path or make_state_folder()
    metrics_path = Path(state_path) / "metrics"
    metrics_path.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_path)
    try:
        config = make_config(replace(settings, state_path=state_path))
        Multiprocess(config, sockets=[listening]).run()
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        if settings.state_path is None:
            shutil.rmtree(state_path, ignore_errors=True)


def _make_app(settings: Settings) -> Application:
    """Return the application of one worker, in its process."""
    from yinzi.serve.app import create_app

    # The thread that converts gives way to the one that answers ten times as often as usual:
    # otherwise every refusal of a busy service waits some 5 ms several times over.
    sys.setswitchinterval(_SWITCH_SECONDS)
    return create_app(settings)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    host = settings.host.strip("[]")
    try:
        listening = socket.create_server((host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; "
            "choose another with --host and --port"
        ) from error
    listening.set_inheritable(True)
    return listening
