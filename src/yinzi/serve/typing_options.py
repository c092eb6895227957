"""Turn the options of a request into a converter: the one place that knows what this version can.

What is not there is refused in words, never ignored: a caller who asks for shuangpin must not get
full pinyin. Names alone are taken: a request never names a file of this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from yinzi.converter import Converter
from yinzi.converter.output import PUNCTUATIONS, SCRIPTS, OutputForm
from yinzi.errors import MissingExtra
from yinzi.pinyin import FULL_PINYIN
from yinzi.pinyin.fuzzy import FUZZY_PROFILES, FUZZY_SWITCHES, read_switches
from yinzi.pinyin.schemes import SCHEME_NAMES, get_scheme
from yinzi.serve.problems import Problem

__all__ = ["DEFAULT_OPTIONS", "TypingOptions", "available_options", "converter_for"]


@dataclass(frozen=True)
class TypingOptions:
    """How a request types and what it wants back.

    Attributes:
        scheme: what keys mean; "pinyin" is full pinyin.
        fuzzy: accent profiles, or single confusions, that are allowed for.
        corrects_typing: allow for typing errors, in full pinyin.
        script: "simplified", "traditional", "taiwan" or "hongkong".
        punctuation: "as-is" or "chinese".
        reads_english: read English words, capitals and numbers among the pinyin.
    """

    scheme: str = FULL_PINYIN.name
    fuzzy: tuple[str, ...] = ()
    corrects_typing: bool = False
    script: str = "simplified"
    punctuation: str = "as-is"
    reads_english: bool = False


DEFAULT_OPTIONS = TypingOptions()


def converter_for(converter: Converter, options: TypingOptions) -> Converter:
    """Return the converter for options; all of them share the models.

    Raises:
        Problem: 422, an option is not available in this version.
    """
    _check(options)
    if options.scheme != FULL_PINYIN.name:
        converter = converter.with_scheme(get_scheme(options.scheme))
    if options.fuzzy or options.corrects_typing or options.reads_english:
        converter = converter.forgiving(
            fuzzy=read_switches(",".join(options.fuzzy)),
            corrects=options.corrects_typing,
            english=options.reads_english,
        )
    if (options.script, options.punctuation) == ("simplified", "as-is"):
        return converter
    try:
        form = OutputForm(
            script=options.script,
            punctuation=options.punctuation,
            has_number_variants=False,
        )
    except MissingExtra as error:
        raise Problem(422, "not_available", f"script: {error}") from error
    return converter.with_output(form)


@cache
def available_options() -> dict[str, list[str]]:
    """Return the values that each option can have here, for `/v1/models`.

    Scripts that need a package which is not installed are left out.
    """
    return {
        "scheme": list(SCHEME_NAMES),
        "fuzzy": [*FUZZY_PROFILES, *FUZZY_SWITCHES],
        "corrects_typing": ["false", "true"],
        "script": list(SCRIPTS) if find_spec("opencc") else ["simplified"],
        "punctuation": list(PUNCTUATIONS),
        "reads_english": ["false", "true"],
    }


def _check(options: TypingOptions) -> None:
    known = {**available_options(), "script": list(SCRIPTS)}  # one that lacks its package says so
    asked = {
        "scheme": (options.scheme,),
        "fuzzy": options.fuzzy,
        "script": (options.script,),
        "punctuation": (options.punctuation,),
    }
    for name, values in asked.items():
        if not set(values) <= set(known[name]):
            raise Problem(
                422,
                "not_available",
                f"the option {name!r} has a value that is not available in this version: "
                f"expected {', '.join(available_options()[name])}",
            )
    if options.corrects_typing and options.scheme != FULL_PINYIN.name:
        raise Problem(
            422,
            "not_available",
            f"typing errors are corrected in full pinyin alone: leave 'corrects_typing' out, or "
            f"the scheme {options.scheme!r}",
        )
