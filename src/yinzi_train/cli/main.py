"""The program `yinzi-train`: its commands and its entry point.

Each command is a thin wrapper in a module of its own name beside this one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from yinzi.cli.running import DebugOption, add_command, run_app
from yinzi_train.cli import (
    adapt,
    augment,
    balance,
    build,
    compare,
    corpus,
    dataset,
    export,
    finetune,
    fit_hanzi,
    fit_ranker,
    label,
    measure,
    model_card,
    n_best,
    pretrain,
    query,
    report,
    train,
    tune,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="yinzi-train",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=build.EXAMPLES,
)
for command in (build.build, build.lexicon, build.count, build.language_model, build.artifact):
    add_command(app, command, examples=build.EXAMPLES_OF.get(command.__name__, ""))
add_command(app, measure.measure, examples=measure.EXAMPLES)
add_command(app, model_card.model_card, examples=model_card.EXAMPLES)
add_command(app, dataset.dataset, examples=dataset.EXAMPLES)
add_command(app, corpus.corpus, examples=corpus.EXAMPLES)
add_command(app, label.label, examples=label.EXAMPLES)
add_command(app, augment.augment, examples=augment.EXAMPLES)
add_command(app, balance.balance, examples=balance.EXAMPLES)
add_command(app, query.query, examples=query.EXAMPLES)
add_command(app, report.report, examples=report.EXAMPLES)
add_command(app, compare.compare, examples=compare.EXAMPLES)
add_command(app, train.train, examples=train.EXAMPLES)
add_command(app, finetune.finetune, examples=finetune.EXAMPLES)
add_command(app, n_best.n_best, examples=n_best.EXAMPLES)
add_command(app, pretrain.pretrain, examples=pretrain.EXAMPLES)
add_command(app, export.export, examples=export.EXAMPLES)
add_command(app, tune.tune, examples=tune.EXAMPLES)
add_command(app, fit_ranker.fit_ranker, examples=fit_ranker.EXAMPLES)
add_command(app, fit_hanzi.fit_hanzi, examples=fit_hanzi.EXAMPLES)
add_command(app, adapt.adapt, examples=adapt.EXAMPLES)


@app.callback()
def describe(debug: DebugOption = False) -> None:
    """Build yinzi's lexicon, language model, artifact, datasets and neural models from raw text."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    sys.exit(run_app(app, sys.argv[1:] if arguments is None else arguments, name="yinzi-train"))
