"""Make batches of encoder input from labelled rows, augmented on the fly, as numpy arrays.

One row becomes one line of a batch: a place for every hanzi, one for each break between runs
(MIUs), and one for each word or number typed in between. The arrays are plain numpy; a training
loop turns them into tensors as they are. Measured: docs/augmentation.md.

What an encoder sees of a place is an input id, its kind and its tone: only what is known when
people type. A place typed with an accent has the id of the syllable typed (`zi` for `zhi`). One
with a typing error has the id of what the letters now spell (`ni` typed `mi`); where they spell
nothing (`nni`) it keeps the id that was meant, because a graph that corrects errors would offer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES, prefix_range
from yinzi.pinyin.inventory import INITIALS
from yinzi.scoring import InputVocabulary
from yinzi_train.dataset.augmentation import AugmentationOptions, augment
from yinzi_train.dataset.augmentation_draws import Purpose, check_rate, uniforms
from yinzi_train.dataset.augmentation_rows import (
    SYLLABLE_LENGTHS,
    InputKind,
    TypedRows,
)
from yinzi_train.dataset.pair_vocabulary import PairVocabulary

__all__ = ["ACCENT", "IGNORED", "TYPING_ERROR", "Collator", "CollatorOptions"]

IGNORED: Final = -100
"""Target of a place that has nothing to learn: what torch's cross entropy leaves out."""

ACCENT: Final = 1
TYPING_ERROR: Final = 2
"""Bits of `changes`: what was done to a place; for figures, never shown to the model."""

_ARRAYS: Final[Mapping[str, tuple[type[np.generic], int]]] = {
    "input_ids": (np.int64, 0),
    "input_kinds": (np.int64, InputKind.PAD),
    "input_tones": (np.int64, 0),
    "syllable_lo": (np.int64, 0),
    "syllable_hi": (np.int64, 0),
    "targets": (np.int64, IGNORED),
    "target_syllables": (np.int64, -1),
    "positions": (np.int64, -1),
    "weights": (np.float32, 0),
    "changes": (np.int8, 0),
    "segments": (np.int64, -1),
}
"""Arrays of a batch: type, and the value of places that are no hanzi."""


@dataclass(frozen=True)
class CollatorOptions:
    """How batches are made.

    Attributes:
        augmentation: what is done to the rows.
        seed: of all draws.
        max_length: places of a line, at least 8; of a longer row a window is taken, which one
            changes with the epoch.
        multiple: lines are filled up to a multiple of this many places, at least 1.
        context_rate: share of rows whose first part is given as hanzi, as text that stands before
            the cursor, 0 to 1; how much of it is drawn evenly. It has no targets.
        context_break_rate: share of these whose given part ends with a whole run, 0 to 1.
        max_context: places of the given part that can be seen, the last ones, at least 1.
        whole_rate: share of rows whose runs can all be seen from one another, 0 to 1; in the others
            each run stands alone, as when people type one, commit it, and type the next.
        uses_doubtful: learn also where the label is doubtful.
    """

    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    seed: int = 0
    max_length: int = 64
    multiple: int = 8
    context_rate: float = 0.3
    context_break_rate: float = 0.7
    max_context: int = 32
    whole_rate: float = 0.2
    uses_doubtful: bool = False

    def __post_init__(self) -> None:
        if self.max_length < 8:
            raise ConfigError(f"collator.max_length is {self.max_length}: expected at least 8")
        if self.multiple < 1:
            raise ConfigError(f"collator.multiple is {self.multiple}: expected at least 1")
        if self.max_context < 1:
            raise ConfigError(f"collator.max_context is {self.max_context}: expected at least 1")
        for name in ("context_rate", "context_break_rate", "whole_rate"):
            check_rate(f"collator.{name}", getattr(self, name))


