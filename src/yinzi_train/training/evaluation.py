"""Measure a model while it is trained: alone, without lexicon, language model and decoder.

Definitions are those of docs/metrics.md. `validation_loss` is measured on the validation split as
it is typed in training; development sets are typed in full, with borders, with the left context
that they give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from yinzi.errors import ConfigError, InvalidPinyin
from yinzi.evaluation import Row, read_rows
from yinzi.evaluation.outcomes import METRICS, score
from yinzi.pinyin import parse_syllable, syllable_id
from yinzi.scoring import InputVocabulary, ScorerInput, context_ids
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.model import ConversionModel
from yinzi_train.model.constrained_search import convert
from yinzi_train.training.config import EvaluationOptions
from yinzi_train.training.run_callback import Evaluate

__all__ = [
    "MakeEvaluation",
    "development_evaluation",
    "join_evaluations",
    "row_input",
    "validation_evaluation",
]

MakeEvaluation = Callable[[InputVocabulary, PairVocabulary], Evaluate]
"""Gives, for the vocabularies of a run, what measures a model of it."""

_N_BEST = 5


def join_evaluations(parts: Sequence[Evaluate]) -> Evaluate:
    """Return what measures all that the parts measure.

    >>> join_evaluations([lambda model: {"a": 1.0}, lambda model: {"b": 2.0}])(None)
    {'a': 1.0, 'b': 2.0}
    """
    return lambda model: {name: value for part in parts for name, value in part(model).items()}


def validation_evaluation(
    batches: Iterable[dict[str, Tensor]], *, precision: str = "bf16"
) -> Evaluate:
    """Return what measures `validation_loss` (natural log) and `validation_accuracy`.

    Args:
        batches: packed batches; they are kept.
        precision: "bf16" (autocast) or "fp32".
    """
    kept, is_bf16 = list(batches), precision == "bf16"

    def evaluate(model: ConversionModel) -> Mapping[str, float]:
        loss, n_right, n_targets, n_weighted = 0.0, 0, 0, 0.0
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            for batch in kept:
                output = model(**batch)
                weight = float(batch["weights"].sum())
                loss += float(output.loss) * weight
                n_weighted += weight
                n_right += int(output.n_right)
                n_targets += int(output.n_targets)
        return {
            "validation_loss": loss / max(n_weighted, 1e-9),
            "validation_accuracy": n_right / max(n_targets, 1),
        }

    return evaluate


def development_evaluation(
    paths: Sequence[Path], options: EvaluationOptions | None = None
) -> MakeEvaluation:
    """Return what measures the metrics of development sets, by the model's own search.

    Names are those of `yinzi.evaluation`: the mean over the sets under the plain name, as
    "miu_accuracy@1", and each set's under "miu_accuracy@1/hsk" if there are several.

    Args:
        paths: TSV sets: id, hanzi, pinyin, and left context if there is one.
        options: rows of each set, and beam width.

    Raises:
        EvaluationError: a set cannot be read.
        ConfigError: a row's pinyin is none, or is not one syllable for each hanzi.
    """
    options = options or EvaluationOptions()
    sets = {path.stem: read_rows(path)[: options.rows_per_set or None] for path in paths}

    def make(vocab: InputVocabulary, pairs: PairVocabulary) -> Evaluate:
        inputs = {name: [row_input(row, vocab) for row in rows] for name, rows in sets.items()}

        def evaluate(model: ConversionModel) -> Mapping[str, float]:
            found = {}
            for name, rows in sets.items():
                conversions = convert(
                    model,
                    inputs[name],
                    pairs=pairs,
                    vocab=vocab,
                    n_best=_N_BEST,
                    beam_width=options.beam_width,
                )
                texts = [[one.text for one in best] for best in conversions]
                found[name] = score(rows, texts).metrics()
            figures = {
                metric: float(np.mean([values[metric] for values in found.values()]))
                for metric in METRICS
            }
            if len(found) > 1:
                figures |= {
                    f"{metric}/{name}": values[metric]
                    for name, values in found.items()
                    for metric in METRICS
                }
            return figures

        return evaluate

    return make


def row_input(row: Row, vocab: InputVocabulary) -> ScorerInput:
    """Return what a model is given for a row of a set: full syllables without tones.

    >>> vocab = InputVocabulary("早")
    >>> given = row_input(Row("a", "你好", "ni hao", "早。"), vocab)
    >>> [vocab.spell(int(i)) for i in (*given.context, *given.input_ids)]
    ['早', 'BREAK', 'ni', 'hao']

    Raises:
        ConfigError: the pinyin is none, or is not one syllable for each hanzi.
    """
    try:
        syllables = [
            syllable_id("er" if text == "r" else parse_syllable(text).toneless)  # as in dianr
            for text in row.syllables
        ]
    except InvalidPinyin as error:
        raise ConfigError(f"row {row.id!r}: {error}") from error
    if not row.is_aligned:
        raise ConfigError(
            f"row {row.id!r} has {len(syllables)} syllables for {len(row.hanzi)} hanzi: expected "
            "one each; leave it out of --dev"
        )
    return ScorerInput(
        input_ids=np.array(syllables, dtype=np.int64),
        tones=np.zeros(len(syllables), dtype=np.int64),
        context=context_ids(vocab, row.left_context),
    )
