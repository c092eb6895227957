"""Convert pinyin to hanzi and hanzi to pinyin: the interface that applications use."""

from __future__ import annotations

from yinzi.converter.candidate import Candidate
from yinzi.converter.converter import Converter, Explanation, load
from yinzi.converter.correction import Change, Correction
from yinzi.converter.late_results import LatePolicy
from yinzi.converter.output import OutputForm
from yinzi.converter.typing import Typing

__all__ = [
    "Candidate",
    "Change",
    "Converter",
    "Correction",
    "Explanation",
    "LatePolicy",
    "OutputForm",
    "Typing",
    "load",
]
