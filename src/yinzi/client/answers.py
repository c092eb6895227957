"""Turn answers of the service into the values that clients give: shared by both clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yinzi.errors import YinziError

__all__ = [
    "Candidate",
    "ServiceError",
    "SessionState",
    "batch_body",
    "read_candidates",
    "read_error",
    "read_state",
    "session_address",
]


class ServiceError(YinziError):
    """The service refused, failed, or could not be reached.

    Attributes:
        status: of HTTP, 0 if there was no answer.
        error: the service's word for it; "connection" if there was no answer.
    """

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(f"{detail} ({error}, status {status})" if status else detail)
        self.status = status
        self.error = error


@dataclass(frozen=True)
class Candidate:
    """A text for an input; as `yinzi.converter.Candidate`."""

    text: str
    logprob: float
    start: int
    end: int
    kind: str
    syllables: tuple[str, ...]


@dataclass(frozen=True)
class SessionState:
    """What a typist sees after a key; see docs/serving.md."""

    preedit: str
    cursor: int
    candidates: tuple[str, ...]
    page: int
    n_pages: int
    highlighted: int
    commit: str
    is_handled: bool


def read_candidates(answer: Mapping[str, Any]) -> list[Candidate]:
    """Return the candidates of one input."""
    return [
        Candidate(**{**one, "syllables": tuple(one["syllables"])}) for one in answer["candidates"]
    ]


def batch_body(
    pinyin: Sequence[str],
    left_contexts: Sequence[str] | None,
    n_best: int,
    options: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the body of a request with several inputs."""
    contexts = left_contexts if left_contexts is not None else [""] * len(pinyin)
    inputs = [
        {"pinyin": one, "left_context": context}
        for one, context in zip(pinyin, contexts, strict=True)
    ]
    return {"inputs": inputs, "n_best": n_best, "options": dict(options or {})}


def read_error(status: int, body: Any) -> ServiceError:
    """Return the error that an answer stands for."""
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return ServiceError(status, body["error"], str(body.get("detail", "")))
    return ServiceError(status, "unknown", "the service answered what is no answer of yinzi")


def read_state(message: Mapping[str, Any]) -> SessionState:
    """Return the state that a message of a session holds.

    Raises:
        ServiceError: it is an error.
    """
    if message.get("type") != "state":
        raise ServiceError(0, str(message.get("error")), str(message.get("detail")))
    return SessionState(
        message["preedit"],
        message["cursor"],
        tuple(one["text"] for one in message["candidates"]),
        message["page"],
        message["n_pages"],
        message["highlighted"],
        message["commit"],
        message["is_handled"],
    )


def session_address(address: str) -> str:
    """Return where sessions are.

    >>> session_address("https://yinzi.example/")
    'wss://yinzi.example/v1/session'
    """
    return "ws" + address.rstrip("/").removeprefix("http") + "/v1/session"
