"""Load the converter for a command: one place for the option and for tests to put in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from yinzi.converter import Converter
    from yinzi.pinyin import InputScheme

__all__ = [
    "ArtifactOption",
    "NoEncoderOption",
    "SchemeOption",
    "find_scheme",
    "load_converter",
    "with_scheme",
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


def find_scheme(name: str) -> InputScheme:
    """Return the input scheme of a name or file.

    Raises:
        ConfigError: There is none, or the file does not describe one.
    """
    from yinzi.pinyin.schemes import get_scheme

    return get_scheme(name)


def with_scheme(converter: Converter, scheme: InputScheme) -> Converter:
    """Return a converter that reads keys by a scheme; the same one for full pinyin."""
    from yinzi.pinyin import FULL_PINYIN

    return converter if scheme is FULL_PINYIN else converter.with_scheme(scheme)


def load_converter(artifact: str, *, no_encoder: bool = False) -> Converter:
    """Return the converter of an artifact, given by name or path.

    Raises:
        ArtifactError: The artifact is missing or damaged.
    """
    import yinzi  # loads numpy, which `--help` does not need

    return yinzi.load(artifact, uses_encoder=not no_encoder)
