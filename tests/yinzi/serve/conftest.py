from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'serve'")

from starlette.testclient import TestClient

from tests.yinzi.tiny_lexicon import TINY
from yinzi.serve import Settings, create_app

START_SECONDS = 120


class Service:
    """The program `yinzi serve` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "yinzi.cli", "serve", "--port", "0", *arguments]
        if "--artifact" not in arguments:
            command += ["--artifact", str(TINY)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.announced = self.process.stderr.readline().strip()
        self.url = self.announced.rpartition(" ")[2]
        self.port = int(self.url.rpartition(":")[2]) if "://" in self.url else 0
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = [int(pid) for pid in path.read_text().split()]
        return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return self.process.returncode


@contextmanager
def running(*arguments: str) -> Iterator[Service]:
    service = Service(*arguments)
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def run_service() -> Callable[..., AbstractContextManager[Service]]:
    """Return a function that runs the service with arguments, as a context."""
    return running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one service for all tests that only send to it; its audit log is `service.audit`."""
    folder = tmp_path_factory.mktemp("service")
    config = folder / "serve.toml"
    config.write_text(
        "[serve]\nbody_timeout = 1.0\nheader_timeout = 1.0\nmax_body_bytes = 20000\n"
        f'audit_log = "{folder / "audit.jsonl"}"\n'
    )
    with running("--config", str(config)) as started:
        started.audit = folder / "audit.jsonl"  # type: ignore[attr-defined]
        yield started


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    """Return a client of an application over the tiny artifact, in this process."""
    with open_client() as opened:
        yield opened


@contextmanager
def open_client(load: Any = None, **settings: Any) -> Iterator[TestClient]:
    chosen = {"artifact": str(TINY), **settings}
    extra = {} if load is None else {"load": load}
    app = create_app(Settings(**chosen), **extra)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def make_client() -> Callable[..., AbstractContextManager[TestClient]]:
    """Return a function that opens a client of an application with settings, as a context."""
    return open_client
