from __future__ import annotations

import numpy as np
import pytest

from yinzi.errors import ConfigError
from yinzi_train.labelling import DecisionOptions
from yinzi_train.labelling.decision import decide
from yinzi_train.labelling.readings import Evidence, reading_of

CHANG, ZHANG, NEUTRAL_CHANG = (reading_of(text) for text in ("chang2", "zhang3", "chang5"))


def decide_one(
    *,
    log_odds: float,
    word: int,
    evidence: Evidence,
    shares: tuple[float, float] = (0.5, 0.5),
) -> tuple[int, bool]:
    """Decide between chang2 and zhang3; the network favours zhang3 by the odds."""
    decisions = decide(
        np.array([[0.0, log_odds, -np.inf]], dtype=np.float32),
        np.array([[CHANG, ZHANG, -1]], dtype=np.int16),
        log_shares=np.log(np.array([[*shares, 1.0]], dtype=np.float32)),
        word_readings=np.array([word], dtype=np.int16),
        evidence=np.array([evidence], dtype=np.int8),
        options=DecisionOptions(),
    )
    return int(decisions.readings[0]), bool(decisions.doubtful[0])


@pytest.mark.parametrize(
    ("log_odds", "word", "evidence", "reading", "is_doubtful"),
    [
        (50.0, CHANG, Evidence.PHRASE, CHANG, True),
        (-9.0, CHANG, Evidence.PHRASE, CHANG, False),
        (7.0, CHANG, Evidence.AMBIGUOUS, CHANG, True),
        (20.0, CHANG, Evidence.AMBIGUOUS, ZHANG, True),
        (2.0, CHANG, Evidence.COMPOSED, CHANG, True),
        (20.0, CHANG, Evidence.COMPOSED, ZHANG, True),
        (9.0, CHANG, Evidence.HANZI, ZHANG, False),
        (0.5, CHANG, Evidence.HANZI, ZHANG, True),
        (-50.0, NEUTRAL_CHANG, Evidence.PHRASE, NEUTRAL_CHANG, False),
        (9.0, -1, Evidence.HANZI, ZHANG, False),
    ],
    ids=[
        "phrase-wins",
        "both-agree",
        "ambiguous-close",
        "ambiguous-sure-network",
        "composed-close",
        "composed-sure-network",
        "hanzi-sure-network",
        "hanzi-close",
        "neutral-tone-is-no-disagreement",
        "no-word-reading",
    ],
)
def test_decision(
    log_odds: float, word: int, evidence: Evidence, reading: int, is_doubtful: bool
) -> None:
    found = decide_one(log_odds=log_odds, word=word, evidence=evidence)
    assert found == (reading, is_doubtful)


def test_rare_reading_of_a_hanzi_needs_more_evidence() -> None:
    found = decide_one(log_odds=2.0, word=CHANG, evidence=Evidence.HANZI, shares=(0.99, 0.01))
    assert found[0] == CHANG


@pytest.mark.parametrize(
    "values",
    [
        {"phrase_bonus": -1.0},
        {"ambiguous_bonus": float("nan")},
        {"share_weight": 1.5},
        {"share_floor": 0.0},
        {"unlisted_logprob": 1.0},
        {"doubt_probability": 2.0},
    ],
    ids=lambda values: next(iter(values)),
)
def test_options_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        DecisionOptions(**values)
