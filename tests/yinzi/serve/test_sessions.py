from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from yinzi.converter import Converter
from yinzi.serve.batching import Batcher
from yinzi.serve.problems import Problem
from yinzi.serve.sessions import SessionState, TypingSession, open_session

URL = "ws://localhost/v1/session"


@pytest.fixture
def session(converter: Converter) -> TypingSession:
    return open_session(converter, left_context="", page_size=5)


def texts(state: SessionState) -> list[str]:
    return [one.text for one in state.candidates]


def test_letters_are_converted_and_a_blank_commits(session: TypingSession) -> None:
    state = session.press(list("nihao"))
    assert (state.preedit, state.cursor, texts(state)[0]) == ("ni hao", 6, "你好")
    state = session.press([" "])
    assert (state.commit, state.preedit, state.candidates) == ("你好", "", ())
    assert session.press(["n"]).commit == ""


def test_a_word_for_the_first_letters_leaves_the_rest(session: TypingSession) -> None:
    state = session.press(list("nihao"))
    while "你" not in texts(state):
        state = session.press(["PageDown"])
    state = session.press([str(texts(state).index("你") + 1)])
    assert (state.preedit, state.commit) == ("你hao", "")
    assert texts(state)[0] == "好"
    assert session.press([" "]).commit == "你好"


def test_a_choice_can_be_taken_back(session: TypingSession) -> None:
    state = session.press(list("nihao"))
    page = 0
    while "你" not in texts(state):
        state = session.press(["PageDown"])
        page += 1
        assert state.page == page
    session.select(texts(state).index("你"))
    assert session.press(["Backspace"]).preedit == "ni hao"
    assert session.press(["Backspace"] * 3).letters == "ni"


def test_highlight_and_pages_stay_in_bounds(session: TypingSession) -> None:
    state = session.press(list("nihao"))
    assert session.press(["ArrowUp"]).highlighted == 0
    assert session.press(["ArrowDown"]).highlighted == 1
    for _ in range(30):
        state = session.press(["PageDown"])
    assert state.page == state.n_pages - 1
    for _ in range(30):
        state = session.press(["PageUp"])
    assert state.page == 0


def test_enter_escape_and_other_characters(session: TypingSession) -> None:
    session.press(list("ni"))
    assert session.press(["Enter"]).commit == "ni"
    session.press(list("ni"))
    state = session.press(["Escape"])
    assert (state.preedit, state.commit) == ("", "")
    session.press(list("nihao"))
    assert session.press(["，"]).commit == "你好，"


def test_keys_that_mean_nothing_are_left_to_the_application(session: TypingSession) -> None:
    for key in ("Enter", "Backspace", "F5", "1", " ", "，"):
        state = session.press([key])
        assert (state.is_handled, state.commit) == (False, "")


def start(opened: WebSocketTestSession, **fields: Any) -> dict[str, Any]:
    opened.send_json({"type": "start", **fields})
    answer: dict[str, Any] = opened.receive_json()
    return answer


def ask(opened: WebSocketTestSession, message: Any) -> dict[str, Any]:
    opened.send_text(message if isinstance(message, str) else json.dumps(message))
    answer: dict[str, Any] = opened.receive_json()
    return answer


def test_the_whole_conversation(client: TestClient) -> None:
    with client.websocket_connect(URL, subprotocols=["yinzi.v1"]) as opened:
        assert start(opened, left_context="我要去")["preedit"] == ""
        state = ask(opened, {"type": "key", "keys": list("xian"), "id": 7})
        assert (state["type"], state["id"], state["preedit"]) == ("state", 7, "xian")
        assert state["ms"] > 0
        second = state["candidates"][1]["text"]
        state = ask(opened, {"type": "select", "index": 1})
        assert state["commit"] == second
        assert ask(opened, {"type": "reset", "left_context": ""})["preedit"] == ""


def test_options_of_a_session(client: TestClient) -> None:
    with client.websocket_connect(URL) as opened:
        start(opened)
        state = ask(opened, {"type": "key", "keys": list("nhiao")})
        assert state["candidates"][0]["text"] == "你好"  # slips are corrected by default
        options = {"script": "traditional", "punctuation": "chinese", "corrects_typing": False}
        start(opened, options=options, n_suggestions=3, page_size=5)
        state = ask(opened, {"type": "key", "keys": list("jipiao")})
        assert state["candidates"][0]["text"] == "機票"
        assert ask(opened, {"type": "key", "keys": [","]})["commit"] == "機票，"
        start(opened, options={"scheme": "xiaohe"})
        state = ask(opened, {"type": "key", "keys": list("nihc")})
        assert (state["candidates"][0]["text"], state["letters"]) == ("你好", "nihc")


@pytest.mark.parametrize("scheme", ["nine-keys", "/etc/passwd", "../x.toml", "C:\\x.toml"])
def test_schemes_without_letters_and_files_are_refused(client: TestClient, scheme: str) -> None:
    with client.websocket_connect(URL) as opened:
        answer = start(opened, options={"scheme": scheme})
        assert answer["error"] == "not_available"


