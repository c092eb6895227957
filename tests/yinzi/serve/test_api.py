from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from starlette.testclient import TestClient

from yinzi.converter import Converter, output
from yinzi.serve.settings import Settings


def shown(candidates: list[dict[str, Any]]) -> list[tuple[str, float, int, int, str]]:
    return [(c["text"], c["logprob"], c["start"], c["end"], c["kind"]) for c in candidates]


def test_convert_gives_what_the_library_gives(client: TestClient, converter: Converter) -> None:
    body = {"pinyin": "woyaomaijipiao", "left_context": "你好", "n_best": 4}
    answer = client.post("/v1/convert", json=body)
    assert answer.status_code == 200
    expected = converter.convert("woyaomaijipiao", left_context="你好", n_best=4)
    assert shown(answer.json()["candidates"]) == [
        (c.text, c.logprob, c.start, c.end, c.kind) for c in expected
    ]


def test_convert_with_words_gives_a_candidate_window(
    client: TestClient, converter: Converter
) -> None:
    body = {"pinyin": "xian", "includes_words": True, "n_best": 2}
    found = client.post("/v1/convert", json=body).json()["candidates"]
    expected = converter.candidates("xian", n_best=2, limit=102)
    assert [one["text"] for one in found] == [one.text for one in expected]
    assert {one["kind"] for one in found} == {"sentence", "word"}


def test_a_batch_gives_what_single_requests_give(client: TestClient) -> None:
    inputs = [{"pinyin": "nihao"}, {"pinyin": ""}, {"pinyin": "xian", "left_context": "我要去"}]
    batch = client.post("/v1/convert/batch", json={"inputs": inputs, "n_best": 3}).json()
    single = [client.post("/v1/convert", json={**one, "n_best": 3}).json() for one in inputs]
    assert batch["results"] == single


def test_annotate_reads_hanzi(client: TestClient) -> None:
    found = client.post("/v1/annotate", json={"text": "你好a"}).json()["characters"]
    assert [one["pinyin"] for one in found] == ["nǐ", "hǎo", None]
    assert found[0]["pinyin_digits"] == "ni3"
    assert found[0]["zhuyin"] == "ㄋㄧˇ"


def test_correct_shows_what_it_changes(client: TestClient) -> None:
    body = {"text": "泥好！", "change_logprob": -2.0, "n_best": 2}
    found = client.post("/v1/correct", json=body).json()
    assert found["text"] == "你好！"
    (change,) = found["changes"]
    assert (change["start"], change["end"], change["original"]) == (0, 1, "泥")
    assert change["replacement"] == "你"
    assert change["margin"] > 0
    assert "泥好！" in found["alternatives"]


def test_explain_adds_up_and_draws_the_lattice(client: TestClient) -> None:
    found = client.post("/v1/explain", json={"pinyin": "xian", "n_best": 2}).json()
    best = found["candidates"][0]
    total = sum(found["weights"][name] * value for name, value in best["features"].items())
    assert total == pytest.approx(best["logprob"], abs=1e-3)
    words = {(one["start"], one["end"], one["text"]) for one in found["lattice"]}
    assert {(0, 4, "先"), (0, 4, "西安"), (0, 2, "西"), (2, 4, "安")} <= words
    assert [one["text"] for one in found["lattice"] if one["is_best"]] == [best["text"]]


def test_explain_of_nothing_is_empty(client: TestClient) -> None:
    found = client.post("/v1/explain", json={"pinyin": " "}).json()
    assert (found["candidates"], found["lattice"]) == ([], [])


def test_models_tells_artifact_options_and_limits(client: TestClient) -> None:
    found = client.get("/v1/models").json()
    assert found["name"] == "tiny"
    assert "pinyin" in found["options"]["scheme"]
    assert found["limits"]["max_lines"] == Settings().max_lines


def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ok"}


