"""Give candidates another form: traditional hanzi, Chinese punctuation, numbers in hanzi.

The models know simplified hanzi. What they find is turned into another script on the way out, and
the text before the input is turned back on the way in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from yinzi.converter.candidate import Candidate
from yinzi.converter.punctuation import chinese_punctuation
from yinzi.errors import ConfigError, MissingExtra
from yinzi.numerals import MAX_DIGITS, formal_numeral, spelled_numeral, spoken_numeral

__all__ = ["PUNCTUATIONS", "SCRIPTS", "OutputForm", "number_variants"]

SCRIPTS: Final = {"simplified": "", "traditional": "t", "taiwan": "tw", "hongkong": "hk"}
"""Names of scripts with what OpenCC calls them."""
PUNCTUATIONS: Final = ("as-is", "chinese")

_NUMBER = re.compile(r"(?<![0-9.,:/A-Za-z-])[0-9]+(?![0-9.,:/A-Za-z-])")
_YEAR_DIGITS: Final = 4


@dataclass(frozen=True)
class OutputForm:
    """How texts look.

    Attributes:
        script: "simplified", "traditional", "taiwan" or "hongkong"; all but the first need the
            extra `traditional`. Only characters change, not words.
        punctuation: "chinese" changes ASCII marks among hanzi, "as-is" nothing.
        has_number_variants: offer numbers in hanzi, too, in candidate lists; never first.

    Raises:
        ConfigError: a name is unknown.
        MissingExtra: the script needs OpenCC, which is not installed.
    """

    script: str = "simplified"
    punctuation: str = "as-is"
    has_number_variants: bool = True

    def __post_init__(self) -> None:
        if self.script not in SCRIPTS:
            raise ConfigError(f"script is {self.script!r}: expected one of {list(SCRIPTS)}")
        if self.punctuation not in PUNCTUATIONS:
            raise ConfigError(
                f"punctuation is {self.punctuation!r}: expected one of {list(PUNCTUATIONS)}"
            )
        if SCRIPTS[self.script]:
            _opencc("s2" + SCRIPTS[self.script])  # fail here, not at the first input

    def read_context(self, left_context: str) -> str:
        """Return the text before an input as the models know it."""
        script = SCRIPTS[self.script]
        return str(_opencc(f"{script}2s").convert(left_context)) if script else left_context

    def write(self, texts: Sequence[str], *, left_context: str = "") -> list[str]:
        """Return texts in this form.

        >>> OutputForm(punctuation="chinese").write(["你好,世界!"])
        ['你好，世界！']

        Args:
            texts: as the models give them.
            left_context: text before them, as typed.
        """
        written = list(texts)
        if SCRIPTS[self.script]:
            convert = _opencc("s2" + SCRIPTS[self.script]).convert
            if any("\n" in text for text in written):
                written = [str(convert(text)) for text in written]
            elif written:
                written = str(convert("\n".join(written))).split("\n")
        if self.punctuation == "chinese":
            written = [chinese_punctuation(text, left_context=left_context) for text in written]
        return written

    def apply(
        self, candidates: Sequence[Candidate], *, left_context: str = "", limit: int | None = None
    ) -> list[Candidate]:
        """Return candidates in this form; of equal texts of one span the first.

        Args:
            candidates: the best first.
            left_context: text before the input, as typed.
            limit: candidates at most, with number variants among them; None adds no variants.
        """
        offered = list(candidates)
        if self.has_number_variants and limit is not None:
            offered = _with_numbers(offered)[:limit]
        texts = self.write([one.text for one in offered], left_context=left_context)
        found: dict[tuple[str, int], Candidate] = {}
        for candidate, text in zip(offered, texts, strict=True):
            found.setdefault((text, candidate.end), replace(candidate, text=text))
        return list(found.values())


def number_variants(text: str) -> list[str]:
    """Return a text with its numbers in hanzi: as read, then as on cheques if it is a number.

    Years are read digit by digit. Numbers inside others, times and versions stay; without any
    number there is no variant.

    >>> number_variants("2026年11月"), number_variants("123")
    (['二〇二六年十一月'], ['一百二十三', '一二三', '壹佰贰拾叁'])
    """
    if text.isascii() and text.isdigit():
        if len(text) > MAX_DIGITS:
            return []
        forms = (spoken_numeral(text), spelled_numeral(text), formal_numeral(text))
        return list(dict.fromkeys(forms))

    def read(match: re.Match[str]) -> str:
        digits = match.group()
        is_year = len(digits) == _YEAR_DIGITS and text[match.end() : match.end() + 1] == "年"
        if is_year or digits[0] == "0":
            return spelled_numeral(digits)
        return digits if len(digits) > MAX_DIGITS else spoken_numeral(digits)

    variant = _NUMBER.sub(read, text)
    return [variant] if variant != text else []


def _with_numbers(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Put the variants of the best text for the whole input behind all texts for it."""
    n_sentences = sum(candidate.kind == "sentence" for candidate in candidates)
    if not n_sentences:
        return list(candidates)
    best = candidates[0]
    known = {candidate.text for candidate in candidates}
    variants = [
        replace(best, text=text) for text in number_variants(best.text) if text not in known
    ]
    return [*candidates[:n_sentences], *variants, *candidates[n_sentences:]]


@cache
def _opencc(configuration: str) -> Any:
    try:
        import opencc
    except ImportError as error:
        raise MissingExtra(
            "traditional hanzi need the package opencc, which is not installed; "
            "install it with: pip install 'yinzi[traditional]'"
        ) from error
    return opencc.OpenCC(configuration)
