"""Measure how well and how fast a converter works; definitions are in docs/metrics.md."""

from __future__ import annotations

from yinzi.evaluation.bootstrap import PairedComparison, compare_outcomes
from yinzi.evaluation.errors import EvaluationError
from yinzi.evaluation.inputs import InputForm
from yinzi.evaluation.keys import KeyOptions, KeyReport, evaluate_keys, evaluate_keys_files
from yinzi.evaluation.measurement import EvaluationOptions, evaluate, evaluate_files
from yinzi.evaluation.pairs import PairedSlice, compare_files
from yinzi.evaluation.reports import FilesReport, SetReport
from yinzi.evaluation.rows import Row, read_rows
from yinzi.evaluation.typing_noise import TypingNoise

__all__ = [
    "EvaluationError",
    "EvaluationOptions",
    "FilesReport",
    "InputForm",
    "KeyOptions",
    "KeyReport",
    "PairedComparison",
    "PairedSlice",
    "Row",
    "SetReport",
    "TypingNoise",
    "compare_files",
    "compare_outcomes",
    "evaluate",
    "evaluate_files",
    "evaluate_keys",
    "evaluate_keys_files",
    "read_rows",
]
