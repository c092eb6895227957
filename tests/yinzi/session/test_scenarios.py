from __future__ import annotations

from pathlib import Path

import pytest

import yinzi
from tests.yinzi.session.scenario_runner import (
    Run,
    Scenario,
    ScenarioFailedError,
    ScenarioSyntaxError,
    read_scenarios,
)
from yinzi.artifact import resolve_artifact
from yinzi.converter import Converter
from yinzi.errors import ArtifactError

SCRIPTS = sorted(Path(__file__).with_name("scenarios").glob("*.txt"))
SCENARIOS = [
    scenario
    for script in SCRIPTS
    for scenario in read_scenarios(script.read_text(encoding="utf-8"), name=script.name)
]


@pytest.fixture(scope="module")
def base() -> Converter:
    try:
        resolve_artifact("base")
    except ArtifactError:
        pytest.skip("the artifact 'base' is not built yet")
    return yinzi.load()


@pytest.mark.parametrize(
    "scenario", SCENARIOS, ids=lambda one: f"{one.name[:-4]}: {one.title}".replace(" ", "_")
)
def test_scenario(scenario: Scenario, converter: Converter, request: pytest.FixtureRequest) -> None:
    if scenario.artifact == "base":
        converter = request.getfixturevalue("base")
    Run(scenario, converter).run()


def test_there_are_many_scenarios() -> None:
    assert len(SCENARIOS) >= 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("press a", r"x\.txt:1: expected a title"),
        ("== a\nexpect first 你\n== a\n", r"x\.txt:3: expected a new title"),
        ("== a\nhit a", r"x\.txt:2: unknown word 'hit'"),
        ("== a\nexpect luck", r"x\.txt:2: cannot expect 'luck'"),
        ("== a\nartifact huge", r"x\.txt:2: unknown artifact 'huge'"),
        ("== a\npress", r"x\.txt:2: nothing behind 'press'"),
        ("== a\npress a", r"x\.txt: scenario 'a' expects nothing"),
    ],
)
def test_a_script_that_cannot_be_read_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ScenarioSyntaxError, match=message):
        read_scenarios(text, name="x.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("press hyper+a", r"x\.txt:2: press hyper\+a: key 'hyper\+a' has 'hyper'"),
        ("press pageleft", r"x\.txt:2: .*unknown key 'pageleft'"),
        ("set page_sise 5", r"x\.txt:2: .*unknown setting"),
        ("set page_size 4", r"x\.txt:2: .*page_size is 4"),
        ("set is_private maybe", r"x\.txt:2: .*expected yes or no"),
    ],
)
def test_a_wrong_key_or_setting_is_an_error(converter: Converter, line: str, message: str) -> None:
    (scenario,) = read_scenarios(f"== a\n{line}\nexpect page 1/1", name="x.txt")
    with pytest.raises(ScenarioSyntaxError, match=message):
        Run(scenario, converter).run()


@pytest.mark.parametrize(
    "expectation",
    [
        "preedit nihao|",
        "first 泥",
        "candidates 你好",
        "contains 你好 坏",
        "absent 你好",
        "highlighted 泥",
        "page 2/2",
        "commit 你好",
        "effects bell",
        "handled no",
        "mode english",
        "context 我",
        "learned 你好/nihao*",
        "same-list",
        "same-list-but 你好",
        "suggestions 我",
        "suggested 我",
    ],
)
def test_every_expectation_can_fail_and_says_where(converter: Converter, expectation: str) -> None:
    text = f"== greeting\ntype nihao\n\nexpect {expectation}"
    (scenario,) = read_scenarios(text, name="x.txt")
    with pytest.raises(ScenarioFailedError, match=r"(?s)x\.txt:4: greeting\n.*expected .* got"):
        Run(scenario, converter).run()


def test_taking_a_late_answer_that_was_not_asked_for_fails(converter: Converter) -> None:
    (scenario,) = read_scenarios("== a\ntake-late\nexpect page 1/1", name="x.txt")
    with pytest.raises(ScenarioFailedError, match="nothing was asked"):
        Run(scenario, converter).run()
