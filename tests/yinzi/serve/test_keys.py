from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from yinzi.errors import ConfigError
from yinzi.serve.keys import DEFAULT_SCOPES, ApiKey, KeyStore, add_key, revoke_key
from yinzi.serve.rate_limits import Buckets, SharedBuckets


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_found_by_its_token_alone(path: Path) -> None:
    key, token = add_key(path, name="office", now=0.0)
    _, other = add_key(path, name="lab", now=0.0)
    store = KeyStore(path)
    assert store.find(token) == key
    assert token != other
    for wrong in ("", "yz_", token[:-1], token + "a", token.upper(), f"yz_{key.key_id}_", "ä_ö"):
        assert store.find(wrong) is None
    mixed = f"yz_{key.key_id}_{other.split('_', 2)[2]}"
    assert store.find(mixed) is None


def test_the_file_holds_no_secret_and_is_private(path: Path) -> None:
    _, token = add_key(path, name="office", now=0.0)
    assert token.split("_", 2)[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret" not in repr(KeyStore(path).all_keys())


def test_secrets_are_long(path: Path) -> None:
    _, token = add_key(path, name="office", now=0.0)
    assert len(token.split("_", 2)[2]) >= 43  # 256 bits in base64


def test_an_expired_key_is_refused(path: Path) -> None:
    now = [100.0]
    _, token = add_key(path, name="guest", now=100.0, lifetime=10.0)
    store = KeyStore(path, clock=lambda: now[0])
    assert store.find(token) is not None
    now[0] = 110.0
    assert store.find(token) is None


def test_a_revoked_key_is_refused_by_a_store_that_is_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, token = add_key(path, name="office", now=0.0)
    monkeypatch.setattr("yinzi.serve.keys._LOOK_AGAIN", 0.0)
    store = KeyStore(path)
    assert store.find(token) is not None
    revoke_key(path, key.key_id)
    assert store.find(token) is None
    assert [one.is_revoked for one in store.all_keys()] == [True]


def test_what_cannot_be_done_is_said(path: Path) -> None:
    with pytest.raises(ConfigError, match="keys add"):
        KeyStore(path)
    add_key(path, name="office", now=0.0)
    with pytest.raises(ConfigError, match="no key 'nobody'"):
        revoke_key(path, "nobody")
    with pytest.raises(ConfigError, match="scopes"):
        add_key(path, name="x", now=0.0, scopes=["everything"])
    with pytest.raises(ConfigError, match="lifetime"):
        add_key(path, name="x", now=0.0, lifetime=0.0)
    assert len(KeyStore(path).all_keys()) == 1
    path.write_text('{"format_version": 1}')
    with pytest.raises(ConfigError, match="not a file of keys"):
        KeyStore(path)


def test_metrics_are_no_default_scope(path: Path) -> None:
    key, _ = add_key(path, name="office", now=0.0)
    assert "metrics" not in key.scopes
    assert set(json.loads(path.read_text())["keys"][0]["scopes"]) == set(DEFAULT_SCOPES)


def make_key(key_id: str = "a" * 12) -> ApiKey:
    return ApiKey(key_id, "x", "0" * 64, ("convert",), 0.0, None, rate=2.0, burst=3)


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_bucket_gives_a_burst_then_the_rate(tmp_path: Path, is_shared: bool) -> None:
    now = [0.0]
    buckets = (
        SharedBuckets(tmp_path, clock=lambda: now[0])
        if is_shared
        else Buckets(clock=lambda: now[0])
    )
    key = make_key()
    assert [buckets.take(key) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take(make_key("b" * 12)) == 0.0
    now[0] = 0.5
    assert buckets.take(key) == 0.0
    assert buckets.take(key) == 0.5
    now[0] = 1_000.0
    assert [buckets.take(key) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_shared_buckets_are_one_for_several_workers(tmp_path: Path) -> None:
    workers = [SharedBuckets(tmp_path, clock=lambda: 0.0) for _ in range(3)]
    waits = [worker.take(make_key()) for worker in workers for _ in range(2)]
    assert sum(wait == 0 for wait in waits) == 3
