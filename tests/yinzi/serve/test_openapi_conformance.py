"""Requests made from the OpenAPI document: no failure inside, no answer that breaks its promise."""

from __future__ import annotations

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, settings  # noqa: E402

from tests.yinzi.tiny_lexicon import TINY  # noqa: E402
from yinzi.serve import Settings, create_app  # noqa: E402

# Every generated request has a name that the service answers to.
app = create_app(Settings(artifact=str(TINY), allowed_hosts=("testserver", "localhost")))
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests_are_answered_as_documented(case: schemathesis.Case) -> None:
    case.call_and_validate()
