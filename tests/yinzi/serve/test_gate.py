from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from yinzi.errors import ConfigError
from yinzi.serve import Settings, create_app
from yinzi.serve.keys import add_key, revoke_key

MakeClient = Callable[..., AbstractContextManager[TestClient]]
BODY = {"pinyin": "nihao"}


class Guarded(NamedTuple):
    client: TestClient
    path: Path
    audit: Path


@pytest.fixture
def guarded(make_client: MakeClient, tmp_path: Path) -> Iterator[Guarded]:
    path, audit = tmp_path / "keys.json", tmp_path / "audit.jsonl"
    add_key(path, name="first", now=0.0)
    with make_client(keys_path=str(path), audit_log=str(audit)) as client:
        yield Guarded(client, path, audit)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def add(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setattr("yinzi.serve.keys._LOOK_AGAIN", 0.0)
    return lambda **options: add_key(guarded.path, name="x", now=time.time(), **options)[1]


def test_without_a_key_nothing_is_answered_but_health(guarded: Guarded) -> None:
    answer = guarded.client.post("/v1/convert", json=BODY)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert guarded.client.get("/v1/models").status_code == 401
    assert guarded.client.get("/metrics").status_code == 401
    assert guarded.client.get("/inputtools/request?text=a").status_code == 401
    assert guarded.client.get("/health").status_code == 200
    assert guarded.client.get("/ready").status_code == 200
    assert guarded.client.get("/").status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic eDp5", "Bearer yz_a_b", ""])
def test_wrong_keys_are_refused(guarded: Guarded, header: str) -> None:
    answer = guarded.client.post("/v1/convert", json=BODY, headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_right_key_is_let_in_and_noted(guarded: Guarded, add: Callable[..., str]) -> None:
    token = add()
    assert guarded.client.post("/v1/convert", json=BODY, headers=bearer(token)).status_code == 200
    text = guarded.audit.read_text()
    assert f'"key_id": "{token.split("_")[1]}"' in text
    assert token.split("_", 2)[2] not in text


def test_expired_and_revoked_keys_are_refused(guarded: Guarded, add: Callable[..., str]) -> None:
    expired = add(lifetime=0.01)
    revoked = add()
    revoke_key(guarded.path, revoked.split("_")[1])
    time.sleep(0.02)
    for token in (expired, revoked):
        answer = guarded.client.post("/v1/convert", json=BODY, headers=bearer(token))
        assert answer.status_code == 401


def test_a_key_allows_its_scopes_alone(guarded: Guarded, add: Callable[..., str]) -> None:
    headers = bearer(add(scopes=["annotate"]))
    assert guarded.client.post("/v1/convert", json=BODY, headers=headers).status_code == 403
    answer = guarded.client.post("/v1/annotate", json={"text": "你"}, headers=headers)
    assert answer.status_code == 200
    metrics = bearer(add(scopes=["metrics"]))
    assert guarded.client.get("/metrics", headers=metrics).status_code == 200


def test_a_key_over_its_limit_is_told_when_to_come_back(
    guarded: Guarded, add: Callable[..., str]
) -> None:
    headers = bearer(add(rate=0.25, burst=2))
    statuses = [
        guarded.client.post("/v1/convert", json=BODY, headers=headers).status_code for _ in range(3)
    ]
    assert statuses == [200, 200, 429]
    answer = guarded.client.post("/v1/convert", json=BODY, headers=headers)
    assert 1 <= int(answer.headers["Retry-After"]) <= 4
    assert guarded.client.post("/v1/convert", json=BODY, headers=bearer(add())).status_code == 200


def test_a_key_in_the_address_needs_a_setting(make_client: MakeClient, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    _, token = add_key(path, name="x", now=0.0)
    address = f"/inputtools/request?text=nihao&key={token}"
    with make_client(keys_path=str(path)) as client:
        assert client.get(address).status_code == 401
    with make_client(keys_path=str(path), inputtools_key_parameter=True) as client:
        assert client.get(address).status_code == 200
        assert client.get(f"/v1/models?key={token}").status_code == 401


def test_websockets_need_a_key_too(guarded: Guarded, add: Callable[..., str]) -> None:
    url = "ws://localhost/v1/session"
    with pytest.raises(WebSocketDenialResponse) as denied, guarded.client.websocket_connect(url):
        pass
    assert denied.value.status_code == 401
    token = add()
    with guarded.client.websocket_connect(url, headers=bearer(token)) as opened:
        opened.send_json({"type": "start"})
        assert opened.receive_json()["type"] == "state"
    protocols = ["yinzi.v1", f"yinzi.key.{token}"]
    with guarded.client.websocket_connect(url, subprotocols=protocols) as opened:
        assert opened.accepted_subprotocol == "yinzi.v1"


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost", True),
        ("https://page.example", True),
        ("https://evil.example", False),
        ("null", False),
    ],
)
def test_websockets_of_other_pages_are_refused(
    make_client: MakeClient, origin: str, is_allowed: bool
) -> None:
    url, headers = "ws://localhost/v1/session", {"Origin": origin}
    with make_client(cors_origins=("https://page.example",)) as client:
        if is_allowed:
            with client.websocket_connect(url, headers=headers):
                pass
        else:
            with (
                pytest.raises(WebSocketDisconnect),
                client.websocket_connect(url, headers=headers),
            ):
                pass


def test_other_names_for_a_loopback_service_are_refused(client: TestClient) -> None:
    for host in ("evil.example", "localhost.evil.example", ""):
        answer = client.get("/v1/models", headers={"Host": host})
        assert answer.status_code == 400
        assert answer.json()["error"] == "unknown_host"
    for host in ("localhost:8462", "127.0.0.1", "[::1]:80", "LOCALHOST"):
        assert client.get("/v1/models", headers={"Host": host}).status_code == 200


def test_other_pages_may_not_read_unless_they_are_named(
    client: TestClient, make_client: MakeClient
) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    closed = client.options("/v1/convert", headers=asked)
    assert "access-control-allow-origin" not in closed.headers
    assert "access-control-allow-origin" not in client.get("/v1/models", headers=asked).headers
    with make_client(cors_origins=("https://page.example",)) as opened:
        answer = opened.options("/v1/convert", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        other = {**asked, "Origin": "https://evil.example"}
        answer = opened.options("/v1/convert", headers=other)
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/v1/models", "/nothing", "/health"])
def test_every_answer_has_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert len(headers["X-Request-Id"]) == 16
    assert headers["Server-Timing"].startswith("total;dur=")


def test_answers_of_the_api_are_not_kept_by_browsers(client: TestClient) -> None:
    assert client.post("/v1/convert", json=BODY).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json; charset=gbk"}, 415),
        ({"Content-Type": "application/json; charset=UTF-8"}, 200),
        ({"Content-Length": "99999999"}, 413),
    ],
)
def test_headers_of_bodies_are_checked(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    answer = client.post("/v1/convert", content=b'{"pinyin": "nihao"}', headers=sent)
    assert answer.status_code == status


def test_an_open_service_without_keys_is_not_made() -> None:
    with pytest.raises(ConfigError, match="--insecure"):
        create_app(Settings(host="0.0.0.0"))
