"""The commands `yinzi user …`: the user's own words."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli import loading
from yinzi.cli.lines import decode_argument
from yinzi.cli.loading import ArtifactOption
from yinzi.cli.running import DebugOption, add_command
from yinzi.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yinzi.converter import Converter
    from yinzi.user import UserLexicon, UserWord
    from yinzi.user.formats import WordListFormat

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Your own words: add, list, forget, import, export.",
    epilog='Example:\n\n$ yinzi user add 沐璟 "mu jing"\n\n$ yinzi convert --user mujing',
)

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="PATH",
        help="The user lexicon; `yinzi user path` tells the usual one.",
        show_default=False,
    ),
]
WordArgument = Annotated[str, typer.Argument(metavar="WORD", help="Hanzi.")]
PinyinArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PINYIN]",
        help="Its syllables with blanks between; as the lexicon reads it if not given.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="rime, tsv, scel or libpinyin; seen from the file if not given.",
        show_default=False,
    ),
]


def _open(file: Path | None, *, is_read_only: bool = False) -> UserLexicon:
    from yinzi.user import UserLexicon, user_lexicon_path

    path = file or user_lexicon_path()
    user = UserLexicon(path, is_read_only=is_read_only)
    if user.set_aside is not None:
        print(
            f"yinzi: warning: {str(path)!r} was damaged and is kept as {str(user.set_aside)!r}; "
            "a new one was begun",
            file=sys.stderr,
        )
    return user


def _reader(artifact: str) -> Callable[[str], Sequence[str] | None]:
    """Return a function that reads words as the lexicon does; it is loaded when first needed."""
    converters: list[Converter] = []

    def read(text: str) -> Sequence[str] | None:
        if not converters:
            converters.append(loading.load_converter(artifact, no_encoder=True))
        syllables = [
            None if syllable is None else syllable.toneless
            for _, syllable in converters[0].annotate(text)
        ]
        found = [syllable for syllable in syllables if syllable is not None]
        return found if len(found) == len(text) else None

    return read


def _syllables(text: str, pinyin: str | None, artifact: str) -> Sequence[str]:
    from yinzi.user.formats.rows import toneless

    if pinyin is not None:
        return toneless(decode_argument(pinyin, option="PINYIN"))
    found = _reader(artifact)(text)
    if found is None:
        raise ConfigError(f"the reading of {text!r} is not known: give its pinyin behind it")
    return found


def _form(name: str | None) -> WordListFormat | None:
    from yinzi.user.formats import WordListFormat

    if name is None:
        return None
    try:
        return WordListFormat(name)
    except ValueError as error:
        known = ", ".join(form.value for form in WordListFormat)
        raise typer.BadParameter(f"--format {name!r}: expected one of {known}") from error


def add(
    word: WordArgument,
    pinyin: PinyinArgument = None,
    *,
    file: FileOption = None,
    artifact: ArtifactOption = "base",
    debug: DebugOption = False,
) -> None:
    """Add a word, or bring a forgotten one back."""
    text = decode_argument(word, option="WORD")
    syllables = _syllables(text, pinyin, artifact)
    user = _open(file)
    user.add(text, syllables)
    print(f"{text}\t{' '.join(syllables)}")


def list_words(
    *,
    used: Annotated[
        bool,
        typer.Option("--used", help="Also known words whose use is counted.", show_default=False),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.", show_default=False)
    ] = False,
    file: FileOption = None,
    debug: DebugOption = False,
) -> None:
    """List your words: text, pinyin, where it comes from, commits, what they count for now."""
    for word in _open_existing(file, with_chosen=used):
        state = "forgotten" if word.is_forgotten else word.source.value
        if as_json:
            row = {
                "text": word.text,
                "syllables": list(word.syllables),
                "source": word.source.value,
                "count": word.count,
                "weight": round(word.weight, 3),
                "forgotten": word.is_forgotten,
            }
            print(json.dumps(row, ensure_ascii=False))
        else:
            columns = [word.text, " ".join(word.syllables), state, str(word.count)]
            print("\t".join([*columns, f"{word.weight:.2f}"]))


def _open_existing(file: Path | None, *, with_chosen: bool = False) -> list[UserWord]:
    """Return the words of the file; none if there is no file yet, which is not made either."""
    from yinzi.user import user_lexicon_path

    if not (file or user_lexicon_path()).exists():
        return []
    return _open(file).words(with_chosen=with_chosen)


def forget(
    word: WordArgument,
    pinyin: PinyinArgument = None,
    *,
    file: FileOption = None,
    artifact: ArtifactOption = "base",
    debug: DebugOption = False,
) -> None:
    """Never offer a word again in one reading, be it yours or built in."""
    text = decode_argument(word, option="WORD")
    _open(file).forget(text, _syllables(text, pinyin, artifact))


def restore(
    word: WordArgument,
    pinyin: PinyinArgument = None,
    *,
    file: FileOption = None,
    artifact: ArtifactOption = "base",
    debug: DebugOption = False,
) -> None:
    """Offer a forgotten word again."""
    text = decode_argument(word, option="WORD")
    syllables = _syllables(text, pinyin, artifact)
    if not _open(file).restore(text, syllables):
        raise ConfigError(
            f"{text!r} read {' '.join(syllables)!r} is not forgotten: "
            "`yinzi user list` shows what is"
        )


def import_list(
    path: Annotated[Path, typer.Argument(metavar="LIST", help="A word list.")],
    *,
    form: FormatOption = None,
    file: FileOption = None,
    artifact: ArtifactOption = "base",
    debug: DebugOption = False,
) -> None:
    """Import a word list: Rime dict.yaml, TSV, Sogou .scel, or text of libpinyin and libime.

    Words without pinyin are read as the built-in lexicon reads them. A list with an error is not
    imported at all.
    """
    from yinzi.user.formats import import_words

    report = import_words(_open(file), path, form=_form(form), read=_reader(artifact))
    n_dropped = sum(report.n_dropped.values())
    print(f"{report.n_words} words, {report.n_new} new, {n_dropped} left out")
    for reason, count in report.n_dropped.most_common():
        print(f"{count} left out: {reason}; first {report.first_dropped[reason]}", file=sys.stderr)


def export_list(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[LIST]",
            help="The file to write; standard output if not given.",
            show_default=False,
        ),
    ] = None,
    *,
    form: Annotated[str, typer.Option("--format", metavar="NAME", help="tsv or rime.")] = "tsv",
    file: FileOption = None,
    debug: DebugOption = False,
) -> None:
    """Export your words, those that were learned among them, as TSV or a Rime dictionary."""
    from yinzi.user.formats import WordListFormat, export_words
    from yinzi.user.formats.writing import render_words

    words = _open_existing(file)
    chosen = _form(form) or WordListFormat.TSV
    if path is None:
        sys.stdout.write(render_words(words, chosen))
    else:
        export_words(words, path, chosen)


def clear(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask first.", show_default=False)
    ] = False,
    file: FileOption = None,
    debug: DebugOption = False,
) -> None:
    """Delete all that was added, imported, learned and forgotten."""
    from yinzi.user import user_lexicon_path

    path = file or user_lexicon_path()
    if not path.exists():
        return
    if not yes:
        typer.confirm(f"Delete everything in {path}?", abort=True, err=True)
    _open(file).clear()


def path() -> None:
    """Print where the user lexicon is kept."""
    from yinzi.user import user_lexicon_path

    print(user_lexicon_path())


add_command(app, add, examples='Example:\n\n$ yinzi user add 沐璟 "mu jing"')
add_command(app, list_words, name="list", examples="Example:\n\n$ yinzi user list --used")
add_command(app, forget, examples='Example:\n\n$ yinzi user forget 将碗 "jiang wan"')
add_command(app, restore, examples='Example:\n\n$ yinzi user restore 将碗 "jiang wan"')
add_command(
    app,
    import_list,
    name="import",
    examples="Examples:\n\n$ yinzi user import words.dict.yaml\n\n$ yinzi user import 医学.scel",
)
add_command(app, export_list, name="export", examples="Example:\n\n$ yinzi user export words.tsv")
add_command(app, clear, examples="Example:\n\n$ yinzi user clear --yes")
add_command(app, path, examples="Example:\n\n$ yinzi user path")
