"""Fix what a neural model is asked and what it answers: the seam between it and the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from yinzi.scoring.input_vocabulary import InputVocabulary
from yinzi.scoring.pair_table import PairTable
from yinzi.text import is_hanzi

__all__ = ["MAX_CONTEXT", "ScoredInputs", "Scorer", "ScorerInput", "context_ids"]

MAX_CONTEXT: Final = 32
"""Places of left context that a model sees: what it was trained with."""


@dataclass(frozen=True, eq=False)
class ScorerInput:
    """One way to read a typed line, and what stands before it.

    Attributes:
        input_ids: int64 [n_places], ids of the `InputVocabulary`: syllables, prefixes, literals.
        tones: int64 [n_places], 1 to 5, 0 where none was typed.
        context: int64 [n_context], ids of the text before; see `context_ids`.
    """

    input_ids: NDArray[np.int64]
    tones: NDArray[np.int64]
    context: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredInputs:
    """Logprobs of the hanzi that each place can be, for some inputs.

    Places are numbered through all inputs, context left out.

    Attributes:
        logprobs: float32 [n], natural log, slice after slice; each sums to 1 in probability.
        starts: int64 [n_places + 1], where the slice of each place begins; places of literals have
            an empty one.
        pair_low: int64 [n_places], the pair that a slice begins with; the others follow in order.
        first_place: int64 [n_inputs + 1], the first place of each input.
    """

    logprobs: NDArray[np.float32]
    starts: NDArray[np.int64]
    pair_low: NDArray[np.int64]
    first_place: NDArray[np.int64]


class Scorer(Protocol):
    """A model that gives each place of an input a distribution over its hanzi.

    Thread safety: `score` is safe from many threads.

    Attributes:
        vocab: what its inputs are numbered by.
        pairs: what it chooses from.
    """

    vocab: InputVocabulary
    pairs: PairTable

    def score(self, inputs: Sequence[ScorerInput]) -> ScoredInputs:
        """Score inputs together; the result for one does not depend on the others."""
        ...


def context_ids(vocab: InputVocabulary, left_context: str) -> NDArray[np.int64]:
    """Return the ids of the last `MAX_CONTEXT` places of a text: hanzi, and breaks between them.

    Whatever is no hanzi is one break, also at the end of the text; at its start it is left out.

    >>> vocab = InputVocabulary("你好吗")
    >>> [vocab.spell(int(i)) for i in context_ids(vocab, "… 你好, 好吗?")]
    ['你', '好', 'BREAK', '好', '吗', 'BREAK']
    """
    ids: list[int] = []
    for char in left_context[-4 * MAX_CONTEXT :]:
        if is_hanzi(char):
            ids.append(vocab.hanzi_id(char))
        elif ids and ids[-1] != vocab.break_id:
            ids.append(vocab.break_id)
    return np.array(ids[-MAX_CONTEXT:], dtype=np.int64)
