"""A neural model's stand-in: made-up but fixed logprobs for each hanzi at each place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yinzi.scoring import InputVocabulary, PairTable, ScoredInputs, ScorerInput


class TableScorer:
    """Score by a hash of the pair, the place, the whole input and its context."""

    def __init__(self, vocab: InputVocabulary, pairs: PairTable, *, scale: float = 3.0) -> None:
        self.vocab = vocab
        self.pairs = pairs
        self.n_calls = 0
        self._scale = scale

    def score(self, inputs: Sequence[ScorerInput]) -> ScoredInputs:
        self.n_calls += 1
        slices = [self.slice_at(one, place) for one in inputs for place in range(len(one.tones))]
        low = [self.bounds(one, place)[0] for one in inputs for place in range(len(one.tones))]
        return ScoredInputs(
            np.concatenate([*slices, np.zeros(0)]).astype(np.float32),
            np.concatenate(([0], np.cumsum([len(part) for part in slices]))).astype(np.int64),
            np.array(low, dtype=np.int64),
            np.concatenate(([0], np.cumsum([len(one.tones) for one in inputs]))).astype(np.int64),
        )

    def bounds(self, one: ScorerInput, place: int) -> tuple[int, int]:
        low, high = self.vocab.ranges[one.input_ids[place]].tolist()
        return int(self.pairs.starts[low]), int(self.pairs.starts[high])

    def slice_at(self, one: ScorerInput, place: int) -> NDArray[np.float64]:
        low, high = self.bounds(one, place)
        known = (*one.input_ids.tolist(), -1, *one.tones.tolist(), -2, *one.context.tolist())
        seeds = [hash((pair, place, known)) % 2**32 for pair in range(low, high)]
        logits = np.array([np.random.default_rng(seed).normal() for seed in seeds]) * self._scale
        return logits - np.log(np.exp(logits).sum()) if len(logits) else logits
