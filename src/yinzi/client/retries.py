"""Say when a request is sent again, and after how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from yinzi.errors import ConfigError

__all__ = ["RetryPolicy"]

_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when.

    Requests of this service change nothing, so any of them may be sent twice: after an answer that
    says "later" (429, 502, 503, 504), and after a connection that broke.

    Attributes:
        attempts: in all, at least 1.
        first_wait: seconds before the second attempt; doubles with each, up to `longest_wait`. A
            random half is left out, so that many clients do not come back at once.
        longest_wait: seconds; an answer that asks for more (Retry-After) is not waited for.
    """

    attempts: int = 4
    first_wait: float = 0.2
    longest_wait: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait < 0 or self.longest_wait < 0:
            raise ConfigError(f"{self}: expected attempts of at least 1 and no negative times")

    def waits(self) -> Iterator[float]:
        """Yield the time before each further attempt.

        >>> list(RetryPolicy(attempts=4, first_wait=1.0, longest_wait=3.0).waits())
        [1.0, 2.0, 3.0]
        """
        for attempt in range(self.attempts - 1):
            yield min(self.longest_wait, self.first_wait * 2**attempt)

    def pause(
        self, wait: float, *, status: int | None, retry_after: str | None, chance: float
    ) -> float | None:
        """Return how long to wait before the next attempt, None for no further one.

        >>> policy = RetryPolicy()
        >>> policy.pause(1.0, status=200, retry_after=None, chance=1.0) is None
        True
        >>> policy.pause(1.0, status=429, retry_after="3", chance=1.0)
        3.0
        >>> policy.pause(1.0, status=None, retry_after=None, chance=0.0)
        0.5

        Args:
            wait: of `waits`.
            status: of HTTP, None if the connection broke.
            retry_after: the header of the answer.
            chance: a random number from 0 to 1.
        """
        if status is not None and status not in _AGAIN:
            return None
        pause = wait * (0.5 + 0.5 * chance)
        if retry_after is not None and retry_after.isdigit():
            if int(retry_after) > self.longest_wait:
                return None
            pause = max(pause, float(retry_after))
        return pause
