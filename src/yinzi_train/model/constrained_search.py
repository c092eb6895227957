"""Convert inputs with a model alone: a beam search over the hanzi that each place can be.

Outputs are constrained to the slice of pairs of each place, so that every conversion can be read as
what was typed. One search serves all families: a stepwise model is asked place by place, for many
inputs and all their hypotheses at once; the places of a model of one pass are independent, so its
best conversions are found exactly, by merging the best of each place into the best so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary, PairTable, ScorerInput, ngram_ids
from yinzi_train.dataset.collator import IGNORED
from yinzi_train.model.configuration import ConversionConfig
from yinzi_train.model.conversion_model import ConversionModel
from yinzi_train.model.restricted_softmax import restricted_top_k
from yinzi_train.model.stepwise import StepwiseModel
from yinzi_train.model.torch_scorer import TorchScorer

__all__ = ["LITERAL", "Conversion", "convert", "input_batch"]

LITERAL: Final = "\ufffc"
"""Stands in a text for a place that is no hanzi; whoever typed it knows what it is."""

_MAX_ROWS: Final = 512
"""Hypotheses that are extended together."""


@dataclass(frozen=True)
class Conversion:
    """One way to write an input.

    Attributes:
        text: a hanzi for each place, `LITERAL` where nothing was chosen.
        pair_ids: the pair chosen at each place, -1 where nothing was.
        logprob: natural log; places where nothing was chosen count as certain.
    """

    text: str
    pair_ids: tuple[int, ...]
    logprob: float


@torch.no_grad()
def convert(
    model: ConversionModel,
    inputs: Sequence[ScorerInput],
    *,
    pairs: PairTable,
    vocab: InputVocabulary,
    n_best: int = 5,
    beam_width: int = 8,
) -> list[list[Conversion]]:
    """Return the best conversions of each input, the likeliest first, each text once.

    Of readings that give one text the likeliest counts. Equal ones keep the order of their pair
    ids. Places of literals, and syllables of which no pair is known, pass through. The result for
    an input does not depend on the others, but for the last digits of its logprobs. An input
    without places has one conversion, the empty text.

    Args:
        model: of any family; on the CPU. It is run in float32 and without dropout.
        inputs: any number.
        pairs: what places are chosen from; those that the model was trained with.
        vocab: what inputs are numbered by, as well.
        n_best: conversions at most, at least 1; fewer if there are no more.
        beam_width: hypotheses kept at each place, at least `n_best`. A model of one pass needs
            none: its conversions are the best there are.

    Raises:
        ConfigError: a number is out of range, an input does not fit the vocabulary, or the model
            is none that can be searched.
    """
    if n_best < 1:
        raise ConfigError(f"n_best is {n_best}: expected at least 1")
    if beam_width < n_best:
        raise ConfigError(
            f"beam_width is {beam_width} and n_best {n_best}: expected at least as many"
        )
    _check_sizes(model, vocab, pairs)
    _check_inputs(inputs, vocab)
    was_training = model.training
    model.eval()
    try:
        with torch.autocast("cpu", enabled=False):
            if model.is_one_pass:
                return _merged(model, inputs, vocab, pairs, n_best)
            if isinstance(model, StepwiseModel):
                return _searched(model, inputs, vocab, pairs, n_best=n_best, beam_width=beam_width)
    finally:
        model.train(was_training)
    raise ConfigError(
        f"cannot search with a {type(model).__name__}: expected a model of one pass or "
        "a StepwiseModel"
    )


def input_batch(
    inputs: Sequence[ScorerInput],
    *,
    vocab: InputVocabulary,
    pairs: PairTable,
    config: ConversionConfig,
) -> dict[str, Tensor]:
    """Return a batch with one input a line: its context, then its places, then blanks."""
    sizes = [len(given.context) + len(given.input_ids) for given in inputs]
    shape = len(inputs), max([*sizes, 1])
    ids = np.full(shape, vocab.pad_id, dtype=np.int64)
    tones = np.zeros(shape, dtype=np.int64)
    segments = np.full(shape, -1, dtype=np.int64)
    for line, (given, size) in enumerate(zip(inputs, sizes, strict=True)):
        n_context = len(given.context)
        ids[line, :n_context] = given.context
        ids[line, n_context:size] = given.input_ids
        tones[line, n_context:size] = given.tones
        segments[line, :size] = line
    bounds = pairs.starts.astype(np.int64)[vocab.ranges[ids]]  # [lines, length, 2]
    arrays = {
        "input_ids": ids,
        "input_tones": tones,
        "segments": segments,
        "targets": np.full(shape, IGNORED, dtype=np.int64),
        "pair_low": bounds[..., 0],
        "pair_high": bounds[..., 1],
        "ngram_ids": ngram_ids(
            ids, segments, orders=tuple(config.ngram_orders), n_rows=config.ngram_rows
        ),
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _check_sizes(model: ConversionModel, vocab: InputVocabulary, pairs: PairTable) -> None:
    config = model.config
    sizes = {
        "n_inputs": vocab.first_hanzi_id,
        "n_hanzi": len(vocab.hanzi),
        "n_pairs": len(pairs),
    }
    for name, size in sizes.items():
        if getattr(config, name) != size:
            raise ConfigError(
                f"the model has {name} {getattr(config, name)}, the vocabularies {size}: "
                "give those that it was trained with"
            )


def _check_inputs(inputs: Sequence[ScorerInput], vocab: InputVocabulary) -> None:
    for number, given in enumerate(inputs):
        if len(given.tones) != len(given.input_ids):
            raise ConfigError(
                f"input {number} has {len(given.input_ids)} places and {len(given.tones)} tones: "
                "expected one each"
            )
        for name, values, end in (
            ("input id", given.input_ids, len(vocab)),
            ("input id", given.context, len(vocab)),
            ("tone", given.tones, 6),
        ):
            wrong = [int(value) for value in values if not 0 <= value < end]
            if wrong:
                raise ConfigError(f"input {number} has {name} {wrong[0]}: expected 0 to {end - 1}")


def _merged(
    model: ConversionModel,
    inputs: Sequence[ScorerInput],
    vocab: InputVocabulary,
    pairs: PairTable,
    n_best: int,
) -> list[list[Conversion]]:
    scored = TorchScorer(model, vocab, pairs).score(inputs)
    texts = pairs.texts()
    results = []
    for first, end in zip(scored.first_place[:-1], scored.first_place[1:], strict=True):
        best = [Conversion("", (), 0.0)]
        for place in range(first, end):
            logprobs = scored.logprobs[scored.starts[place] : scored.starts[place + 1]]
            choices = _best_of_place(logprobs, pairs, int(scored.pair_low[place]), n_best)
            best = _extended(best, choices, n_best, texts)
        results.append(best)
    return results


def _best_of_place(
    logprobs: NDArray[np.float32], pairs: PairTable, low: int, n_best: int
) -> list[tuple[int, float]]:
    """Return pairs and logprobs of the likeliest hanzi of a place, each hanzi once."""
    order = np.argsort(-logprobs, kind="stable")
    codes = pairs.hanzi[low : low + len(logprobs)][order]
    firsts = np.sort(np.unique(codes, return_index=True)[1])[:n_best]
    return [(low + int(index), float(logprobs[index])) for index in order[firsts]]


def _extended(
    best: list[Conversion],
    choices: list[tuple[int, float]],
    n_best: int,
    texts: Sequence[str],
) -> list[Conversion]:
    if not choices:
        return [Conversion(c.text + LITERAL, (*c.pair_ids, -1), c.logprob) for c in best]
    totals = np.add.outer([c.logprob for c in best], [logprob for _, logprob in choices]).ravel()
    extended = []
    for index in np.argsort(-totals, kind="stable")[:n_best].tolist():
        before, pair = best[index // len(choices)], choices[index % len(choices)][0]
        extended.append(
            Conversion(before.text + texts[pair], (*before.pair_ids, pair), float(totals[index]))
        )
    return extended


def _searched(
    model: StepwiseModel,
    inputs: Sequence[ScorerInput],
    vocab: InputVocabulary,
    pairs: PairTable,
    *,
    n_best: int,
    beam_width: int,
) -> list[list[Conversion]]:
    """Search inputs of about one length together."""
    sizes = np.array([len(given.context) + len(given.input_ids) for given in inputs])
    results: list[list[Conversion]] = [[] for _ in inputs]
    order = np.argsort(sizes, kind="stable").tolist()
    n_lines = max(1, _MAX_ROWS // beam_width)
    for start in range(0, len(order), n_lines):
        numbers = order[start : start + n_lines]
        part = [inputs[number] for number in numbers]
        batch = input_batch(part, vocab=vocab, pairs=pairs, config=model.config)
        hypotheses = _search(model, batch, beam_width)
        for number, given, found in zip(numbers, part, hypotheses, strict=True):
            results[number] = _distinct(found, len(given.context), pairs, n_best)
    return results


def _search(
    model: StepwiseModel, batch: dict[str, Tensor], beam_width: int
) -> Iterator[list[tuple[list[int], float]]]:
    """Yield for each line its hypotheses: pairs of all its places, and logprob; best first."""
    n_lines, length = batch["segments"].shape
    sizes = (batch["segments"] >= 0).sum(1).tolist()
    source, state = model.begin(batch)
    line_of = torch.arange(n_lines).repeat_interleave(beam_width)
    source = {name: values[line_of] for name, values in source.items()}
    state = {name: values[line_of] for name, values in state.items()}
    # Hypotheses that do not exist yet have -inf; a line begins with one.
    totals = torch.full((n_lines, beam_width), -torch.inf)
    totals[:, 0] = 0.0
    chosen = torch.full((n_lines * beam_width, length), -1, dtype=torch.int64)
    previous = torch.full((n_lines * beam_width,), -1, dtype=torch.int64)
    first_row = torch.arange(n_lines)[:, None] * beam_width
    for place in range(length):
        hidden, state = model.step(source, state, place=place, previous=previous)
        low, high = batch["pair_low"][:, place], batch["pair_high"][:, place]
        ids, logprobs = restricted_top_k(
            hidden,
            model.pair_layer.weight,
            model.pair_layer.bias,
            low=low[line_of],
            high=high[line_of],
            k=beam_width,
        )
        # Where there is no choice, each hypothesis goes on alone.
        without = (low >= high)[line_of]
        logprobs[without, 0] = 0.0
        extended = (totals.reshape(-1, 1) + logprobs).view(n_lines, -1)  # [lines, beam × k]
        totals, best = torch.sort(extended, dim=1, descending=True, stable=True)
        totals, best = totals[:, :beam_width], best[:, :beam_width]
        rows = (first_row + best // beam_width).reshape(-1)
        previous = ids[rows, (best % beam_width).reshape(-1)]
        state = {name: values[rows] for name, values in state.items()}
        chosen = chosen[rows]
        chosen[:, place] = previous
    for line, size in enumerate(sizes):
        rows_of_line = chosen[line * beam_width : (line + 1) * beam_width, :size].tolist()
        values = totals[line].tolist()
        yield [
            (pair_ids, value)
            for pair_ids, value in zip(rows_of_line, values, strict=True)
            if value > -np.inf
        ]


def _distinct(
    hypotheses: list[tuple[list[int], float]], n_context: int, pairs: PairTable, n_best: int
) -> list[Conversion]:
    """Return the best hypotheses, each text once, without the places of the context."""
    found: dict[str, Conversion] = {}
    for pair_ids, logprob in hypotheses:
        own = tuple(pair_ids[n_context:])
        text = "".join(chr(pairs.hanzi[pair]) if pair >= 0 else LITERAL for pair in own)
        found.setdefault(text, Conversion(text, own, logprob))
    return list(found.values())[:n_best]
