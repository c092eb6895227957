"""The command `yinzi type`: an input method on the whole terminal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from yinzi.cli import loading
from yinzi.cli.loading import ArtifactOption, NoEncoderOption, UserFileOption
from yinzi.cli.running import DebugOption
from yinzi.errors import ConfigError, MissingExtra

__all__ = ["EXAMPLES", "type"]

EXAMPLES = """Examples:

$ yinzi type

$ yinzi type --print > letter.txt"""


def type(
    *,
    print_text: Annotated[
        bool,
        typer.Option("--print", help="Print the text at the end.", show_default=False),
    ] = False,
    page_size: Annotated[
        int, typer.Option("--page-size", min=5, max=9, help="Candidates on a page.")
    ] = 5,
    half_punctuation: Annotated[
        bool,
        typer.Option(
            "--half-punctuation", help="Leave punctuation as it is typed.", show_default=False
        ),
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Learn and suggest nothing.", show_default=False)
    ] = False,
    user_file: UserFileOption = None,
    no_user: Annotated[
        bool,
        typer.Option(
            "--no-user",
            help="Leave the user lexicon alone: choices count until the end.",
            show_default=False,
        ),
    ] = False,
    scheme: Annotated[
        str, typer.Option("--scheme", metavar="NAME", help="What letters mean.")
    ] = "pinyin",
    accent: Annotated[
        str,
        typer.Option(
            "--accent",
            metavar="PROFILE|LIST",
            help="Sounds that are not told apart: `southern`, `sichuan`, `n-l,in-ing`, …",
        ),
    ] = "exact",
    no_encoder: NoEncoderOption = False,
    artifact: ArtifactOption = "base",
    debug: DebugOption = False,
) -> None:
    """Type Chinese on the whole terminal, as with an input method.

    F1 shows the keys, Ctrl+Q leaves. Needs the extra `type`.
    """
    try:
        from yinzi.cli.type_screen import TypeApp
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "textual":
            raise
        raise MissingExtra(
            "yinzi type needs textual, which is not installed: pip install 'yinzi[type]'"
        ) from error
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(
            "yinzi type needs a terminal for keys and screen, but stdin or stderr is a file or a "
            "pipe; for lines from a pipe use yinzi convert"
        )
    from yinzi.session import SessionSettings

    settings = SessionSettings(
        page_size=page_size,
        punctuation="half" if half_punctuation else "full",
        is_private=private,
    )
    converter = loading.load_converter(artifact, no_encoder=no_encoder)
    learner = None
    if not no_user:
        from yinzi.session import UserLearner
        from yinzi.user import UserLexicon

        converter = converter.with_user(UserLexicon(user_file))
        learner = UserLearner(converter)
    app = TypeApp(converter, settings=settings, scheme_name=scheme, accent=accent, learner=learner)
    text = app.run() or ""
    if print_text:
        print(text)
