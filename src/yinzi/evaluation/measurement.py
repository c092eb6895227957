"""Measure a converter on sets of rows: accuracy, throughput and latency in one pass each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from yinzi.errors import ConfigError
from yinzi.evaluation.bootstrap import estimate_metrics
from yinzi.evaluation.errors import EvaluationError
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.outcomes import score
from yinzi.evaluation.reports import FilesReport, Latency, SetReport, SliceReport
from yinzi.evaluation.rows import Row, read_rows
from yinzi.evaluation.slices import POLYPHONES, slice_rows
from yinzi.evaluation.typing_noise import TypingNoise
from yinzi.pinyin import FULL_PINYIN, InputScheme

__all__ = ["BatchConverter", "EvaluationOptions", "evaluate", "evaluate_files"]


class _HasText(Protocol):
    @property
    def text(self) -> str: ...


class BatchConverter(Protocol):
    """Name what is needed of a converter: candidates, best first, for each line."""

    def convert_batch(
        self, lines: list[str], /, *, left_contexts: list[str] | None = None, n_best: int = 5
    ) -> Sequence[Sequence[_HasText]]:
        """Give one list of candidates per line."""


@dataclass(frozen=True)
class EvaluationOptions:
    """Choose how rows are typed and what is measured; defaults are those of published figures."""

    input_form: InputForm = InputForm.SEGMENTED
    use_left_context: bool = False  # give the converter the text before the row
    n_best: int = 5  # candidates asked for, at least 5
    batch_lines: int = 64  # lines per call when throughput is measured
    latency_lines: int = 200  # lines timed one by one, spread over the set; 0: none
    n_resamples: int = 1000  # bootstrap resamples per interval
    seed: int = 0  # of the bootstrap and of `InputForm.MIXED`
    noise: TypingNoise | None = None  # what is wrong with the input; None: nothing
    polyphones: frozenset[str] = POLYPHONES  # hanzi of the slice `polyphone:yes`
    scheme: InputScheme = FULL_PINYIN  # keys that rows are typed with; the converter needs the same

    def __post_init__(self) -> None:
        minimums = {"n_best": 5, "batch_lines": 1, "latency_lines": 0, "n_resamples": 100}
        for name, minimum in minimums.items():
            value = getattr(self, name)
            if value < minimum:
                raise ConfigError(f"{name} is {value!r}; expected at least {minimum}")


def evaluate(
    converter: BatchConverter,
    rows: Sequence[Row],
    options: EvaluationOptions | None = None,
    *,
    name: str = "rows",
    clock: Callable[[], float] = time.perf_counter,
) -> SetReport:
    """Convert every row and report metrics with intervals, slices, throughput and latency.

    Lines per second are of `convert_batch` with all rows; latency is of `convert_batch` with one
    line, over at most `options.latency_lines` rows at even distances. One line is converted before
    anything is timed. `clock` gives seconds.

    Example:
        >>> from types import SimpleNamespace
        >>> class Echo:
        ...     def convert_batch(self, lines, *, left_contexts=None, n_best=5):
        ...         return [[SimpleNamespace(text={"ni hao": "你好"}[line])] for line in lines]
        >>> evaluate(Echo(), [Row("a.0", "你好", "ni hao")]).metrics["miu_accuracy@1"].value
        1.0

    Raises:
        EvaluationError: there are no rows, or the converter does not give one list per line.
    """
    options = options or EvaluationOptions()
    if not rows:
        raise EvaluationError("no rows to evaluate; expected at least one")
    lines = [
        typed_input(
            row,
            options.input_form,
            seed=options.seed,
            scheme=options.scheme,
            noise=options.noise,
        )
        for row in rows
    ]
    contexts = [row.left_context for row in rows] if options.use_left_context else None
    _convert(converter, lines[:1], contexts and contexts[:1], options.n_best)  # warm-up

    started = clock()
    texts: list[list[str]] = []
    for first in range(0, len(lines), options.batch_lines):
        batch = slice(first, first + options.batch_lines)
        batch_contexts = contexts[batch] if contexts is not None else None
        texts += _convert(converter, lines[batch], batch_contexts, options.n_best)
    seconds = clock() - started

    line_seconds: list[float] = []
    n_batch_differences = 0
    for index in _spread(len(lines), options.latency_lines):
        context = [contexts[index]] if contexts is not None else None
        line_started = clock()
        (alone,) = _convert(converter, [lines[index]], context, options.n_best)
        line_seconds.append(clock() - line_started)
        n_batch_differences += alone != texts[index]

    outcomes = score(rows, texts)
    slices = {}
    for slice_name, indices in slice_rows(rows, polyphones=options.polyphones).items():
        part = outcomes.take(indices)
        slices[slice_name] = SliceReport(
            len(part),
            estimate_metrics(part, n_resamples=options.n_resamples, seed=options.seed),
        )
    return SetReport(
        name=name,
        input_form=options.input_form,
        use_left_context=options.use_left_context,
        n_rows=len(rows),
        n_hanzi=int(outcomes.n_hanzi.sum()),
        n_misaligned=sum(not row.is_aligned for row in rows),
        metrics=estimate_metrics(outcomes, n_resamples=options.n_resamples, seed=options.seed),
        slices=slices,
        lines_per_second=len(lines) / seconds if seconds > 0 else float("inf"),
        latency=Latency.from_seconds(line_seconds) if line_seconds else None,
        n_batch_differences=n_batch_differences,
        outcomes=outcomes,
        scheme=options.scheme.name,
    )


def evaluate_files(
    converter: BatchConverter,
    paths: Iterable[str | Path],
    options: EvaluationOptions | None = None,
    *,
    limit: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> FilesReport:
    """Evaluate each TSV file as one set, named by its file name without the ending.

    All files are read before the first is converted, so that a bad one is reported at once.
    `limit` keeps the first rows of each file only.

    Raises:
        EvaluationError: a file cannot be read (see `read_rows`), or no file is given.
    """
    sets = [(Path(path).stem, read_rows(path)[:limit]) for path in paths]
    if not sets:
        raise EvaluationError("no files to evaluate; expected at least one TSV file")
    return FilesReport(
        tuple(evaluate(converter, rows, options, name=name, clock=clock) for name, rows in sets)
    )


def _convert(
    converter: BatchConverter, lines: list[str], contexts: list[str] | None, n_best: int
) -> list[list[str]]:
    found = converter.convert_batch(lines, left_contexts=contexts, n_best=n_best)
    if len(found) != len(lines):
        raise EvaluationError(
            f"convert_batch gave {len(found)} lists of candidates for {len(lines)} lines; "
            "expected one per line"
        )
    return [[candidate.text for candidate in candidates] for candidates in found]


def _spread(n_lines: int, n_wanted: int) -> list[int]:
    """Give at most `n_wanted` indices at even distances."""
    n_taken = min(n_lines, n_wanted)
    return [index * n_lines // n_taken for index in range(n_taken)]
