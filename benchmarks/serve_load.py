"""Load a service on this machine: its overhead over the library, and what it does when it is full.

    python -m benchmarks.serve_load --seconds 10 --workers 2

Four parts. `overhead`: one client sends batches of 32 to a service with one worker, against the
same batches through `Converter.convert_batch` in this process. `sustained`: several clients keep
all workers busy with batches, and another run with single lines. `overload`: batches come at
ten times the rate that was sustained, whether or not answers come; what is refused must be refused
quickly, memory must stay, and a request after the end must be answered at once. `kill`: a worker
is killed under load; clients that send again see no failure. The client takes a part of the same
cores, so the rates are lower bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

import yinzi
from benchmarks.machine import machine_facts
from yinzi.client import AsyncClient, RetryPolicy, ServiceError

__all__ = ["main"]

_LINES = (
    "woyaomaijipiao",
    "jintiantianqihenhao",
    "women mingtian qu beijing",
    "tadeshengrishijihao",
    "qingwenhuochezhanzenmezou",
    "wo xiang xue zhongwen",
    "zhegewentihennanhuida",
    "xiexienidebangzhu",
)
_BATCH = 32
_PATH = "/v1/convert"


class Service:
    """`yinzi serve` in processes of its own."""

    def __init__(self, workers: int, artifact: str) -> None:
        command = [sys.executable, "-m", "yinzi.cli", "serve", "--port", "0"]
        command += ["--workers", str(workers), "--artifact", artifact]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stderr is not None
        self.url = self.process.stderr.readline().strip().rpartition(" ")[2]
        httpx.post(self.url + _PATH, json={"pinyin": "nihao"}, timeout=120).raise_for_status()
        time.sleep(1.0)

    def workers(self) -> list[int]:
        """Return the ids of the processes that convert."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        found = [int(one) for one in text.split()]
        found = [one for one in found if b"spawn_main" in _command(one)]
        return found or [pid]

    def resident_mib(self) -> float:
        """Return the memory of all workers together."""
        total = 0
        for pid in self.workers():
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            total += int(status.split("VmRSS:")[1].split()[0])
        return round(total / 1024, 1)

    def stop(self) -> None:
        """End it and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        f"p{share}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)] * 1e3, 2)
        for share in (50, 95, 99)
    }


def _batch(source: random.Random) -> list[str]:
    return [source.choice(_LINES) for _ in range(_BATCH)]


async def _post(url: str, body: bytes) -> tuple[int, float]:
    """Send a batch over a connection of its own; return the status and the seconds inside.

    Without a library for HTTP, which would be busier than the service is with a refusal.
    """
    host, port = url.rpartition("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/convert/batch HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        await reader.read()
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError from error
    finally:
        writer.close()
    timing = answer.partition(b"total;dur=")[2].partition(b"\r")[0]
    return int(answer.split(b" ", 2)[1]), float(timing or 0) / 1e3


def measure_overhead(service: Service, artifact: str, seconds: float) -> dict[str, Any]:
    """Compare batches over HTTP with direct calls, taking turns so that both see the same load."""
    converter = yinzi.load(artifact)
    source = random.Random(0)
    direct: list[float] = []
    served: list[float] = []
    with httpx.Client(base_url=service.url, timeout=60) as client:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(direct) < 5:
            lines = _batch(source)
            started = time.perf_counter()
            expected = converter.convert_batch(lines, n_best=1)
            direct.append(time.perf_counter() - started)
            body = {"inputs": [{"pinyin": line} for line in lines], "n_best": 1}
            started = time.perf_counter()
            found = client.post("/v1/convert/batch", json=body).json()["results"]
            served.append(time.perf_counter() - started)
            assert [one["candidates"][0]["text"] for one in found] == [
                one[0].text for one in expected
            ]
    return {
        "batches": len(direct),
        "direct_ms": round(statistics.median(direct) * 1e3, 2),
        "served_ms": round(statistics.median(served) * 1e3, 2),
        "factor": round(statistics.median(served) / statistics.median(direct), 2),
        **_percentiles(served),
    }


async def measure_sustained(
    url: str, seconds: float, *, n_clients: int, batch: int
) -> dict[str, Any]:
    """Keep a service busy with a fixed number of clients."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    async def keep_asking(client: httpx.AsyncClient, source: random.Random) -> None:
        while time.perf_counter() < end:
            started = time.perf_counter()
            if batch == 1:
                answer = await client.post(_PATH, json={"pinyin": source.choice(_LINES)})
            else:
                body = {"inputs": [{"pinyin": line} for line in _batch(source)]}
                answer = await client.post("/v1/convert/batch", json=body)
            statuses[answer.status_code] += 1
            if answer.status_code == 200:
                times.append(time.perf_counter() - started)

    started = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await asyncio.gather(*(keep_asking(client, random.Random(i)) for i in range(n_clients)))
    spent = time.perf_counter() - started
    return {
        "clients": n_clients,
        "requests_a_second": round(len(times) / spent, 1),
        "lines_a_second": round(len(times) * batch / spent, 1),
        "statuses": dict(statuses),
        **_percentiles(times),
    }


