"""Load the converter for a command: one place for the option and for tests to put in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from yinzi.converter import Converter

__all__ = [
    "ArtifactOption",
    "CorrectOption",
    "FuzzyOption",
    "NoEncoderOption",
    "forgive",
    "load_converter",
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
    typer.Option("--correct/--no-correct", help="Read letters as if one were wrong, too."),
]


def forgive(converter: Converter, *, fuzzy: str, correct: bool) -> Converter:
    """Return the converter with what `--fuzzy` and `--correct` ask for.

    Raises:
        ConfigError: A switch or profile is unknown.
    """
    from yinzi.pinyin.fuzzy import read_switches

    switches = read_switches(fuzzy)
    return (
        converter.forgiving(fuzzy=switches, corrects=correct) if switches or correct else converter
    )


def load_converter(artifact: str, *, no_encoder: bool = False) -> Converter:
    """Return the converter of an artifact, given by name or path.

    Raises:
        ArtifactError: The artifact is missing or damaged.
    """
    import yinzi  # loads numpy, which `--help` does not need

    return yinzi.load(artifact, uses_encoder=not no_encoder)
