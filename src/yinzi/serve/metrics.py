"""Count requests, queues and answers for Prometheus; labels are fixed words, never texts.

With several workers each writes its counts into memory-mapped files of one folder
(`PROMETHEUS_MULTIPROC_DIR`, set before the workers start), and any of them answers for all.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counts of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter(
            "yinzi_requests",
            "Requests answered, by path and status.",
            ("route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "yinzi_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.rejected = Counter(
            "yinzi_rejected",
            "Requests that were turned away, by reason.",
            ("reason",),
            registry=registry,
        )
        self.queue_units = Gauge(
            "yinzi_queue_units",
            "Work that waits; a line of up to 32 characters is one unit.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "yinzi_queue_seconds",
            "Time that work waits before it is taken up.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_lines = Histogram(
            "yinzi_batch_lines",
            "Lines that are converted together.",
            buckets=_SIZES,
            registry=registry,
        )
        self.lines = Counter("yinzi_lines", "Inputs converted.", registry=registry)
        self.candidates = Counter("yinzi_candidates", "Candidates answered.", registry=registry)
        self.sessions = Gauge(
            "yinzi_sessions",
            "WebSocket sessions that are open.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.errors = Counter("yinzi_errors", "Requests that failed inside.", registry=registry)

    def render(self) -> bytes:
        """Return all counts as Prometheus reads them; of all workers where there are several."""
        registry = self._registry
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if folder:
            _forget_dead(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _forget_dead(folder: Path) -> None:
    """Remove what workers that are gone had open; what they counted stays."""
    for path in folder.glob("gauge_live*.db"):
        pid = path.stem.rsplit("_", 1)[-1]
        if pid.isdigit() and not _is_alive(int(pid)):
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
