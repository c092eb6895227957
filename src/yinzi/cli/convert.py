"""The command `yinzi convert`: pinyin lines to hanzi lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli import loading
from yinzi.cli.lines import (
    DecodingErrors,
    ErrorsOption,
    TextsArgument,
    decode_argument,
    read_batches,
)
from yinzi.cli.loading import (
    ArtifactOption,
    CorrectOption,
    EnglishOption,
    FuzzyOption,
    NoEncoderOption,
    SchemeOption,
    UserFileOption,
    UserOption,
)
from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from yinzi.converter import Candidate, Converter

__all__ = ["EXAMPLES", "convert"]

EXAMPLES = """Examples:

$ yinzi convert woyaomaijipiao

我要买机票

$ yinzi convert --n-best 5 --plain < pinyin.txt > hanzi.tsv"""


class Script(str, Enum):
    """Scripts of the output; the names of `yinzi.converter.output.SCRIPTS`."""

    SIMPLIFIED = "simplified"
    TRADITIONAL = "traditional"
    TAIWAN = "taiwan"
    HONGKONG = "hongkong"


class Punctuation(str, Enum):
    """What becomes of marks; the names of `yinzi.converter.output.PUNCTUATIONS`."""

    AS_IS = "as-is"
    CHINESE = "chinese"


Render = Callable[[str, "Sequence[Candidate]"], str]
"""Turn an input line and its candidates into output lines."""


def convert(
    texts: TextsArgument = None,
    *,
    n_best: Annotated[
        int, typer.Option("--n-best", "-n", min=1, help="Candidates to print per line.")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.", show_default=False)
    ] = False,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain",
            help="For scripts: one output line per input line, candidates separated by tabs.",
            show_default=False,
        ),
    ] = False,
    left_context: Annotated[
        str,
        typer.Option(
            "--left-context", help="Text that stands before each line.", show_default=False
        ),
    ] = "",
    scheme: SchemeOption = "pinyin",
    script: Annotated[Script, typer.Option("--script", help="Hanzi to write.")] = Script.SIMPLIFIED,
    traditional: Annotated[
        bool,
        typer.Option("--traditional", help="The same as --script traditional.", show_default=False),
    ] = False,
    punctuation: Annotated[
        Punctuation, typer.Option("--punctuation", help="What becomes of ASCII marks among hanzi.")
    ] = Punctuation.AS_IS,
    english: EnglishOption = False,
    fuzzy: FuzzyOption = "",
    correct: CorrectOption = True,
    user: UserOption = False,
    user_file: UserFileOption = None,
    no_encoder: NoEncoderOption = False,
    artifact: ArtifactOption = "base",
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Most lines to convert at once.")
    ] = 256,
    errors: ErrorsOption = DecodingErrors.STRICT,
    debug: DebugOption = False,
) -> None:
    """Convert pinyin to hanzi, one line at a time.

    Full, unsegmented and abbreviated pinyin, with or without tones, may be mixed; text that is no
    pinyin passes through. Prints the best candidate of each line; with --n-best above 1 numbered
    candidates.
    """
    if as_json and plain:
        raise typer.BadParameter("--json and --plain exclude each other, give one of them")
    if traditional and script not in (Script.SIMPLIFIED, Script.TRADITIONAL):
        raise typer.BadParameter("--traditional and --script exclude each other, give one of them")
    script = Script.TRADITIONAL if traditional else script
    left_context = decode_argument(left_context, option="--left-context")
    keys = loading.find_scheme(scheme)
    batches = read_batches(texts, batch_size=batch_size, errors=errors)
    render = _choose_render(as_json=as_json, plain=plain, n_best=n_best)
    converter = None
    n_lines = 0
    for lines in batches:
        if converter is None:
            converter = loading.load_converter(artifact, no_encoder=no_encoder)
            converter = loading.typed_as(
                converter, keys, fuzzy=fuzzy, correct=correct, english=english
            )
            converter = _with_output(converter, script, punctuation)
            converter = loading.with_user_lexicon(converter, user=user, user_file=user_file)
        contexts = [left_context] * len(lines) if left_context else None
        answers = converter.convert_batch(lines, left_contexts=contexts, n_best=n_best)
        for line, candidates in zip(lines, answers, strict=True):
            if render is render_numbered and n_lines > 0:
                sys.stdout.write("\n")
            sys.stdout.write(render(line, candidates) + "\n")
            n_lines += 1
        sys.stdout.flush()


def _with_output(converter: Converter, script: Script, punctuation: Punctuation) -> Converter:
    """Return the converter with what differs from its defaults."""
    if script is not Script.SIMPLIFIED or punctuation is not Punctuation.AS_IS:
        from yinzi.converter import OutputForm

        converter = converter.with_output(OutputForm(script.value, punctuation.value))
    return converter


def _choose_render(*, as_json: bool, plain: bool, n_best: int) -> Render:
    if as_json:
        return render_json
    if plain:
        return render_plain
    return render_numbered if n_best > 1 else render_best


def render_best(line: str, candidates: Sequence[Candidate]) -> str:
    """Return the text of the best candidate."""
    return _one_line(candidates[0].text) if candidates else ""


def render_numbered(line: str, candidates: Sequence[Candidate]) -> str:
    """Return the input line and below it the texts with their ranks."""
    ranked = (f"{rank:3}  {_one_line(c.text)}" for rank, c in enumerate(candidates, start=1))
    return "\n".join([_one_line(line), *ranked])


def render_plain(line: str, candidates: Sequence[Candidate]) -> str:
    """Return the texts separated by tabs; a tab inside a text becomes a blank."""
    return "\t".join(_one_line(candidate.text).replace("\t", " ") for candidate in candidates)


def render_json(line: str, candidates: Sequence[Candidate]) -> str:
    """Return one JSON object with everything that is known of the candidates."""
    rows = [
        {
            "text": candidate.text,
            "logprob": round(float(candidate.logprob), 4),
            "span": [candidate.start, candidate.end],
            "syllables": list(candidate.syllables),
        }
        for candidate in candidates
    ]
    return json.dumps({"input": line, "candidates": rows}, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Keep characters that end a line out of the output, where a line stands for an input line."""
    return text.replace("\r", " ").replace("\n", " ")
