"""What only a real connection can show: slow, endless and broken requests."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

HEAD = b"POST /v1/convert HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def connect(service: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def send(service: Any, raw: bytes) -> bytes:
    with connect(service) as connection:
        connection.sendall(raw)
        return read_all(connection)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def resident_kib(service: Any) -> int:
    text = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def post(body: bytes, *, more: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n".encode()
    return HEAD + length + more + b"Connection: close\r\n\r\n" + body


def test_a_good_request_is_answered(service: Any) -> None:
    answer = send(service, post(b'{"pinyin": "nihao"}'))
    assert status(answer) == 200
    assert "你好".encode() in answer
    assert b"\r\nserver:" not in answer.lower()


def test_a_slow_body_is_given_up(service: Any) -> None:
    with connect(service) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        started = time.monotonic()
        answer = read_all(connection)
    assert status(answer) == 408
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("first", [b"", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_slow_header_is_cut_off(service: Any, first: bytes) -> None:
    with connect(service) as connection:
        if first:
            connection.sendall(first)
            assert status(connection.recv(65_536)) == 200
        connection.sendall(b"GET /health HT")
        assert b"HTTP/1.1" not in read_all(connection)


def test_an_endless_body_is_cut_off_with_bounded_memory(service: Any) -> None:
    before = resident_kib(service)
    for _ in range(3):
        with connect(service) as connection:
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
            try:
                for _ in range(800):  # 50 MB
                    connection.sendall(chunk)
            except OSError:
                pass
            try:
                answer = read_all(connection)
            except OSError:
                continue
            assert not answer or status(answer) == 413
    assert resident_kib(service) - before < 20_000


def test_a_large_body_is_refused_before_it_is_sent(service: Any) -> None:
    with connect(service) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        assert status(read_all(connection)) == 413


def test_a_body_over_the_limit_is_refused(service: Any) -> None:
    body = json.dumps({"pinyin": "a" * 30_000}).encode()
    assert status(send(service, post(body))) == 413


def test_a_body_in_another_encoding_is_refused(service: Any) -> None:
    for encoding in ("gbk", "utf-16"):
        body = json.dumps({"text": "你好"}, ensure_ascii=False).encode(encoding)
        assert status(send(service, post(body))) in (400, 422)
    gzip = post(b"\x1f\x8b\x08", more=b"Content-Encoding: gzip\r\n")
    assert status(send(service, gzip)) == 415


@pytest.mark.parametrize(
    "path",
    [
        "/../settings.py",
        "/..%2fsettings.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/....//settings.py",
        "//etc/passwd",
        "/static/../../app.py",
        "/..\\settings.py",
        "/%00",
        "/index.html%00.py",
        "/" + "a" * 5_000,
    ],
)
def test_paths_do_not_leave_the_folder_of_the_page(service: Any, path: str) -> None:
    raw = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    answer = send(service, raw)
    assert status(answer) in (400, 404)
    assert b"root:" not in answer
    assert b"import" not in answer


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(service: Any, raw: bytes) -> None:
    with connect(service) as connection:
        try:
            connection.sendall(raw)
            answer = connection.recv(65_536)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
    assert not answer or status(answer) == 400
    assert status(send(service, post(b'{"pinyin": "a"}'))) == 200


def test_log_and_audit_hold_no_text(service: Any) -> None:
    raw = b"GET /inputtools/request?text=geheim HTTP/1.1\r\nHost: localhost\r\n"
    assert status(send(service, raw + b"Connection: close\r\n\r\n")) == 200
    send(service, b"GET /geheim?geheim=1 geheim\r\n\r\n")
    send(service, post(b'{"pinyin": ["geheim"]}'))
    time.sleep(0.1)
    assert "geheim" not in service.audit.read_text()
    assert "geheim" not in "".join(service.log)
