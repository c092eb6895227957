"""Pack the inputs of a batch into lines of one length, so that little arithmetic goes to blanks.

An input (a run of hanzi, with the text before it) has 10 places on average, a line 64: inputs are
laid side by side, and attention stays inside each. First-fit by falling length fills 97 to 99 % of
the places. The number of lines is rounded up, so that few shapes occur and each is prepared once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.scoring import InputVocabulary, PairTable, ngram_ids
from yinzi_train.dataset.collator import IGNORED

__all__ = ["pack_inputs"]

_KEPT: Final = ("input_ids", "input_tones", "targets", "weights", "syllable_lo", "syllable_hi")


def pack_inputs(
    arrays: Mapping[str, NDArray[Any]],
    vocab: InputVocabulary,
    pairs: PairTable,
    *,
    length: int = 64,
    multiple: int = 8,
    ngram_orders: Sequence[int] = (),
    ngram_rows: int = 2,
    further: Sequence[str] = (),
) -> dict[str, NDArray[Any]]:
    """Return the inputs of a batch of the collator in lines of `length` places.

    Places that no softmax over the slice of their input can learn are left without a target.

    Args:
        arrays: a batch of the collator, its lines at most `length` long.
        vocab: that of the collator.
        pairs: that of the collator.
        length: places of a line.
        multiple: the number of lines is a multiple of this.
        ngram_orders: n-grams to number; none leaves `ngram_ids` without columns.
        ngram_rows: rows of their table.
        further: names of more targets in `arrays` to lay out; `IGNORED` on blanks.

    Returns:
        Arrays [lines, length]: `input_ids`, `input_tones`, `targets`, `weights`; `segments`, by
        which inputs of one line are told apart, -1 for blanks; `pair_low`, `pair_high`, the slice
        of each place; and `ngram_ids` [lines, length, orders].
    """
    row, column = np.nonzero(arrays["segments"] >= 0)
    key = row * (int(arrays["segments"].max(initial=0)) + 1) + arrays["segments"][row, column]
    firsts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))) if len(key) else key
    sizes = np.diff(np.append(firsts, len(key)))
    line_of, start_of, n_lines = _first_fit(sizes, length)
    n_lines = -(-max(n_lines, 1) // multiple) * multiple
    input_of = np.repeat(np.arange(len(sizes)), sizes)
    at = (line_of[input_of], start_of[input_of] + np.arange(len(key)) - firsts[input_of])
    packed: dict[str, NDArray[Any]] = {}
    fills = {"input_ids": vocab.pad_id, **dict.fromkeys(("targets", *further), IGNORED)}
    for name in (*_KEPT, *further):
        packed[name] = np.full((n_lines, length), fills.get(name, 0), dtype=arrays[name].dtype)
        packed[name][at] = arrays[name][row, column]
    packed["segments"] = np.full((n_lines, length), -1, dtype=np.int64)
    packed["segments"][at] = input_of
    starts = pairs.starts.astype(np.int64)
    packed["pair_low"] = starts[packed.pop("syllable_lo")]
    packed["pair_high"] = starts[packed.pop("syllable_hi")]
    targets = packed["targets"]
    is_out = (targets < packed["pair_low"]) | (targets >= packed["pair_high"])
    targets[is_out] = IGNORED
    packed["weights"][is_out] = 0
    packed["ngram_ids"] = ngram_ids(
        packed["input_ids"], packed["segments"], orders=ngram_orders, n_rows=ngram_rows
    )
    return packed


def _first_fit(
    sizes: NDArray[np.int64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return line and first place of each input, and the number of lines; long inputs go first."""
    line_of = np.zeros(len(sizes), dtype=np.int64)
    start_of = np.zeros(len(sizes), dtype=np.int64)
    # Lines by the room left in them; an input goes where it leaves least.
    with_room: list[list[int]] = [[] for _ in range(length + 1)]
    n_lines = 0
    for index in np.argsort(-sizes, kind="stable").tolist():
        size = int(sizes[index])
        room = next((room for room in range(size, length + 1) if with_room[room]), None)
        if room is None:
            line, room = n_lines, length
            n_lines += 1
        else:
            line = with_room[room].pop()
        line_of[index], start_of[index] = line, length - room
        with_room[room - size].append(line)
    return line_of, start_of, n_lines
