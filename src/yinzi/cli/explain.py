"""The command `yinzi explain`: why the first candidate won over the second."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli import loading
from yinzi.cli.lines import decode_argument
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
    from rich.table import Table

    from yinzi.converter import Explanation
    from yinzi.decoding import ExplainedHypothesis

__all__ = ["EXAMPLES", "explain"]

EXAMPLES = """Example:

$ yinzi explain tashishei --n-best 3"""


def explain(
    pinyin: Annotated[str, typer.Argument(metavar="PINYIN", help="One line of pinyin.")],
    *,
    n_best: Annotated[
        int, typer.Option("--n-best", "-n", min=2, help="Candidates to put side by side.")
    ] = 2,
    left_context: Annotated[
        str,
        typer.Option(
            "--left-context", help="Text that stands before the line.", show_default=False
        ),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", show_default=False)
    ] = False,
    scheme: SchemeOption = "pinyin",
    fuzzy: FuzzyOption = "",
    correct: CorrectOption = True,
    english: EnglishOption = False,
    user: UserOption = False,
    user_file: UserFileOption = None,
    no_encoder: NoEncoderOption = False,
    artifact: ArtifactOption = "base",
    debug: DebugOption = False,
) -> None:
    """Show why candidates stand in their order: what each feature says, and how much it counts.

    All figures are natural logarithms. A feature's share is its value times its weight; the shares
    of a candidate add up to the figure that it is ranked by. Below, the same word by word.
    """
    text = decode_argument(pinyin, option="PINYIN")
    context = decode_argument(left_context, option="--left-context")
    keys = loading.find_scheme(scheme)
    converter = loading.load_converter(artifact, no_encoder=no_encoder)
    converter = loading.typed_as(converter, keys, fuzzy=fuzzy, correct=correct, english=english)
    converter = loading.with_user_lexicon(converter, user=user, user_file=user_file)
    explanation = converter.explain(text, left_context=context, n_best=n_best)
    if as_json:
        print(json.dumps(_to_dict(explanation), ensure_ascii=False))
    elif explanation.candidates:
        print_explanation(explanation)
    else:
        print(f"nothing to convert in {text!r}", file=sys.stderr)


def print_explanation(explanation: Explanation) -> None:
    """Print the features of all candidates, then their words."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False)
    candidates, weights = explanation.candidates, explanation.weights
    console.print(_verdict(explanation), style="bold", soft_wrap=True)
    table = Table()
    table.add_column("feature")
    table.add_column("weight", justify="right")
    for rank, candidate in enumerate(candidates, start=1):
        table.add_column(f"{rank} {candidate.text}", justify="right", overflow="fold")
    if len(candidates) > 1:
        table.add_column("1 − 2", justify="right")
    for name, weight in weights.items():
        shares = [weight * candidate.features[name] for candidate in candidates]
        if any(candidate.features[name] for candidate in candidates):
            table.add_row(name, f"{weight:g}", *_figures(shares))
    table.add_section()
    table.add_row("logprob", "", *_figures([candidate.logprob for candidate in candidates]))
    table.add_row("probability", "", *(f"{share:.3f}" for share in explanation.probabilities))
    console.print(table)
    console.print(_words_table(candidates))


def _verdict(explanation: Explanation) -> str:
    """Say in one line what decided."""
    if len(explanation.candidates) < 2:
        return "only one text is known"
    first, second = explanation.candidates[:2]
    shares = {
        name: weight * (first.features[name] - second.features[name])
        for name, weight in explanation.weights.items()
    }
    name = max(shares, key=lambda key: shares[key])
    margin = first.logprob - second.logprob
    return (
        f"{first.text} is e^{margin:.2f} times as likely as {second.text}; "
        f"what speaks most for it: {name} ({shares[name]:+.2f})"
    )


def _figures(values: Sequence[float]) -> list[str]:
    shown = [f"{value:.2f}" for value in values]
    return [*shown, f"{values[0] - values[1]:+.2f}"] if len(values) > 1 else shown


def _words_table(candidates: Sequence[ExplainedHypothesis]) -> Table:
    from rich.table import Table

    table = Table(title="word by word, without weights", title_justify="left", title_style="bold")
    for column in ("candidate", "word", "language_model", "encoder", "penalties", "user"):
        is_text = column in ("candidate", "word")
        table.add_column(column, justify="left" if is_text else "right", overflow="fold")
    for rank, candidate in enumerate(candidates, start=1):
        for word in candidate.words:
            figures = (word.language_model, word.encoder, word.penalties, word.user)
            table.add_row(str(rank), word.text, *(f"{value:.2f}" for value in figures))
        table.add_section()
    return table


def _to_dict(explanation: Explanation) -> dict[str, object]:
    return {
        "weights": dict(explanation.weights),
        "candidates": [
            {
                "text": candidate.text,
                "logprob": round(candidate.logprob, 4),
                "probability": round(probability, 5),
                "features": {name: round(v, 4) for name, v in candidate.features.items()},
                "words": [
                    {
                        "text": word.text,
                        "language_model": round(word.language_model, 4),
                        "encoder": round(word.encoder, 4),
                        "penalties": round(word.penalties, 4),
                        "user": round(word.user, 4),
                    }
                    for word in candidate.words
                ],
            }
            for candidate, probability in zip(
                explanation.candidates, explanation.probabilities, strict=True
            )
        ],
    }