async def measure_overload(service: Service, seconds: float, rate: float) -> dict[str, Any]:
    """Send batches at a fixed rate, whether or not answers come."""
    times: dict[int, list[float]] = {}
    inside: dict[int, list[float]] = {}
    before = service.resident_mib()
    highest = before
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        source = random.Random(0)

        async def ask() -> None:
            body = {"inputs": [{"pinyin": line} for line in _batch(source)]}
            started = time.perf_counter()
            try:
                status, timing = await _post(service.url, json.dumps(body).encode())
            except OSError:
                status, timing = 0, 0.0
            inside.setdefault(status, []).append(timing)
            times.setdefault(status, []).append(time.perf_counter() - started)

        tasks: list[asyncio.Task[None]] = []
        begin = time.perf_counter()
        n_sent = 0
        while (now := time.perf_counter() - begin) < seconds:
            while n_sent < now * rate:
                tasks.append(asyncio.create_task(ask()))
                n_sent += 1
            await asyncio.sleep(0.01)
            highest = max(highest, service.resident_mib()) if n_sent % 50 == 0 else highest
        await asyncio.gather(*tasks)
        highest = max(highest, service.resident_mib())
        ended = time.perf_counter()
        while True:
            answer = await client.post(_PATH, json={"pinyin": "nihao"})
            if answer.status_code == 200:
                break
        recovered = time.perf_counter() - ended
    return {
        "sent_a_second": round(n_sent / seconds, 1),
        "answers": {
            str(status): {
                "count": len(some),
                **_percentiles(some),
                "inside": _percentiles(inside.get(status, [])),
            }
            for status, some in sorted(times.items())
        },
        "recovered_after_seconds": round(recovered, 3),
        "resident_mib_before": before,
        "resident_mib_highest": highest,
    }


async def measure_kill(service: Service, seconds: float) -> dict[str, Any]:
    """Kill a worker under load; count what clients see that send again."""
    failures: Counter[str] = Counter()
    n_good = 0
    killed_at = time.perf_counter() + seconds / 3
    end = time.perf_counter() + seconds
    policy = RetryPolicy(attempts=6)

    async def keep_asking(client: AsyncClient, source: random.Random) -> None:
        nonlocal n_good
        while time.perf_counter() < end:
            try:
                await client.convert(source.choice(_LINES), n_best=1)
                n_good += 1
            except ServiceError as error:
                failures[error.error] += 1

    async def kill() -> list[int]:
        await asyncio.sleep(killed_at - time.perf_counter())
        before = service.workers()
        os.kill(before[0], signal.SIGKILL)
        while len(set(service.workers()) - set(before)) == 0:
            await asyncio.sleep(0.05)
        return before

    async with AsyncClient(service.url, timeout=60, retry=policy) as client:
        *_, before = await asyncio.gather(
            *(keep_asking(client, random.Random(i)) for i in range(8)), kill()
        )
    return {
        "answered": n_good,
        "failures": dict(failures),
        "replaced": len(set(service.workers()) - set(before)),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each part")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--artifact", default="base")
    parser.add_argument("--json", type=Path, help="write the result there")
    arguments = parser.parse_args(argv)
    seconds, artifact = arguments.seconds, arguments.artifact
    result: dict[str, Any] = {"machine": machine_facts(core=None)}

    def note(name: str, found: dict[str, Any]) -> None:
        result[name] = found
        print(name, json.dumps(found), file=sys.stderr, flush=True)

    service = Service(1, artifact)
    try:
        note("overhead", measure_overhead(service, artifact, seconds))
    finally:
        service.stop()
    service = Service(arguments.workers, artifact)
    try:
        url = service.url
        batches = asyncio.run(measure_sustained(url, seconds, n_clients=4, batch=_BATCH))
        note("sustained_batches", batches)
        single = asyncio.run(measure_sustained(url, seconds, n_clients=16, batch=1))
        note("sustained_single", single)
        rate = 10 * batches["requests_a_second"]
        note("overload", asyncio.run(measure_overload(service, seconds, rate)))
        if arguments.workers > 1:
            note("kill", asyncio.run(measure_kill(service, seconds)))
    finally:
        service.stop()
    text = json.dumps(result, indent=2) + "\n"
    if arguments.json is not None:
        arguments.json.write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