class Collator:
    """Turn labelled rows into arrays; call it with a table or with a list of rows.

    The result has these arrays [batch, length]:

    - `input_ids` int64: ids of the `InputVocabulary`.
    - `input_kinds` int64: values of `InputKind`.
    - `input_tones` int64: 1 to 5, 0 where no tone is typed.
    - `syllable_lo`, `syllable_hi` int64: half-open range of syllable ids that the input allows;
      0, 0 where it is no syllable. Pairs `starts[lo]` up to `starts[hi]` are its slice.
    - `attention_mask` bool: False on filled-up places.
    - `loss_mask` bool: there is a target. Not so on breaks, words, numbers, left context, doubtful
      labels, and pairs that the `PairVocabulary` lacks.
    - `targets` int64: pair id, `IGNORED` where `loss_mask` is False.
    - `target_syllables` int64: labelled syllable of every hanzi, also of context; else -1.
    - `is_reachable` bool: a target whose syllable is in the range of the input. Not so after some
      accents and typing errors: a softmax over the slice of the input cannot learn these, one over
      the slice of `target_syllables`, or of both, can.
    - `weights` float32: class weight of the target, 1 without class weights, 0 without a target.
    - `changes` int8: bits `ACCENT` and `TYPING_ERROR`.
    - `positions` int64: index of the hanzi in its row, -1 for what is no hanzi.
    - `segments` int64: places of a row with equal numbers are one input, and see one another; -1
      on what is in none. Breaks between inputs are in none.

    A row gives the same line whatever batch it is in; lines of one epoch differ from those of the
    next. Rows with a `repeat` above 0 (copies that a sampler has made) differ among themselves.

    Thread safety: calls are independent; `set_epoch` is not to be called at the same time.
    """

    def __init__(
        self,
        vocab: InputVocabulary,
        pairs: PairVocabulary,
        options: CollatorOptions | None = None,
        *,
        class_weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.vocab = vocab
        self.pairs = pairs
        self.options = options or CollatorOptions()
        if class_weights is not None and len(class_weights) != len(pairs):
            raise ConfigError(
                f"{len(class_weights)} class weights for {len(pairs)} pairs: expected one each"
            )
        self._class_weights = class_weights
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next rows belong to; before the loader starts its workers."""
        self._epoch = epoch

    def __call__(self, rows: pa.Table | Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Return the arrays of a batch.

        Args:
            rows: columns id, hanzi, run_lengths, syllables, tones; optionally doubtful, repeat.

        Raises:
            ConfigError: a column is missing or does not fit the others.
        """
        seed, epoch = self.options.seed, self._epoch
        if isinstance(rows, pa.Table):
            typed = TypedRows.from_table(rows, seed=seed, epoch=epoch)
            has_doubtful = "doubtful" in rows.column_names
            doubtful = rows.column("doubtful").to_pylist() if has_doubtful else []
        else:
            typed = TypedRows.from_features(rows, seed=seed, epoch=epoch)
            doubtful = [row.get("doubtful", ()) for row in rows]
        return self._fill(augment(typed, self.options.augmentation), doubtful)

    def _fill(self, rows: TypedRows, doubtful: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
        layout = _Layout.of(rows, self.options)
        values = self._values(rows, layout, doubtful)
        multiple = self.options.multiple
        width = max(1, -(-layout.n_columns // multiple)) * multiple
        is_inside = layout.column >= 0
        at = layout.line[is_inside] * width + layout.column[is_inside]
        arrays: dict[str, NDArray[Any]] = {}
        for name, (dtype, empty) in _ARRAYS.items():
            fill = self.vocab.pad_id if name == "input_ids" else empty
            flat = np.full(rows.n_rows * width, fill, dtype=dtype)
            flat[at] = values[name][is_inside]
            arrays[name] = flat.reshape(rows.n_rows, width)
        arrays["attention_mask"] = arrays["input_kinds"] != InputKind.PAD
        arrays["loss_mask"] = arrays["targets"] != IGNORED
        arrays["is_reachable"] = (
            arrays["loss_mask"]
            & (arrays["syllable_lo"] <= arrays["target_syllables"])
            & (arrays["target_syllables"] < arrays["syllable_hi"])
        )
        return arrays

    def _values(
        self, rows: TypedRows, layout: _Layout, doubtful: Sequence[Sequence[int]]
    ) -> dict[str, NDArray[Any]]:
        """Return the values of all items of a layout: hanzi, then literals, then breaks."""
        input_ids = self._ids_of_lengths[rows.typed_syllables, rows.n_letters]
        kinds = rows.kinds.copy()
        changes = np.where(rows.typed_syllables != rows.syllables, ACCENT, 0).astype(np.int8)
        for place, wrong in rows.wrong_letters.items():
            changes[place] |= TYPING_ERROR
            found = self.vocab.find(wrong.after)
            if found >= 0:
                input_ids[place] = found
                kinds[place] = self._kind_of(wrong.after, found)
        targets = self.pairs.ids(rows.syllables, rows.hanzi)
        is_learnt = (targets >= 0) & ~layout.is_context
        if not self.options.uses_doubtful:
            starts = rows.row_start.tolist()
            places = [
                start + index
                for start, indices in zip(starts, doubtful, strict=False)
                for index in indices
            ]
            is_learnt[places] = False
        weights = is_learnt.astype(np.float32)
        if self._class_weights is not None:
            weights *= self._class_weights[targets]
        context = layout.is_context
        input_ids[context] = self.vocab.hanzi_ids(rows.hanzi[context])
        kinds[context] = InputKind.HANZI
        changes[context] = 0
        literals = [*rows.literals.values(), *rows.last_literals.values()]
        ranges = self.vocab.ranges[input_ids]
        n_others = len(literals) + layout.n_breaks
        others = {name: np.full(n_others, empty) for name, (_, empty) in _ARRAYS.items()}
        others["input_ids"][:] = self.vocab.break_id
        others["input_ids"][: len(literals)] = [
            self.vocab.number_id if text.isdigit() else self.vocab.word_id for text in literals
        ]
        others["input_kinds"][:] = InputKind.BREAK
        others["input_kinds"][: len(literals)] = InputKind.LITERAL
        n_hanzi = len(rows.hanzi)
        values = {
            "input_ids": input_ids,
            "input_kinds": kinds,
            "input_tones": np.where(context, 0, rows.typed_tones),
            "syllable_lo": ranges[:, 0],
            "syllable_hi": ranges[:, 1],
            "targets": np.where(is_learnt, targets, IGNORED),
            "target_syllables": rows.syllables,
            "positions": rows.positions,
            "weights": weights,
            "changes": changes,
            "segments": layout.segment[:n_hanzi],
        }
        others["segments"] = layout.segment[n_hanzi:]
        return {name: np.concatenate((value, others[name])) for name, value in values.items()}

    @staticmethod
    def _kind_of(letters: str, input_id: int) -> InputKind:
        """Return how a syllable graph would call letters that have an input id."""
        if letters in INITIALS:
            return InputKind.INITIAL
        is_full = input_id < len(SYLLABLES) and SYLLABLES[input_id] == letters
        return InputKind.FULL if is_full else InputKind.INCOMPLETE

    @cached_property
    def _ids_of_lengths(self) -> NDArray[np.int64]:
        """int64 [n_syllables, letters + 1]: the input id of the first letters of a syllable."""
        table = np.full((len(SYLLABLES), int(SYLLABLE_LENGTHS.max()) + 1), -1, dtype=np.int64)
        for index, syllable in enumerate(SYLLABLES):
            ranges = [prefix_range(syllable[:end]) for end in range(1, len(syllable))]
            low_high = np.array([*ranges, (index, index + 1)])
            table[index, 1 : len(syllable) + 1] = self.vocab.ids_of_ranges(*low_high.T)
        return table


@dataclass(frozen=True)
class _Layout:
    """Where everything of a batch stands: all hanzi, then the literals, then the breaks.

    Attributes:
        line: int64 [n_items], row of each item.
        column: int64 [n_items], its place there; -1 outside the window of a long row.
        is_context: bool [n_hanzi], given as hanzi.
        segment: int64 [n_items], which input of its row an item is in; -1 for none.
        n_breaks: breaks between runs.
        n_columns: of the longest line.
    """

    line: NDArray[np.int64]
    column: NDArray[np.int64]
    is_context: NDArray[np.bool_]
    segment: NDArray[np.int64]
    n_breaks: int
    n_columns: int

    @classmethod
    def of(cls, rows: TypedRows, options: CollatorOptions) -> _Layout:
        lengths = np.diff(rows.row_start)
        last_places = rows.row_start[1:][lengths > 0] - 1
        has_break = rows.is_run_end.copy()
        has_break[last_places] = False
        breaks = np.flatnonzero(has_break)
        has_literal = np.zeros(len(rows.hanzi), dtype=np.int64)
        literals = np.array(list(rows.literals), dtype=np.int64)
        has_literal[literals] = 1
        ends = np.cumsum(1 + has_literal + has_break)  # [n_hanzi], items up to it and its break
        start_items = np.concatenate(([0], ends))[rows.row_start[:-1]]
        of_hanzi = ends - has_break - 1 - start_items[rows.row_of]
        n_items = np.concatenate(([0], ends))[rows.row_start[1:]] - start_items
        last_rows = np.array(list(rows.last_literals), dtype=np.int64)
        line = np.concatenate((rows.row_of, rows.row_of[literals], last_rows, rows.row_of[breaks]))
        column = np.concatenate(
            (of_hanzi, of_hanzi[literals] - 1, n_items[last_rows], of_hanzi[breaks] + 1)
        )
        n_items[last_rows] += 1

        n_kept = np.minimum(n_items, options.max_length)
        first = (uniforms(rows.keys, Purpose.WINDOW) * (n_items - n_kept + 1)).astype(np.int64)
        column = column - first[line]
        column[(column < 0) | (column >= options.max_length)] = -1
        # Runs are counted from 0 in each row; what stands behind a run belongs to it.
        before = np.concatenate(([0], np.cumsum(has_break)))
        run_of_hanzi = before[:-1] - before[rows.row_start[:-1]][rows.row_of]
        last_run = before[rows.row_start[1:]] - before[rows.row_start[:-1]]
        run = np.concatenate(
            (run_of_hanzi, run_of_hanzi[literals], last_run[last_rows], run_of_hanzi[breaks])
        )
        n_breaks = len(breaks)
        is_break = np.arange(len(line)) >= len(line) - n_breaks
        cuts = _context_ends(rows.keys, options, n_kept, line[is_break], column[is_break])
        segment = _segments(
            rows.keys,
            options,
            line=line,
            column=column,
            run=run,
            is_break=is_break,
            cuts=cuts,
        )
        is_context = column[: len(rows.hanzi)] < cuts[rows.row_of]
        return cls(line, column, is_context, segment, n_breaks, int(n_kept.max(initial=0)))


def _context_ends(
    keys: NDArray[np.uint64],
    options: CollatorOptions,
    n_kept: NDArray[np.int64],
    break_line: NDArray[np.int64],
    break_column: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return how many places at the start of each row are given as hanzi."""
    ends = (uniforms(keys, Purpose.CONTEXT_PLACE) * n_kept).astype(np.int64)
    at_break = np.zeros(len(keys), dtype=np.int64)
    fits = break_column < ends[break_line]
    np.maximum.at(at_break, break_line[fits], break_column[fits] + 1)
    is_at_break = uniforms(keys, Purpose.CONTEXT_BREAK) < options.context_break_rate
    ends = np.where(is_at_break, at_break, ends)
    ends[uniforms(keys, Purpose.CONTEXT_ROW) >= options.context_rate] = 0
    return ends


def _segments(
    keys: NDArray[np.uint64],
    options: CollatorOptions,
    *,
    line: NDArray[np.int64],
    column: NDArray[np.int64],
    run: NDArray[np.int64],
    is_break: NDArray[np.bool_],
    cuts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return which input of its row each item is in, -1 for none; see `Collator`."""
    is_before = column < cuts[line]
    is_after = ~is_before & (column >= 0)
    # The run that goes on behind the given part sees that part, and so does the rest of whole rows.
    goes_on = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(goes_on, line[is_after], run[is_after])
    is_whole = uniforms(keys, Purpose.WHOLE_ROW) < options.whole_rate
    segment = np.where(is_whole[line] | is_before, goes_on[line], run)
    segment[is_break & is_after & ~is_whole[line]] = -1
    is_far = is_before & (column < (cuts - options.max_context)[line])
    segment[is_far | (column < 0)] = -1
    return segment
