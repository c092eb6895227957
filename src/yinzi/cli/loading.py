"""Load the converter for a command: one place for the option and for tests to put in another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from yinzi.converter import Converter

__all__ = [
    "ArtifactOption",
    "NoEncoderOption",
    "UserFileOption",
    "UserOption",
    "load_converter",
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