def test_many_keys_take_turns_and_none_is_lost_to_a_full_queue(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []
    real = Batcher.call

    async def call(self: Batcher, function: Any, **options: Any) -> Any:
        calls.append(is_full := len(calls) == 3)
        if is_full:
            raise Problem(429, "busy", "full", retry_after=0.01)
        return await real(self, function, **options)

    with client.websocket_connect(URL) as opened:
        start(opened)
        monkeypatch.setattr(Batcher, "call", call)
        state = ask(opened, {"type": "key", "keys": [*"nihao", " ", *"xian"]})
        assert (state["commit"], state["letters"]) == ("你好", "xian")
        assert len(calls) == 11
        calls[:] = [False] * 3  # full from the first key on: nothing has changed
        assert ask(opened, {"type": "key", "keys": ["x"]})["error"] == "busy"
        assert ask(opened, {"type": "key", "keys": ["x"]})["letters"] == "xianx"


def test_next_words_are_shown_to_those_who_ask(client: TestClient) -> None:
    with client.websocket_connect(URL) as opened:
        start(opened, n_suggestions=5)
        state = ask(opened, {"type": "key", "keys": [*"woyao", " "]})
        assert (state["commit"], state["is_suggesting"]) == ("我要", True)
        chosen = state["candidates"][0]["text"]
        assert ask(opened, {"type": "select", "index": 0})["commit"] == chosen


def test_keys_with_others_held_and_unknown_ones(session: TypingSession) -> None:
    session.press(list("nihao"))
    assert session.press(["ctrl+ArrowLeft"]).cursor == 2
    assert not session.press(["MediaPlay"]).is_handled
    assert not session.press(["meta+a"]).is_handled
    assert not session.select(99).is_handled


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "null",
        '{"type": "start", "page_size": 0}',
        '{"type": "explode"}',
        '{"type": "key", "keys": []}',
        '{"type": "key", "keys": ["\\ud800"]}',
        '{"type": "key", "keys": "n"}',
        '{"type": "select", "index": -1}',
        '{"type": "start", "options": {"scheme": "telepathy"}}',
        '{"type": "key", "keys": ["n"], "id": 1e400}',
        "[" * 5_000,
        "x" * 20_000,
    ],
)
def test_bad_messages_are_answered_and_change_nothing(client: TestClient, message: str) -> None:
    with client.websocket_connect(URL) as opened:
        start(opened)
        ask(opened, {"type": "key", "keys": ["n"]})
        answer = ask(opened, message)
        assert answer["type"] == "error"
        assert set(answer) >= {"error", "detail", "id"}
        assert ask(opened, {"type": "key", "keys": ["i"]})["preedit"] == "ni"


def test_messages_before_the_start_and_bytes_are_refused(client: TestClient) -> None:
    with client.websocket_connect(URL) as opened:
        assert ask(opened, {"type": "key", "keys": ["n"]})["error"] == "not_started"
        opened.send_bytes(b"\xff\x00")
        assert opened.receive_json()["error"] == "invalid"


def test_who_sends_nonsense_only_is_cut_off(client: TestClient) -> None:
    with client.websocket_connect(URL) as opened:
        for _ in range(20):
            assert ask(opened, "x")["type"] == "error"
        with pytest.raises(WebSocketDisconnect) as ended:
            opened.receive_json()
        assert ended.value.code == 1008


def test_idle_sessions_and_too_many_are_closed(
    make_client: Callable[..., AbstractContextManager[TestClient]],
) -> None:
    with make_client(max_sessions=1, session_idle_seconds=0.2) as client:
        with client.websocket_connect(URL) as opened:
            start(opened)
            with (
                pytest.raises(WebSocketDisconnect) as full,
                client.websocket_connect(URL),
            ):
                pass
            assert full.value.code == 1013
            with pytest.raises(WebSocketDisconnect) as idle:
                opened.receive_json()
            assert idle.value.code == 1001
        with client.websocket_connect(URL) as opened:
            assert start(opened)["type"] == "state"


keys = st.one_of(
    st.sampled_from([*"nihaoxian' 12359=-，a", "Enter", "Escape", "Backspace", "PageDown"]),
    st.sampled_from(["PageUp", "ArrowDown", "ArrowUp", "ArrowLeft", "Tab", "\x00", "中"]),
    st.text(min_size=1, max_size=3),
)
messages = st.one_of(
    st.builds(lambda k: {"type": "key", "keys": k}, st.lists(keys, min_size=1, max_size=6)),
    st.builds(lambda i: {"type": "select", "index": i}, st.integers(-1, 60)),
    st.builds(lambda c: {"type": "reset", "left_context": c}, st.text(max_size=8)),
    st.builds(lambda n: {"type": "start", "page_size": n}, st.integers(-1, 60)),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
)


@settings(max_examples=10)
@given(sent=st.lists(messages, max_size=12))
def test_fuzzed_messages_neither_break_nor_leak(client: TestClient, sent: list[Any]) -> None:
    """Two sessions at once: one is fuzzed, the other must see its own text alone."""
    with client.websocket_connect(URL) as fuzzed, client.websocket_connect(URL) as other:
        start(other, left_context="我要")
        start(fuzzed)
        ask(other, {"type": "key", "keys": list("mai")})
        for message in sent:
            answer = ask(fuzzed, json.dumps(message))
            assert answer["type"] in ("state", "error")
            assert "买" not in json.dumps(answer, ensure_ascii=False)
        state = ask(other, {"type": "key", "keys": list("jipiao")})
        assert state["letters"] == "maijipiao"
        assert ask(other, {"type": "key", "keys": [" "]})["commit"] == "买机票"
