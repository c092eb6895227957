"""Compare trained models on development sets, alone and fused with an artifact's language model.

    python -m benchmarks.models --dev hsk.tsv --dev tatoeba.tsv build/encoder/final build/lstm/final

Each argument is a checkpoint, with a name before `=` if the path should not be its name, and `@`
and the million hanzi learnt from behind the name where the log of the run does not tell. Averaged
weights in `ema` are taken where there are any. Prints Markdown; `--json FILE` keeps the figures.
`--fit` adds a power law of the characters that are wrong against the hanzi learnt from, for
checkpoints of one run, and what ten times as many would give.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from yinzi.evaluation import read_rows
from yinzi_train.training.processes import keep_memory, limit_threads

_METRICS = ("miu_accuracy@1", "miu_accuracy@5", "character_accuracy")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="+", metavar="[NAME[@MILLIONS]=]CHECKPOINT")
    parser.add_argument("--dev", type=Path, action="append", required=True, metavar="TSV")
    parser.add_argument("--rows", type=int, default=500, help="of each set; 0: all")
    parser.add_argument(
        "--beam-width", type=int, default=8, help="of models that choose hanzi one by one"
    )
    parser.add_argument(
        "--artifact",
        help="fuse models of one pass (encoder, bert) with its language model",
        default="",
    )
    parser.add_argument("--fit", action="store_true", help="fit a power law")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    limit_threads()
    keep_memory()
    figures = [measure(one, arguments) for one in arguments.checkpoints]
    print(to_markdown(figures, [path.stem for path in arguments.dev]))
    if arguments.fit:
        print("\n" + describe_fit(figures))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(argument: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one checkpoint."""
    from yinzi_train.model.families import load_checkpoint
    from yinzi_train.training.config import EvaluationOptions
    from yinzi_train.training.evaluation import development_evaluation

    label, _, given = argument.rpartition("=")
    name, _, millions = label.partition("@")
    path = Path(given)
    loaded = load_checkpoint(path / "ema" if (path / "ema").is_dir() else path)
    options = replace(
        EvaluationOptions(), rows_per_set=arguments.rows, beam_width=arguments.beam_width
    )
    evaluate = development_evaluation(arguments.dev, options)(loaded.vocab, loaded.pairs)
    begin = time.process_time()
    alone = evaluate(loaded.model)
    seconds = time.process_time() - begin
    fused = None
    if arguments.artifact and loaded.model.is_one_pass:
        fused = measure_fused(loaded, arguments)
    return {
        "name": name or f"{path.parent.name}/{path.name}",
        "n_parameters": sum(one.numel() for one in loaded.model.parameters()),
        **read_progress(path),
        **({"n_targets": 1e6 * float(millions)} if millions else {}),
        "alone": alone,
        "cpu_seconds": seconds,
        "fused": fused,
    }


def measure_fused(loaded: Any, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the metrics of the production decoder with a model in it, mean over the sets."""
    from yinzi.artifact import Artifact
    from yinzi.converter import Converter
    from yinzi.evaluation.outcomes import score
    from yinzi_train.model.torch_scorer import TorchScorer

    scorer = TorchScorer(loaded.model, loaded.vocab, loaded.pairs)
    converter = Converter(Artifact.open(arguments.artifact), scorer=scorer)
    metrics = []
    for path in arguments.dev:
        rows = read_rows(path)[: arguments.rows or None]
        found = converter.convert_batch([row.pinyin for row in rows])
        texts = [[candidate.text for candidate in best] for best in found]
        metrics.append(score(rows, texts).metrics())
    return {name: float(np.mean([one[name] for one in metrics])) for name in _METRICS}


def read_progress(path: Path) -> dict[str, float | None]:
    """Return hanzi learnt from and minutes, from the log of the run that a checkpoint is of."""
    log = path.parent / "metrics.csv"
    if not log.is_file():
        return {"n_targets": None, "minutes": None}
    with log.open(encoding="utf-8", newline="") as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file) if row["targets"]}
    last = path.name.rpartition("-")[2]
    step = int(last) if last.isdigit() else max(rows)
    before = max((one for one in rows if one <= step), default=min(rows))
    return {"n_targets": float(rows[before]["targets"]), "minutes": float(rows[before]["minutes"])}


def fit_power_law(
    n_targets: Sequence[float], errors: Sequence[float]
) -> tuple[float, float, float]:
    """Return a, b and c of error = a + b · targets^-c by least squares of the logarithm.

    a is searched on a grid; for each a the other two are a line through the logarithms
    (Hestness et al. 2017, arXiv 1712.00409, section 2).

    >>> sizes = [1e6, 4e6, 16e6, 64e6]
    >>> a, b, c = fit_power_law(sizes, [0.05 + 3 * n**-0.3 for n in sizes])
    >>> round(a, 3), round(c, 2)
    (0.05, 0.3)
    """
    x, y = np.log(np.asarray(n_targets)), np.asarray(errors)
    best = (float("inf"), 0.0, 0.0, 0.0)
    for floor in np.linspace(0.0, 0.98 * float(y.min()), 981):
        slope, start = np.polyfit(x, np.log(y - floor), 1)
        residual = float(np.square(np.log(y) - np.log(floor + np.exp(start + slope * x))).sum())
        best = min(best, (residual, float(floor), float(np.exp(start)), float(-slope)))
    return best[1:]


def describe_fit(figures: Sequence[dict[str, Any]]) -> str:
    """Return the fit in words."""
    known = [one for one in figures if one["n_targets"]]
    sizes = [one["n_targets"] for one in known]
    errors = [1.0 - one["alone"]["character_accuracy"] for one in known]
    a, b, c = fit_power_law(sizes, errors)
    most = max(sizes)
    law = f"wrong characters = {a:.4f} + {b:.3g} · targets^-{c:.3f}"
    ahead = "; ".join(
        f"{factor}× ({factor * most / 1e6:,.0f} M): {a + b * (factor * most) ** -c:.4f}"
        for factor in (1, 2, 10)
    )
    return f"{law}. At {ahead}."


def to_markdown(figures: Sequence[dict[str, Any]], sets: Sequence[str]) -> str:
    """Return the figures as a table."""
    head = ["model", "parameters", "M targets", "minutes", "@1", "@5", "CA"]
    head += [f"@1 {name}" for name in sets] if len(sets) > 1 else []
    head += ["CPU s", "fused @1", "fused @5", "fused CA"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for one in figures:
        cells = [one["name"], f"{one['n_parameters'] / 1e6:.1f} M"]
        cells.append(f"{one['n_targets'] / 1e6:.1f}" if one["n_targets"] else "")
        cells.append(f"{one['minutes']:.1f}" if one["minutes"] else "")
        cells += [f"{one['alone'][metric]:.3f}" for metric in _METRICS]
        if len(sets) > 1:
            cells += [f"{one['alone'][f'{_METRICS[0]}/{name}']:.3f}" for name in sets]
        cells.append(f"{one['cpu_seconds']:.0f}")
        cells += [f"{one['fused'][metric]:.3f}" if one["fused"] else "" for metric in _METRICS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
