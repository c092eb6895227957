"""Load the converter for a command: one place for the option and for tests to put in another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from yinzi.converter import Converter
    from yinzi.pinyin import InputScheme

__all__ = [
    "ArtifactOption",
    "CorrectOption",
    "EnglishOption",
    "FuzzyOption",
    "NoEncoderOption",
    "SchemeOption",
    "UserFileOption",
    "UserOption",
    "find_scheme",
    "load_converter",
    "typed_as",
    "with_user_lexicon",
]

ArtifactOption = Annotated[
    str, typer.Option("--artifact", metavar="NAME|PATH", help="Artifact to use.")
]
NoEncoderOption = Annotated[
    bool,
    typer.Option(
        "--no-encoder",
        help="Leave the neural model out: the language model alone decides.",
        show_default=False,
    ),
]
SchemeOption = Annotated[
    str,
    typer.Option(
        "--scheme",
        metavar="NAME|FILE",
        help="How keys are typed: pinyin, a shuangpin, nine keys, zhuyin; see `yinzi schemes`.",
    ),
]


FuzzyOption = Annotated[
    str,
    typer.Option(
        "--fuzzy",
        metavar="LIST|PROFILE",
        help="Sounds that are not told apart: `southern`, `sichuan`, `n-l,in-ing`, …",
        show_default=False,
    ),
]
CorrectOption = Annotated[
    bool,
    typer.Option(
        "--correct/--no-correct", help="Read letters of full pinyin as if one were wrong, too."
    ),
]
EnglishOption = Annotated[
    bool,
    typer.Option("--english", help="Read English words among the pinyin, too.", show_default=False),
]


UserOption = Annotated[
    bool,
    typer.Option(
        "--user", help="Use your own words and choices; see `yinzi user`.", show_default=False
    ),
]
UserFileOption = Annotated[
    Path | None,
    typer.Option(
        "--user-file",
        metavar="PATH",
        help="The same, from another file than the usual one.",
        show_default=False,
    ),
]


def find_scheme(name: str) -> InputScheme:
    """Return the input scheme of a name or file.

    Raises:
        ConfigError: There is none, or the file does not describe one.
    """
    from yinzi.pinyin.schemes import get_scheme

    return get_scheme(name)


def typed_as(
    converter: Converter, scheme: InputScheme, *, fuzzy: str, correct: bool, english: bool
) -> Converter:
    """Return the converter with what `--scheme`, `--fuzzy`, `--correct` and `--english` ask for.

    Errors are corrected in full pinyin alone: in other schemes, letters are not spelled.

    Raises:
        ConfigError: A switch or profile is unknown.
    """
    from yinzi.pinyin import FULL_PINYIN
    from yinzi.pinyin.fuzzy import read_switches

    if scheme is not FULL_PINYIN:
        converter = converter.with_scheme(scheme)
    switches, corrects = read_switches(fuzzy), correct and scheme is FULL_PINYIN
    if not (switches or corrects or english):
        return converter
    return converter.forgiving(fuzzy=switches, corrects=corrects, english=english)


def load_converter(artifact: str, *, no_encoder: bool = False) -> Converter:
    """Return the converter of an artifact, given by name or path.

    Raises:
        ArtifactError: The artifact is missing or damaged.
    """
    import yinzi  # loads numpy, which `--help` does not need

    return yinzi.load(artifact, uses_encoder=not no_encoder)


def with_user_lexicon(converter: Converter, *, user: bool, user_file: Path | None) -> Converter:
    """Return the converter with the user lexicon that a command's options ask for; it is only read.

    Raises:
        UserLexiconError: There is none, or it cannot be read.
    """
    if not user and user_file is None:
        return converter
    from yinzi.user import UserLexicon

    return converter.with_user(UserLexicon(user_file, is_read_only=True))
