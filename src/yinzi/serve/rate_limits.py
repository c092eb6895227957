"""Limit how often a key is used: a token bucket for each, shared by all workers of a service."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from yinzi.serve.keys import ApiKey

__all__ = ["Buckets", "SharedBuckets", "take_token"]

_STATE = struct.Struct("<dd")  # tokens, and when they were counted


def take_token(
    tokens: float, counted: float, *, now: float, rate: float, burst: int
) -> tuple[float, float]:
    """Return the tokens that are left and how many seconds until there is one, 0 if one was taken.

    >>> take_token(1.0, 0.0, now=0.0, rate=2.0, burst=5)
    (0.0, 0.0)
    >>> take_token(0.0, 0.0, now=0.0, rate=2.0, burst=5)
    (0.0, 0.5)
    """
    tokens = min(float(burst), tokens + max(0.0, now - counted) * rate)
    if tokens >= 1:
        return tokens - 1, 0.0
    return tokens, (1 - tokens) / rate


class Buckets:
    """Buckets of one process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[str, tuple[float, float]] = {}

    def take(self, key: ApiKey) -> float:
        """Take a token of a key; return 0, or the seconds until there is one."""
        now = self._clock()
        tokens, counted = self._states.get(key.key_id, (float(key.burst), now))
        tokens, wait = take_token(tokens, counted, now=now, rate=key.rate, burst=key.burst)
        self._states[key.key_id] = (tokens, now)
        return wait


class SharedBuckets:
    """Buckets in a folder: 16 bytes a key, locked while they change.

    Costs some 20 µs a request, which is why one worker keeps its buckets in memory.
    """

    def __init__(self, folder: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock

    def take(self, key: ApiKey) -> float:
        """Take a token of a key; return 0, or the seconds until there is one."""
        import fcntl

        handle = os.open(self._folder / f"rate-{key.key_id}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            now = self._clock()
            kept = os.pread(handle, _STATE.size, 0)
            full = (float(key.burst), now)
            tokens, counted = _STATE.unpack(kept) if len(kept) == _STATE.size else full
            tokens, wait = take_token(tokens, counted, now=now, rate=key.rate, burst=key.burst)
            os.pwrite(handle, _STATE.pack(tokens, now), 0)
        finally:
            os.close(handle)
        return wait
