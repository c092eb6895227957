"""Take the logprob of a text apart: what each feature says, word by word.

The search adds up thirteen features, each with its weight; their weighted sum is the logprob that
candidates are ranked by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.beam import BeamOptions
from yinzi.decoding.result import Decoding, Hypothesis
from yinzi.language_model import PAIR_FEATURES
from yinzi.user.features import PREVIOUS

__all__ = ["FEATURES", "ExplainedHypothesis", "ExplainedWord", "explain", "feature_weights"]

FEATURES = (
    "language_model",
    "sentence_end",
    "encoder",
    "encoder_prior",
    "user",
    "penalties",
    "words",
    *PAIR_FEATURES,
)
"""Names of the features, in the order in which they are shown.

- language_model: natural log of the words after the words before them, literals included.
- sentence_end: natural log of the sentence end behind the last word.
- encoder: natural log that the neural model gives the hanzi at their places; 0 without one.
- encoder_prior: natural log of how frequent these hanzi are at such places without any context.
- user: natural log ≥ 0, what the user's own words and choices add; 0 without a user lexicon.
- penalties: natural log ≤ 0 for abbreviations, rare readings, wrong tones.
- words: how many words; a user's word counts as those that it is put together of.
- stored_affinity: how well neighbouring words go together by their vectors (cosines, summed over
  pairs that the language model has stored); 0 without vectors, as the next five.
- new_affinity: the same over all other pairs.
- new_pairs: how many of these there are, both words with vectors.
- unknown_pairs: how many with a word that has none.
- stored_skip_affinity: how well words go together that stand two apart, over triples that the
  language model has stored.
- new_skip_affinity: the same over all other triples.
"""


@dataclass(frozen=True)
class ExplainedWord:
    """What each feature says of one word or literal; names as in `FEATURES`."""

    text: str
    language_model: float
    encoder: float
    penalties: float
    user: float = 0.0


@dataclass(frozen=True)
class ExplainedHypothesis:
    """A text, its logprob, and where that comes from.

    Attributes:
        text: as in `Hypothesis`.
        logprob: as in `Hypothesis`: the sum of the features times their weights.
        features: by the names of `FEATURES`.
        words: in order.
    """

    text: str
    logprob: float
    features: dict[str, float]
    words: tuple[ExplainedWord, ...]


def feature_weights(options: BeamOptions) -> dict[str, float]:
    """Return the weight of each feature.

    >>> feature_weights(BeamOptions(encoder_weight=0.6))["encoder"]
    0.6
    """
    return {
        "language_model": 1.0,
        "sentence_end": options.end_logprob_weight,
        "encoder": options.encoder_weight,
        "encoder_prior": options.prior_weight,
        "user": 1.0,
        "penalties": 1.0,
        "words": options.word_logprob,
        "stored_affinity": options.stored_affinity,
        "new_affinity": options.new_affinity,
        "new_pairs": options.new_pair,
        "unknown_pairs": options.unknown_pair,
        "stored_skip_affinity": options.stored_skip_affinity,
        "new_skip_affinity": options.new_skip_affinity,
    }


def explain(decoding: Decoding, line: int, n_best: int) -> list[ExplainedHypothesis]:
    """Explain the likeliest texts of a line, the best first."""
    found = decoding.hypotheses(line, n_best)
    lattice, model = decoding.lattice, decoding.language_model
    nodes = np.array([node for one in found for node in one.nodes], dtype=np.int64)
    before, after = _words_before(decoding, line, found)
    words = lattice.word[nodes]
    of_words = model.logprobs(before[0], before[1], words) + lattice.inner_logprob[nodes]
    of_pairs = model.pair_features(before[0], before[1], words)
    of_user = lattice.user_logprob(nodes, of_words[:, None], before[1][:, None])[:, 0]
    eos = np.full(len(found), model.eos_id, dtype=np.int32)
    of_ends = model.logprobs(after[0], after[1], eos)
    explained = [
        ExplainedWord(text, float(of_word), float(encoder), float(penalty), float(user))
        for text, of_word, encoder, penalty, user in zip(
            _texts(decoding, line, nodes.tolist()),
            of_words,
            lattice.encoder_logprob[nodes],
            lattice.logprob[nodes],
            of_user,
            strict=True,
        )
    ]
    explanations = []
    start = 0
    for one, of_end in zip(found, of_ends.tolist(), strict=True):
        part = slice(start, start + len(one.nodes))
        start = part.stop
        of_line = nodes[part]
        has_end = len(of_line) > 0 and not lattice.is_literal[of_line[-1]]
        features = {
            "language_model": float(of_words[part].sum()),
            "sentence_end": of_end if has_end else 0.0,
            "encoder": float(lattice.encoder_logprob[of_line].sum()),
            "encoder_prior": float(lattice.prior_logprob[of_line].sum()),
            "user": float(of_user[part].sum()),
            "penalties": float(lattice.logprob[of_line].sum()),
            "words": float(lattice.n_words[of_line].sum()),
            **dict(zip(PAIR_FEATURES, of_pairs[part].sum(axis=0).tolist(), strict=True)),
        }
        explanations.append(
            ExplainedHypothesis(one.text, one.logprob, features, tuple(explained[part]))
        )
    return explanations


def _words_before(
    decoding: Decoding, line: int, found: Sequence[Hypothesis]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the last two words before each node of all texts, and those at the end of each text.

    Returns:
        int32 [2, n_nodes] and [2, n_texts].
    """
    lattice, beam = decoding.lattice, decoding.beam
    start = int(lattice.offsets[line]) + decoding.graphs[line].start
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    for one in found:
        last = int(beam.first[start, 0]), int(beam.second[start, 0])
        for node in one.nodes:
            before.append(last)
            if lattice.entry[node] < 0:
                earlier, word = lattice.literal_context[node].tolist()
                last = last[1] if earlier == PREVIOUS else earlier, word
            else:
                last = last[1], int(lattice.word[node])
        after.append(last)
    return _columns(before), _columns(after)


def _columns(pairs: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    columns: NDArray[np.int32] = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return columns


def _texts(decoding: Decoding, line: int, nodes: Sequence[int]) -> list[str]:
    lattice, offset = decoding.lattice, int(decoding.lattice.offsets[line])
    graph = decoding.graphs[line]
    texts = lattice.texts(np.array(nodes, dtype=np.int64), decoding.lexicon)
    return [
        graph.text[lattice.start[node] - offset : lattice.end[node] - offset]
        if lattice.is_literal[node]
        else text
        for node, text in zip(nodes, texts, strict=True)
    ]
