"""Decide between what two annotators say about a hanzi.

The word annotator knows the reading of the word that a hanzi stands in; the network annotator gives
a probability to each reading of a polyphone from the sentence around it. Their weights were chosen
on the rows `dev…` of the polyphone set and every second row of the graded sentences; the optimum is
flat (docs/labelling.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.labelling.readings import NEUTRAL, Evidence

__all__ = ["DecisionOptions", "Decisions", "decide"]


@dataclass(frozen=True)
class DecisionOptions:
    """How the annotators are weighed. All weights are natural logs, added to the network's.

    Attributes:
        phrase_bonus: for the reading that a table of phrases gives, 0 or more. The network is sure
            of many a wrong reading (it knows 了 as le5 and no other), so this outweighs it always.
        ambiguous_bonus: the same where several readings of the phrase are attested.
        composed_bonus: for a reading in a word that was put together hanzi by hanzi.
        share_weight: weight of the log share of a reading in the use of a single hanzi; 0 to 1.
        share_floor: share of a reading that the lexicon does not list; above 0, below 1.
        unlisted_logprob: what the network is taken to say of a reading it does not know; 0 or less.
        doubt_probability: a decision with less probability than this is doubtful; 0 to 1.
    """

    phrase_bonus: float = 100.0
    ambiguous_bonus: float = 8.0
    composed_bonus: float = 3.0
    share_weight: float = 1.0
    share_floor: float = 0.001
    unlisted_logprob: float = -6.0
    doubt_probability: float = 0.9

    def __post_init__(self) -> None:
        for name in ("phrase_bonus", "ambiguous_bonus", "composed_bonus"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"labelling.{name} is {getattr(self, name)}: expected 0 or more")
        for name in ("share_weight", "doubt_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"labelling.{name} is {getattr(self, name)}: expected 0 to 1")
        if not 0 < self.share_floor < 1:
            raise ConfigError(
                f"labelling.share_floor is {self.share_floor}: expected above 0, below 1"
            )
        if not self.unlisted_logprob <= 0:
            raise ConfigError(
                f"labelling.unlisted_logprob is {self.unlisted_logprob}: expected 0 or less"
            )

    def bonuses(self) -> NDArray[np.float32]:
        """Return the bonus of the word's reading by `Evidence`."""
        found = np.zeros(len(Evidence), dtype=np.float32)
        found[Evidence.COMPOSED] = self.composed_bonus
        found[Evidence.AMBIGUOUS] = self.ambiguous_bonus
        found[Evidence.PHRASE] = self.phrase_bonus
        return found


@dataclass(frozen=True)
class Decisions:
    """What was decided for polyphones.

    Attributes:
        readings: int16 [n].
        doubtful: bool [n].
    """

    readings: NDArray[np.int16]
    doubtful: NDArray[np.bool_]


def decide(
    logits: NDArray[np.float32],
    readings: NDArray[np.int16],
    *,
    log_shares: NDArray[np.float32],
    word_readings: NDArray[np.int16],
    evidence: NDArray[np.int8],
    options: DecisionOptions,
) -> Decisions:
    """Decide the readings of polyphones.

    The network's probabilities over the readings of a hanzi get a bonus for the word's reading, or,
    where the hanzi is a word of its own, the weighted shares of its readings. The largest sum wins,
    the first of equals. A decision is doubtful if its share of the summed probabilities is small,
    or if the word and the network favour readings that differ in more than a neutral tone.

    Args:
        logits: float32 [n, n_readings], outputs of the network; -inf fills a row up.
        readings: int16 [n, n_readings], what they stand for; -1 likewise.
        log_shares: float32 [n, n_readings], natural log.
        word_readings: int16 [n], what the word annotator says; -1 for nothing.
        evidence: int8 [n], `Evidence` of the word.
        options: weights.
    """
    n = len(logits)
    is_single = evidence == Evidence.HANZI
    shifted = logits - logits.max(axis=1, keepdims=True)
    scores = np.empty((n, logits.shape[1] + 1), dtype=np.float32)
    scores[:, :-1] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    is_word = readings == word_readings[:, None]
    # The word's reading has a column of its own where the network does not know it.
    is_unlisted = ~is_word.any(axis=1) & (word_readings >= 0)
    scores[:, -1] = np.where(is_unlisted, np.float32(options.unlisted_logprob), -np.inf)
    bonus = options.bonuses()[evidence]
    scores[:, :-1] += is_word * bonus[:, None]
    scores[:, -1] += bonus
    scores[is_single, :-1] += np.float32(options.share_weight) * log_shares[is_single]

    best = scores.argmax(axis=1)
    every = np.arange(n)
    from_network = readings[every, np.minimum(best, logits.shape[1] - 1)]
    chosen = np.where(best == logits.shape[1], word_readings, from_network)
    top = scores[every, best]
    probability = 1.0 / np.exp(scores - top[:, None]).sum(axis=1)
    favoured = readings[every, logits.argmax(axis=1)]
    disagree = (
        ~is_single & (favoured != word_readings) & ~_differ_by_neutral(favoured, word_readings)
    )
    return Decisions(chosen.astype(np.int16), disagree | (probability < options.doubt_probability))


def _differ_by_neutral(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.bool_]:
    is_same = (a >> 3) == (b >> 3)
    differ: NDArray[np.bool_] = is_same & (((a & 7) == NEUTRAL) | ((b & 7) == NEUTRAL))
    return differ