def test_metrics_count_and_hold_no_text(client: TestClient) -> None:
    client.post("/v1/convert", json={"pinyin": "woyaomaijipiao"})
    text = client.get("/metrics").text
    assert 'yinzi_requests_total{route="/v1/convert",status="200"}' in text
    assert "yinzi_request_seconds_bucket" in text
    assert "yinzi_queue_units 0.0" in text
    assert "woyao" not in text
    assert "机票" not in text


def test_paths_of_callers_do_not_become_labels(client: TestClient) -> None:
    client.get("/v1/secret-text-in-a-path")
    client.get("/secret-text-in-a-path")
    assert "secret-text" not in client.get("/metrics").text


@pytest.mark.parametrize(
    "option",
    [
        {"scheme": "telepathy"},
        {"scheme": "/etc/passwd"},
        {"scheme": "mine.toml"},
        {"fuzzy": ["telepathy"]},
        {"fuzzy": ["southern,n-l"]},
        {"script": "cuneiform"},
        {"punctuation": "as_typed"},
        {"corrects_typing": True, "scheme": "xiaohe"},
    ],
)
def test_options_that_are_not_there_are_refused(client: TestClient, option: dict[str, Any]) -> None:
    answer = client.post("/v1/convert", json={"pinyin": "nihao", "options": option})
    assert answer.status_code == 422
    assert answer.json()["error"] == "not_available"


@pytest.mark.parametrize(
    ("pinyin", "options", "text"),
    [
        ("nihc", {"scheme": "xiaohe"}, "你好"),
        ("nhiao", {"corrects_typing": True}, "你好"),
        ("lihao", {"fuzzy": ["n-l"]}, "你好"),
        ("lihao", {"fuzzy": ["sichuan"]}, "你好"),
        ("jipiao", {"script": "traditional"}, "機票"),
        ("nihao,", {"punctuation": "chinese"}, "你好，"),
        ("nihao,", {}, "你好,"),
    ],
)
def test_options_change_what_is_found(
    client: TestClient, pinyin: str, options: dict[str, Any], text: str
) -> None:
    body = {"pinyin": pinyin, "options": options}
    answer = client.post("/v1/convert", json=body)
    assert answer.json()["candidates"][0]["text"] == text


def test_a_script_without_its_package_says_which(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    output._opencc.cache_clear()
    answer = client.post("/v1/convert", json={"pinyin": "ni", "options": {"script": "hongkong"}})
    assert (answer.status_code, answer.json()["error"]) == (422, "not_available")
    assert "yinzi[traditional]" in answer.json()["detail"]


def test_explanations_and_readings_follow_the_script(client: TestClient) -> None:
    body = {"pinyin": "jipiao", "options": {"script": "traditional"}}
    found = client.post("/v1/explain", json=body).json()
    assert found["candidates"][0]["text"] == "機票"
    assert "機票" in [word["text"] for word in found["lattice"] if word["is_best"]]
    body = {"text": "機票a", "script": "traditional"}
    read = client.post("/v1/annotate", json=body).json()["characters"]
    assert [(one["character"], one["pinyin_digits"]) for one in read] == [
        ("機", "ji1"),
        ("票", "piao4"),
        ("a", None),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/convert", {}),
        ("/v1/convert", {"pinyin": 5}),
        ("/v1/convert", {"pinyin": "a", "n_best": 0}),
        ("/v1/convert", {"pinyin": "a", "n_best": 51}),
        ("/v1/convert", {"pinyin": "a", "n_best": True}),
        ("/v1/convert", {"pinyin": "a", "unknown": 1}),
        ("/v1/convert", {"pinyin": "a" * 1001}),
        ("/v1/convert", {"pinyin": "a", "left_context": "我" * 1001}),
        ("/v1/convert", []),
        ("/v1/convert", None),
        ("/v1/convert/batch", {"inputs": []}),
        ("/v1/convert/batch", {"inputs": [{"pinyin": "a"}] * 257}),
        ("/v1/correct", {"text": "你", "change_logprob": 1}),
        ("/v1/explain", {"pinyin": "a", "options": {"script": "cuneiform"}}),
    ],
)
def test_wrong_bodies_are_refused_in_words(client: TestClient, path: str, body: Any) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 422, answer.text
    assert set(answer.json()) >= {"error", "detail"}
    assert len(answer.text) < 2000


