"""Several worker processes: one that is killed, and an end that loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from yinzi.serve.keys import add_key

RunService = Callable[..., AbstractContextManager[Any]]
BODY = {"pinyin": "woyaomaijipiao", "n_best": 1}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def wait_for(is_true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def ask(url: str, **options: Any) -> int:
    try:
        return httpx.post(f"{url}/v1/convert", json=BODY, timeout=60, **options).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_the_others_go_on(
    run_service: RunService, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    _, token = add_key(keys, name="x", now=time.time(), scopes=["convert", "metrics"], rate=1e6)
    headers = {"Authorization": f"Bearer {token}"}
    with run_service("--workers", "2", "--keys", str(keys)) as service:
        wait_for(lambda: len(service.children()) == 2)
        assert ask(service.url, headers=headers) == 200
        statuses: list[int] = []
        is_over = threading.Event()

        def keep_asking() -> None:
            while not is_over.is_set():
                statuses.append(ask(service.url, headers=headers))

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        before = service.children()
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len(set(service.children()) - set(before)) == 1)
        n_before = len(statuses)
        wait_for(lambda: len(statuses) > n_before + 20)
        is_over.set()
        for thread in threads:
            thread.join()
        # Only what the killed worker held can be lost: at most one request a thread.
        assert statuses.count(200) >= len(statuses) - 3
        assert set(statuses) <= {0, 200}
        metrics = httpx.get(f"{service.url}/metrics", headers=headers, timeout=60).text
        assert "yinzi_queue_units 0.0" in metrics
        counted = [line for line in metrics.splitlines() if 'convert",status="200"' in line]
        assert float(counted[0].split()[-1]) >= statuses.count(200)


@pytest.mark.slow
def test_the_rate_of_a_key_counts_over_all_workers(run_service: RunService, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    _, token = add_key(keys, name="x", now=time.time(), rate=0.001, burst=6)
    with run_service("--workers", "2", "--keys", str(keys)) as service:
        statuses = [
            ask(service.url, headers={"Authorization": f"Bearer {token}"}) for _ in range(12)
        ]
    assert statuses.count(200) == 6
    assert statuses.count(429) == 6


def test_the_end_finishes_what_was_accepted(run_service: RunService) -> None:
    with run_service() as service:
        assert ask(service.url) == 200
        statuses: list[int] = []
        many = {"inputs": [{"pinyin": "woyaomaijipiao" * 4}] * 120}

        def send() -> None:
            answer = httpx.post(f"{service.url}/v1/convert/batch", json=many, timeout=60)
            statuses.append(answer.status_code)

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(0.2)
        os.kill(service.process.pid, signal.SIGTERM)
        thread.join()
        service.process.wait(60)
        assert statuses == [200]
        assert ask(service.url) == 0
        assert service.log == []


def test_what_keeps_it_from_starting_is_said(run_service: RunService) -> None:
    with run_service("--host", "0.0.0.0") as service:
        assert "--insecure" in service.announced
        assert service.process.wait(60) == 1
    with run_service("--artifact", "/nowhere") as service:
        assert "/nowhere" in service.announced
        assert service.process.wait(60) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_is_served(run_service: RunService, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    with run_service("--tls-certificate", str(certificate), "--tls-key", str(key)) as service:
        assert service.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        answer = httpx.post(f"{service.url}/v1/convert", json=BODY, timeout=60, verify=trusted)
        assert answer.status_code == 200
        assert "max-age" in answer.headers["Strict-Transport-Security"]
