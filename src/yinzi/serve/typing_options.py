"""Turn the options of a request into a converter: the one place that knows what this version can.

What is not there is refused in words, never ignored: a caller who asks for shuangpin must not get
full pinyin.
"""

from __future__ import annotations

from dataclasses import dataclass

from yinzi.converter import Converter
from yinzi.serve.problems import Problem

__all__ = ["DEFAULT_OPTIONS", "TypingOptions", "available_options", "converter_for"]


@dataclass(frozen=True)
class TypingOptions:
    """How a request types and what it wants back.

    Attributes:
        scheme: what keys mean; "pinyin" is full pinyin.
        fuzzy: accent profiles, or single confusions, that are allowed for.
        corrects_typing: allow for typing errors.
        script: "simplified" or "traditional".
        punctuation: "as-is" or "chinese".
    """

    scheme: str = "pinyin"
    fuzzy: tuple[str, ...] = ()
    corrects_typing: bool = False
    script: str = "simplified"
    punctuation: str = "as-is"


DEFAULT_OPTIONS = TypingOptions()


def converter_for(converter: Converter, options: TypingOptions) -> Converter:
    """Return the converter for options; all of them share the models.

    Raises:
        Problem: 422, an option is not available in this version.
    """
    for apply in (_with_scheme, _with_fuzzy, _with_typing_errors, _with_output):
        converter = apply(converter, options)
    return converter


def available_options() -> dict[str, list[str]]:
    """Return the values that each option can have here, for `/v1/models`."""
    return {
        "scheme": ["pinyin"],
        "fuzzy": [],
        "corrects_typing": ["false"],
        "script": ["simplified"],
        "punctuation": ["as-is"],
    }


def _with_scheme(converter: Converter, options: TypingOptions) -> Converter:
    if options.scheme == DEFAULT_OPTIONS.scheme:
        return converter
    raise _not_available("scheme")


def _with_fuzzy(converter: Converter, options: TypingOptions) -> Converter:
    if not options.fuzzy:
        return converter
    raise _not_available("fuzzy")


def _with_typing_errors(converter: Converter, options: TypingOptions) -> Converter:
    if not options.corrects_typing:
        return converter
    raise _not_available("corrects_typing")


def _with_output(converter: Converter, options: TypingOptions) -> Converter:
    for name in ("script", "punctuation"):
        if getattr(options, name) != getattr(DEFAULT_OPTIONS, name):
            raise _not_available(name)
    return converter


def _not_available(name: str) -> Problem:
    values = available_options().get(name) or ["its default"]
    return Problem(
        422,
        "not_available",
        f"the option {name!r} has a value that is not available in this version: "
        f"expected {', '.join(values)}",
    )
