from __future__ import annotations

import pytest
from starlette.testclient import TestClient

PATH = "/inputtools/request"
# What ibus-libpinyin's and rime's cloud modules send.
PARAMETERS = {
    "text": "nihao",
    "itc": "zh-t-i0-pinyin",
    "num": "3",
    "cp": "0",
    "cs": "1",
    "ie": "utf-8",
    "oe": "utf-8",
    "app": "test",
}


@pytest.mark.parametrize("way", ["get", "post", "form"])
def test_the_answer_has_the_shape_that_clients_read(client: TestClient, way: str) -> None:
    if way == "form":
        answer = client.post(PATH, data=PARAMETERS)
    else:
        answer = client.request(way, PATH, params=PARAMETERS)
    status, ((text, candidates, empty, table),) = answer.json()
    assert (status, text, candidates[0], empty) == ("SUCCESS", "nihao", "你好", [])
    assert len(candidates) == 3
    assert table["annotation"][0] == "ni hao"
    assert table["candidate_type"] == [0, 0, 0]
    assert table["lc"][0] == "16 16"
    assert "matched_length" not in table


def test_candidates_for_the_first_letters_tell_how_many_they_match(client: TestClient) -> None:
    answer = client.get(PATH, params={**PARAMETERS, "num": "20"})
    _, candidates, _, table = answer.json()[1][0]
    lengths = dict(zip(candidates, table["matched_length"], strict=True))
    assert (lengths["你好"], lengths["你"]) == (5, 2)


def test_nothing_known_is_an_empty_list(client: TestClient) -> None:
    assert client.get(PATH, params={"text": " "}).json() == [
        "SUCCESS",
        [[" ", [], [], {"annotation": [], "candidate_type": [], "lc": []}]],
    ]


@pytest.mark.parametrize("changes", [{"itc": "xx-t-i0-und"}, {"text": None}])
def test_what_cannot_be_read_is_refused_in_its_format(
    client: TestClient, changes: dict[str, str | None]
) -> None:
    parameters = {k: v for k, v in {**PARAMETERS, **changes}.items() if v is not None}
    assert client.get(PATH, params=parameters).status_code in (400, 422)
    answer = client.post(PATH, data=parameters)
    assert answer.status_code == 400
    assert answer.json() == ["FAILED_TO_PARSE_REQUEST_BODY"]


@pytest.mark.parametrize("num", ["0", "-1", "51", "x"])
def test_wrong_numbers_are_refused(client: TestClient, num: str) -> None:
    assert client.get(PATH, params={**PARAMETERS, "num": num}).status_code in (400, 422)
    assert client.post(PATH, data={**PARAMETERS, "num": num}).status_code in (400, 422)
