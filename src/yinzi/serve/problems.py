"""Say what is wrong with a request: one shape of error for every path."""

from __future__ import annotations

import json
import math

from starlette.responses import Response

__all__ = ["Problem", "problem_response"]


class Problem(Exception):  # noqa: N818 - an answer to the caller, not a failure
    """An error that the caller gets to read.

    Attributes:
        status: of HTTP.
        error: a word for programs.
        detail: a sentence for people; never quotes texts of a request.
        retry_after: seconds after which trying again makes sense, None where it does not.
    """

    def __init__(
        self, status: int, error: str, detail: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error
        self.detail = detail
        self.retry_after = retry_after

    def to_dict(self) -> dict[str, object]:
        """Return the body of the answer."""
        return {"error": self.error, "detail": self.detail}


def problem_response(problem: Problem) -> Response:
    """Return the answer for a problem."""
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="yinzi"'
    if problem.status in (408, 413):
        headers["Connection"] = "close"
    body = json.dumps(problem.to_dict(), ensure_ascii=False)
    return Response(body, problem.status, headers, media_type="application/json")
