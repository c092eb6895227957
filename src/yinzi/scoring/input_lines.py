"""Lay inputs out as lines of a batch, and put together what a model makes of them.

The same for every model with one hidden vector a place, so that the model in training and the model
that ships are given the same. Lines of similar length are filled up to one length and run together.
An input longer than the window that a model was trained with is cut into windows that overlap by a
half; of each window the middle counts, so that every place has at least a quarter of a window
around it. Time and memory grow with the length, not with its square.

What a line gives must not depend on the lines beside it. Products of integers are exact, but a sum
of floats over blanks is taken in another order than one without, and what is rounded to int8 after
it can jump by a step. So how far a line is filled up depends on its own length alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.scoring.input_vocabulary import InputVocabulary
from yinzi.scoring.ngram_features import ngram_ids
from yinzi.scoring.pair_layer import PairLayer
from yinzi.scoring.pair_table import PairTable
from yinzi.scoring.scorer import ScoredInputs, ScorerInput

__all__ = ["WINDOW", "InputLines", "LineOptions", "score_inputs"]

WINDOW: Final = 64
"""Places of a line, left context included: as many as models are trained with."""

_LENGTH_STEP: Final = 2
"""Lines are filled up to a multiple of this: fewer blanks, or fewer batches."""


@dataclass(frozen=True)
class LineOptions:
    """How lines are laid out.

    Attributes:
        ngram_orders: lengths of the syllable n-grams, each at least 2.
        ngram_rows: rows of their table, above 1.
        window: places of a line at most, an even number of at least 8.
        max_places: places of one batch at most, blanks included.
    """

    ngram_orders: tuple[int, ...] = ()
    ngram_rows: int = 2
    window: int = WINDOW
    max_places: int = 256

    def __post_init__(self) -> None:
        if self.window < 8 or self.window % 2:
            raise ConfigError(f"window is {self.window}: expected an even number of at least 8")
        if self.ngram_rows < 2 or any(order < 2 for order in self.ngram_orders):
            raise ConfigError(
                f"n-grams of {list(self.ngram_orders)} in {self.ngram_rows} rows: expected lengths "
                "and rows of at least 2"
            )


@dataclass(frozen=True, eq=False)
class InputLines:
    """One batch of lines.

    Attributes:
        input_ids: int64 [batch, length].
        input_tones: int64 [batch, length].
        segments: int64 [batch, length], 0 on places, -1 on blanks.
        ngram_ids: int64 [batch, length, orders].
    """

    input_ids: NDArray[np.int64]
    input_tones: NDArray[np.int64]
    segments: NDArray[np.int64]
    ngram_ids: NDArray[np.int64]


RunLines = Callable[[InputLines], NDArray[np.float32]]
"""A model: float32 [batch, length, size] of a batch of lines."""


def score_inputs(
    inputs: Sequence[ScorerInput],
    *,
    vocab: InputVocabulary,
    pairs: PairTable,
    layer: PairLayer,
    run_lines: RunLines,
    options: LineOptions,
) -> ScoredInputs:
    """Score inputs with a model; see `Scorer.score`.

    Args:
        inputs: any number, of any length.
        vocab: what inputs are numbered by.
        pairs: what places are chosen from.
        layer: output layer of the model.
        run_lines: the model up to there.
        options: how lines are laid out.
    """
    n_places = np.array([len(given.input_ids) for given in inputs], dtype=np.int64)
    first_place = np.concatenate(([0], np.cumsum(n_places)))
    hidden = np.empty((int(first_place[-1]), layer.weight.shape[1]), dtype=np.float32)
    if len(hidden):
        for lines, is_kept, places in _batches(inputs, n_places, first_place, vocab, options):
            hidden[places] = run_lines(lines)[is_kept]
        ids = np.concatenate([given.input_ids for given in inputs])
    else:
        ids = np.zeros(0, dtype=np.int64)
    bounds = pairs.starts[vocab.ranges[ids]].astype(np.int64)  # [n_places, 2]
    low, high = bounds[:, 0], bounds[:, 1]
    logprobs, starts = layer.logprobs(hidden, low, high)
    return ScoredInputs(logprobs, starts, low, first_place)


@dataclass(frozen=True, eq=False)
class _Windows:
    """Which part of which input each line is, arrays [n_lines].

    Places of an input are counted from the start of its context.

    Attributes:
        of_input: index of the input.
        start: first place of the line.
        length: places of the line.
        keep_from: first place whose result counts.
        keep_to: place behind the last one that counts.
    """

    of_input: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    keep_from: NDArray[np.int64]
    keep_to: NDArray[np.int64]

    @classmethod
    def of(cls, n_context: NDArray[np.int64], n_places: NDArray[np.int64], window: int) -> _Windows:
        total = n_context + n_places
        if total.max() <= window and n_places.all():  # the common case, at a tenth of the time
            lines = np.arange(len(total))
            return cls(lines, np.zeros_like(total), total, n_context, total)
        step = window // 2
        n_windows = np.where(total <= window, 1, 1 + -(-(total - window) // step))
        n_windows[n_places == 0] = 0
        of_input = np.repeat(np.arange(len(total)), n_windows)
        number = np.arange(len(of_input)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
        total, n_windows = total[of_input], n_windows[of_input]
        # The last window ends with the input.
        start = np.minimum(number * step, np.maximum(total - window, 0))
        before = np.minimum((number - 1) * step, np.maximum(total - window, 0))
        after = np.minimum((number + 1) * step, np.maximum(total - window, 0))
        # Two windows meet in the middle of what both have.
        keep_from = np.where(number == 0, 0, (start + before + window) // 2)
        keep_to = np.where(number == n_windows - 1, total, (after + start + window) // 2)
        return cls(
            of_input,
            start,
            np.minimum(total, window),
            np.maximum(keep_from, n_context[of_input]),
            keep_to,
        )


def _batches(
    inputs: Sequence[ScorerInput],
    n_places: NDArray[np.int64],
    first_place: NDArray[np.int64],
    vocab: InputVocabulary,
    options: LineOptions,
) -> Iterator[tuple[InputLines, NDArray[np.bool_], NDArray[np.int64]]]:
    """Yield lines, which of their places count, and the numbers of these among all places."""
    n_context = np.array([len(given.context) for given in inputs], dtype=np.int64)
    windows = _Windows.of(n_context, n_places, options.window)
    flat_ids = np.concatenate(
        [part for given in inputs for part in (given.context, given.input_ids)]
    )
    is_place = np.repeat(
        np.tile([False, True], len(inputs)), np.stack((n_context, n_places), 1).ravel()
    )
    flat_tones = np.zeros(len(flat_ids), dtype=np.int64)
    flat_tones[is_place] = np.concatenate([given.tones for given in inputs])
    flat_start = first_place[:-1] + np.concatenate(([0], np.cumsum(n_context)[:-1]))
    filled = -(-windows.length // _LENGTH_STEP) * _LENGTH_STEP
    for lines in _lines_of_batches(filled, options.max_places):
        of_input = windows.of_input[lines]
        length = windows.length[lines]
        column = np.arange(int(filled[lines[0]]))
        is_inside = column < length[:, None]
        place = windows.start[lines, None] + column  # [batch, length], within its input
        flat = np.where(is_inside, flat_start[of_input, None] + place, 0)
        input_ids = np.where(is_inside, flat_ids[flat], vocab.pad_id)
        segments = np.where(is_inside, 0, -1)
        is_kept = (windows.keep_from[lines, None] <= place) & (place < windows.keep_to[lines, None])
        numbers = (first_place[of_input] - n_context[of_input])[:, None] + place
        yield (
            InputLines(
                input_ids,
                np.where(is_inside, flat_tones[flat], 0),
                segments,
                ngram_ids(
                    input_ids, segments, orders=options.ngram_orders, n_rows=options.ngram_rows
                ),
            ),
            is_kept,
            numbers[is_kept],
        )


def _lines_of_batches(filled: NDArray[np.int64], max_places: int) -> Iterator[NDArray[np.int64]]:
    """Yield the lines of each batch, all of one length."""
    order = np.argsort(filled, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(filled[order])) + 1, len(order)).tolist()
    first = 0
    for end in ends:
        n_lines = max(1, max_places // int(filled[order[first]]))
        while first < end:
            yield order[first : min(first + n_lines, end)]
            first += n_lines
        first = end
