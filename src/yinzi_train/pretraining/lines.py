"""Lay sentences into lines of one length, and hide of them what a model has to guess.

Sentences have some 25 characters, lines 128 places. Those of one line have nothing to do with each
other: models of the families "bert" and "gpt" see each sentence alone, its positions from 0, as
they do later when it is given alone; "t5" reads a line as one text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi_train.pretraining.config import CorruptionOptions, LineOptions
from yinzi_train.pretraining.vocabulary import TextVocabulary
from yinzi_train.training.packing import first_fit

__all__ = ["IGNORED", "causal_batch", "fill_lines", "masked_batch", "span_batch"]

IGNORED: Final = -100
"""What torch leaves out of a loss."""
_PLACES: Final = 128
"""The number of places to guess is filled up to a multiple, so that few shapes occur."""

Arrays = dict[str, NDArray[Any]]


def fill_lines(texts: Sequence[str], vocab: TextVocabulary, options: LineOptions) -> Arrays:
    """Return sentences side by side in lines; long ones are cut into several.

    Returns:
        int64 [lines, length] each: `input_ids`; `segments`, the number of the sentence, -1 for
        blanks; `position_ids`, from 0 in each sentence.
    """
    most = options.length - len(vocab.prefix) - len(vocab.suffix)
    pieces = [
        np.concatenate((vocab.prefix, ids[first : first + most], vocab.suffix))
        for ids in map(vocab.encode, texts)
        for first in range(0, len(ids), most)
    ]
    sizes = np.array([len(piece) for piece in pieces], dtype=np.int64)
    line_of, start_of, n_lines = first_fit(sizes, options.length)
    n_lines = -(-max(n_lines, 1) // options.multiple) * options.multiple
    shape = (n_lines, options.length)
    lines = {
        "input_ids": np.full(shape, vocab.pad_id, dtype=np.int64),
        "segments": np.full(shape, -1, dtype=np.int64),
        "position_ids": np.zeros(shape, dtype=np.int64),
    }
    for number, (piece, line, start) in enumerate(zip(pieces, line_of, start_of, strict=True)):
        places = slice(start, start + len(piece))
        lines["input_ids"][line, places] = piece
        lines["segments"][line, places] = number
        lines["position_ids"][line, places] = np.arange(len(piece))
    return lines


def masked_batch(
    lines: Arrays, vocab: TextVocabulary, options: CorruptionOptions, rng: np.random.Generator
) -> Arrays | None:
    """Return lines with characters masked or changed, for "bert"; None if there is no character.

    Returns:
        The lines, `places` (int64 [m], indices into all places of the batch) and `targets` (int64
        [m], what was there), filled up with `IGNORED`.
    """
    ids = lines["input_ids"].copy()
    flat = ids.reshape(-1)  # a view
    is_character = np.isin(flat, vocab.character_ids)
    draws = rng.random(len(flat))
    places = np.flatnonzero(is_character & (draws < options.share))
    if not len(places):
        places = np.flatnonzero(is_character)[:1]
    if not len(places):
        return None
    targets = flat[places].copy()
    what = rng.random(len(places))
    others = rng.choice(vocab.character_ids, len(places))
    changes_at = (1 + options.mask_share) / 2
    shown = np.where(what < options.mask_share, vocab.tokenizer.mask_token_id, targets)
    flat[places] = np.where((what >= options.mask_share) & (what < changes_at), others, shown)
    return {**lines, "input_ids": ids, **_filled(places, targets)}


def causal_batch(lines: Arrays) -> Arrays | None:
    """Return lines in which each place has to tell the next one of its sentence, for "gpt"."""
    ids, segments = lines["input_ids"], lines["segments"]
    has_next = np.zeros(ids.shape, dtype=np.bool_)
    has_next[:, :-1] = (segments[:, :-1] == segments[:, 1:]) & (segments[:, :-1] >= 0)
    places = np.flatnonzero(has_next)
    if not len(places):
        return None
    return {**lines, **_filled(places, ids.reshape(-1)[places + 1])}


def span_batch(
    lines: Arrays, vocab: TextVocabulary, options: CorruptionOptions, rng: np.random.Generator
) -> Arrays | None:
    """Return lines with spans left out, and the spans, for "t5"; None if there is no sentence.

    Returns:
        int64 [lines, places] each: `input_ids` and `attention_mask`; `decoder_input_ids` and
        `targets`, the latter filled up with `IGNORED`.
    """
    pairs = [
        _corrupted(line[segments >= 0], vocab, options, rng)
        for line, segments in zip(lines["input_ids"], lines["segments"], strict=True)
        if (segments >= 0).sum() > 1
    ]
    if not pairs:
        return None
    shown = _rectangle([pair[0] for pair in pairs], vocab.pad_id)
    targets = _rectangle([pair[1] for pair in pairs], IGNORED)
    before = np.roll(targets, 1, axis=1)
    before[:, 0] = vocab.pad_id  # what a decoder of this family begins with
    return {
        "input_ids": shown,
        "attention_mask": (np.arange(shown.shape[1]) < _lengths(pairs)[:, None]).astype(np.int64),
        "decoder_input_ids": np.where(before == IGNORED, vocab.pad_id, before),
        "targets": targets,
    }


def _corrupted(
    ids: NDArray[np.int64],
    vocab: TextVocabulary,
    options: CorruptionOptions,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a line with spans left out, and these spans, each behind its name."""
    text, end = ids[:-1], ids[-1:]
    n_left_out = max(1, min(round(len(text) * options.share), len(text) - 1))
    n_kept = len(text) - n_left_out
    n_spans = max(1, min(round(n_left_out / options.mean_span), n_kept, len(vocab.sentinel_ids)))
    kept, left_out = _parts(n_kept, n_spans, rng), _parts(n_left_out, n_spans, rng)
    shown: list[NDArray[np.int64]] = []
    told: list[NDArray[np.int64]] = []
    at = 0
    for n_before, n_span, name in zip(kept, left_out, vocab.sentinel_ids[:, None], strict=False):
        shown += [text[at : at + n_before], name]
        at += n_before + n_span
        told += [name, text[at - n_span : at]]
    return np.concatenate((*shown, end)), np.concatenate((*told, end))


def _parts(total: int, n_parts: int, rng: np.random.Generator) -> list[int]:
    """Cut a number at random into so many parts of at least 1; one part may be 0."""
    if n_parts == 1:
        return [total]
    cuts = np.sort(rng.choice(total - 1, n_parts - 1, replace=False)) + 1
    return [int(part) for part in np.diff(np.concatenate(([0], cuts, [total])))]


def _filled(places: NDArray[np.int64], targets: NDArray[np.int64]) -> Arrays:
    n_more = -len(places) % _PLACES
    return {
        "places": np.pad(places, (0, n_more)),
        "targets": np.pad(targets, (0, n_more), constant_values=IGNORED),
    }


def _lengths(pairs: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> NDArray[np.int64]:
    return np.array([len(shown) for shown, _ in pairs], dtype=np.int64)


def _rectangle(rows: Sequence[NDArray[np.int64]], fill: int) -> NDArray[np.int64]:
    """Return rows of one length, a multiple of 8."""
    width = -(-max(len(row) for row in rows) // 8) * 8
    filled = np.full((len(rows), width), fill, dtype=np.int64)
    for number, row in enumerate(rows):
        filled[number, : len(row)] = row
    return filled