def test_refusals_do_not_quote_the_text(client: TestClient) -> None:
    for body in ({"pinyin": ["geheim"]}, {"pinyin": "geheim" * 400}):
        assert "geheim" not in client.post("/v1/convert", json=body).text


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff\xfe", b'{"pinyin": "\xd6\xd0"}', b'{"pinyin": "\\ud800"}', b"[" * 10_000],
)
def test_bodies_that_are_no_json_are_refused(client: TestClient, raw: bytes) -> None:
    answer = client.post("/v1/convert", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) >= {"error", "detail"}


def test_a_failure_inside_shows_nothing(
    make_client: Callable[..., AbstractContextManager[TestClient]],
    converter: Converter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("geheim")

    with make_client(load=lambda _: converter) as client:
        monkeypatch.setattr(type(converter), "convert_batch", fail)
        answer = client.post("/v1/convert", json={"pinyin": "geheim"})
        assert answer.status_code == 500
        assert answer.json()["error"] == "internal"
        monkeypatch.undo()
        assert client.post("/v1/convert", json={"pinyin": "nihao"}).status_code == 200
        assert "yinzi_errors_total 1.0" in client.get("/metrics").text
    assert "geheim" not in answer.text
    assert "geheim" not in caplog.text
    assert "ZeroDivisionError at" in caplog.text


def test_the_audit_log_says_how_much_and_not_what(
    make_client: Callable[..., AbstractContextManager[TestClient]], tmp_path: Any
) -> None:
    path = tmp_path / "audit.jsonl"
    with make_client(audit_log=str(path)) as client:
        inputs = [{"pinyin": "nihao"}, {"pinyin": "xian"}]
        client.post("/v1/convert/batch", json={"inputs": inputs})
        client.get("/inputtools/request", params={"text": "geheim"})
        client.get("/geheim?geheim=1")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["route"] for row in rows] == ["/v1/convert/batch", "/inputtools/request", "page"]
    assert (rows[0]["lines"], rows[0]["characters"], rows[0]["status"]) == (2, 9, 200)
    assert rows[0]["ms"] > 0
    assert rows[0]["client"] == "testclient"
    text = path.read_text()
    assert "geheim" not in text
    assert "nihao" not in text


def examples() -> list[tuple[str, Any]]:
    """Return the examples of all request bodies, from the document itself."""
    from yinzi.serve import create_app

    document = create_app().api.openapi()
    found: list[tuple[str, Any]] = []
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        schema = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
        found += [(path, example) for example in schema.get("examples", [])]
    return found


def test_every_path_with_a_body_has_an_example() -> None:
    paths = {path for path, _ in examples()}
    assert paths == {
        "/v1/convert",
        "/v1/convert/batch",
        "/v1/annotate",
        "/v1/correct",
        "/v1/explain",
    }


@pytest.mark.parametrize(("path", "body"), examples())
def test_examples_of_the_document_work(client: TestClient, path: str, body: Any) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text


def test_the_document_holds_the_limits_of_the_settings(
    make_client: Callable[..., AbstractContextManager[TestClient]],
) -> None:
    with make_client(max_line_characters=77, max_lines=3) as client:
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
        assert schemas["ConvertRequest"]["properties"]["pinyin"]["maxLength"] == 77
        assert schemas["BatchRequest"]["properties"]["inputs"]["maxItems"] == 3
        assert "x-limit" not in json.dumps(schemas)
        long = client.post("/v1/convert", json={"pinyin": "a" * 78})
        assert long.json()["error"] == "too_long"
