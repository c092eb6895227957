from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

httpx = pytest.importorskip("httpx", reason="needs the extra 'client'")

from tests.yinzi.serve.conftest import running  # noqa: E402
from yinzi.client import AsyncClient, Client, RetryPolicy, ServiceError  # noqa: E402
from yinzi.converter import Converter  # noqa: E402
from yinzi.errors import ConfigError  # noqa: E402

QUICK = RetryPolicy(attempts=3, first_wait=0.0, longest_wait=5.0)


@pytest.fixture(scope="module")
def address() -> Any:
    with running() as service:
        yield service.url


def answering(*answers: Any) -> tuple[Callable[[Any], Any], list[Any]]:
    """Return a transport's function that gives answers in turn, and the requests it saw."""
    seen: list[Any] = []
    left = list(answers)

    def answer(request: Any) -> Any:
        seen.append(request)
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return httpx.Response(one.status_code, headers=one.headers, content=one.content)

    return answer, seen


def good() -> Any:
    candidate = {
        "text": "你好",
        "logprob": -1.0,
        "start": 0,
        "end": 5,
        "kind": "sentence",
        "syllables": ["ni", "hao"],
    }
    return httpx.Response(200, json={"results": [{"candidates": [candidate]}]})


def busy(seconds: str = "0") -> Any:
    problem = {"error": "busy", "detail": "too much"}
    return httpx.Response(429, json=problem, headers={"Retry-After": seconds})


def convert(function: Callable[[Any], Any], *, is_async: bool, **options: Any) -> Any:
    transport = httpx.MockTransport(function)
    options = {"retry": QUICK, "transport": transport, **options}
    if not is_async:
        with Client("http://service", **options) as client:
            return client.convert("nihao")

    async def ask() -> Any:
        async with AsyncClient("http://service", **options) as client:
            return await client.convert("nihao")

    return asyncio.run(ask())


both = pytest.mark.parametrize("is_async", [False, True])


@both
@pytest.mark.parametrize("first", [busy(), httpx.ConnectError("refused"), httpx.Response(503)])
def test_a_request_is_sent_again_where_that_helps(first: Any, is_async: bool) -> None:
    function, seen = answering(first, good())
    assert convert(function, is_async=is_async)[0].text == "你好"
    assert len(seen) == 2


@both
@pytest.mark.parametrize(
    ("answer", "n_sent", "error"),
    [
        (httpx.Response(422, json={"error": "too_long", "detail": "long"}), 1, "too_long"),
        (httpx.Response(401, json={"error": "key", "detail": "who"}), 1, "key"),
        (busy(), 3, "busy"),
        (busy("60"), 1, "busy"),
        (httpx.ReadTimeout("slow"), 3, "connection"),
        (httpx.Response(500, text="<html>"), 1, "unknown"),
    ],
)
def test_what_stays_wrong_is_raised(answer: Any, n_sent: int, error: str, is_async: bool) -> None:
    function, seen = answering(answer)
    with pytest.raises(ServiceError) as raised:
        convert(function, is_async=is_async)
    assert raised.value.error == error
    assert len(seen) == n_sent


@both
def test_key_and_body_are_sent(is_async: bool) -> None:
    function, seen = answering(good())
    convert(function, is_async=is_async, key="yz_a_b")
    assert seen[0].headers["Authorization"] == "Bearer yz_a_b"
    assert json.loads(seen[0].content)["inputs"] == [{"pinyin": "nihao", "left_context": ""}]


def test_the_answers_are_those_of_the_library(address: str, converter: Converter) -> None:
    lines = ["nihao", "xian", "woyaomaijipiao"]
    expected = [[c.text for c in found] for found in converter.convert_batch(lines, n_best=3)]
    with Client(address, timeout=60) as client:
        found = client.convert_batch(lines, n_best=3)
        assert [[c.text for c in one] for one in found] == expected
        assert client.annotate("你好a") == [("你", "nǐ"), ("好", "hǎo"), ("a", None)]
        assert client.correct("你好")["text"] == "你好"
        assert client.explain("nihao")["candidates"][0]["text"] == "你好"
        assert client.models()["name"] == "tiny"

    async def ask() -> list[str]:
        async with AsyncClient(address, timeout=60) as client:
            answers = await asyncio.gather(*(client.convert(line) for line in lines))
            return [found[0].text for found in answers]

    assert asyncio.run(ask()) == [one[0] for one in expected]


def test_sessions_type(address: str) -> None:
    with Client(address, timeout=60) as client, client.session(left_context="我") as session:
        assert session.type_text("nihao").candidates[0] == "你好"
        assert session.press("Backspace").preedit == "ni ha"
        assert session.press("o", " ").commit == "你好"
        with pytest.raises(ServiceError, match="expected a JSON"):
            session.send({"type": "explode"})
        assert session.reset().preedit == ""

    async def type_async() -> str:
        async with AsyncClient(address, timeout=60) as client, client.session() as session:
            await session.type_text("nihao")
            return (await session.select(0)).commit

    assert asyncio.run(type_async()) == "你好"


def test_no_service_is_said() -> None:
    with Client("http://127.0.0.1:9", retry=QUICK) as client:
        with pytest.raises(ServiceError, match="cannot be reached"):
            client.convert("nihao")
        with pytest.raises(ServiceError, match="broke"), client.session():
            pass


def test_wrong_policies_are_refused() -> None:
    with pytest.raises(ConfigError):
        RetryPolicy(attempts=0)
