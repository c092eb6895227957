"""Compare methods of fine-tuning, each on a small domain: gained there, lost elsewhere, time.

    python -m benchmarks.finetuning --data DATASET --dev hsk.tsv --dev tatoeba.tsv --out build/ft

For each domain, 2,000 sentences of a source are tuned on and others are held out: those of the
splits that the shipped encoder was not trained on come first. Each method begins with the encoder
of --model, sees the sentences three times, and keeps the best of its evaluations. What comes of it
is measured alone (with the left context of the rows) and in the production decoder beside the
language model of --model, as `benchmarks.models` does. Runs that are done are not done again.
Prints Markdown; `--json FILE` keeps the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.domain_sets import HELD_OUT, N_VALIDATION, domain_dataset, spread, write_rows
from yinzi.evaluation import read_rows
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.dataset.subset import subset_dataset
from yinzi_train.training.processes import prepare_process

DOMAINS: Final = {
    "medical": "medical__med-dialogue-toyhom",
    "law": "law__laws",
    "dialogue": "service__crosswoz",
}
CONFIG: Final = Path(__file__).resolve().parents[1] / "configs" / "finetune.toml"
BASE: Final = "none (shipped)"
N_REPLAYED: Final = 8000
"""Sentences of all sources that are replayed from."""
ROWS_PER_BATCH: Final = 64
_FIGURES: Final = "figures.json"


@dataclass(frozen=True)
class Method:
    """Settings of a run: overrides of configs/finetune.toml, without what is tuned on."""

    settings: Mapping[str, Any]
    replay_share: float = 0.0


_FULL: Final = {"finetuning.method": "full", "training.learning_rate": 2e-4}
_LORA: Final = {
    "finetuning.method": "adapter",
    "finetuning.adapter.kind": "lora",
    "finetuning.adapter.rank": 8,
    "training.learning_rate": 2e-3,
}
METHODS: Final[dict[str, Method]] = {
    "full": Method(_FULL),
    "last layer": Method(
        {
            "finetuning.method": "last_layers",
            "finetuning.n_layers": 1,
            "training.learning_rate": 2e-4,
        }
    ),
    "gradual": Method(
        {
            "finetuning.method": "gradual",
            "finetuning.layer_decay": 0.8,
            "training.learning_rate": 2e-4,
        }
    ),
    "lora": Method(_LORA),
    "full + replay": Method(_FULL, 0.5),
    "lora + replay": Method(_LORA, 0.5),
}
ADAPTATIONS: Final[dict[str, dict[str, Any]]] = {
    "adapt": {"uses_encoder": False},
    "adapt + encoder": {"uses_encoder": True},
}


def main() -> None:
    """Run what is not done yet, and print the table."""
    arguments = _arguments()
    prepare_process()
    _claim(arguments)
    names = arguments.only or [*METHODS, *(ADAPTATIONS if arguments.adapt else ())]
    figures = []
    for domain in arguments.domain or DOMAINS:
        bench = Bench.of(domain, arguments)
        for name in (BASE, *names):
            figures.append(bench.measured(name))
            print(_row(figures[-1]), file=sys.stderr, flush=True)
    print(to_markdown(figures))
    for one in figures:
        if one["method"] == BASE:
            print(
                f"\n{one['domain']}: of the {arguments.sentences} sentences, {one['n_unseen']} are "
                "of splits that the shipped encoder was not trained on."
            )
    if arguments.json is not None:
        text = json.dumps(figures, ensure_ascii=False, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    def some_of(known: Sequence[str]) -> Any:
        def parse(text: str) -> list[str]:
            names = [name.strip() for name in text.split(",")]
            unknown = [name for name in names if name not in known]
            if unknown:
                raise argparse.ArgumentTypeError(
                    f"unknown {unknown[0]!r}: expected some of {', '.join(known)}"
                )
            return names

        return parse

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a finished dataset")
    parser.add_argument("--dev", type=Path, action="append", required=True, metavar="TSV")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--model", default="base", help="artifact, by name or folder")
    parser.add_argument("--domain", type=some_of(list(DOMAINS)), metavar="DOMAIN,…")
    known = [*METHODS, *ADAPTATIONS]
    parser.add_argument("--only", type=some_of(known), metavar="METHOD,…", help=", ".join(known))
    parser.add_argument("--adapt", action="store_true", help="yinzi-train adapt, too")
    parser.add_argument("--sentences", type=int, default=2000, help="to tune on")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--rows", type=int, default=250, help="of each --dev set; 0: all")
    parser.add_argument("--keep-models", action="store_true", help="55 MB a run")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def _claim(arguments: argparse.Namespace) -> None:
    """Refuse the folder of runs that were made otherwise; their figures cannot be compared."""
    from yinzi.artifact import resolve_artifact
    from yinzi.artifact.checksum import sha256_hex

    arguments.model = resolve_artifact(arguments.model)
    made_from = {
        "data": sha256_hex(arguments.data / "manifest.json"),
        "model": sha256_hex(arguments.model / "manifest.json"),
        "dev": {path.stem: sha256_hex(path) for path in arguments.dev},
        **{name: getattr(arguments, name) for name in ("sentences", "epochs", "rows")},
        "methods": hashlib.sha256(repr((METHODS, ADAPTATIONS)).encode()).hexdigest(),
    }
    path = arguments.out / "made-from.json"
    if not path.exists():
        arguments.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made_from, indent=1) + "\n", encoding="utf-8")
    known = json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name, value in made_from.items() if known.get(name) != value]
    if changed:
        sys.exit(
            f"{str(arguments.out)!r} has runs of other {', '.join(changed)}: give another --out, "
            "or remove it"
        )


@dataclass(frozen=True)
class Bench:
    """What the methods are compared on, for one domain.

    Attributes:
        domain: its name.
        folder: of its runs.
        data: the small dataset.
        n_unseen: sentences to tune on that are of splits the encoder was not trained on.
        replayed: sentences of all sources.
        held_out: TSV set of the domain.
        general: TSV sets, as they are measured.
        arguments: of the command.
    """

    domain: str
    folder: Path
    data: Path
    n_unseen: int
    replayed: Path
    held_out: Path
    general: Sequence[Path]
    arguments: argparse.Namespace

    @classmethod
    def of(cls, domain: str, arguments: argparse.Namespace) -> Bench:
        """Write what is not there yet."""
        folder, replayed = arguments.out / domain, arguments.out / "replay"
        large = open_dataset(arguments.data)
        if not replayed.exists():
            subset_dataset(large, replayed, {"train": N_REPLAYED, "validation": N_VALIDATION})
        held_out, n_unseen = domain_dataset(large, DOMAINS[domain], arguments.sentences, folder)
        general = []
        for path in arguments.dev:
            # Every second row: `adapt` chooses its weights by the others.
            general.append(arguments.out / "general" / path.name)
            write_rows(general[-1], spread(read_rows(path)[::2], arguments.rows))
        data = folder / "dataset"
        return cls(domain, folder, data, n_unseen, replayed, held_out, general, arguments)

    def measured(self, name: str) -> dict[str, Any]:
        """Return the figures of a method, from its folder if they are there."""
        folder = self.folder / name.replace(" ", "-")
        path = folder / _FIGURES
        if not path.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            found = {"domain": self.domain, "method": name, **self._measure(name, folder)}
            part = path.with_suffix(".part")
            part.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
            part.rename(path)
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if name != BASE:
            figures["before"] = self.measured(BASE)["after"]
        return figures

    def _measure(self, name: str, folder: Path) -> dict[str, Any]:
        from yinzi_train.compression.artifact_checkpoint import checkpoint_from_artifact
        from yinzi_train.model.families import load_checkpoint

        if name == BASE:
            after = self._accuracy(checkpoint_from_artifact(self.arguments.model))
            return {"after": after, "n_unseen": self.n_unseen}
        wall, processor = time.monotonic(), time.process_time()
        n_trained = (self._adapt if name in ADAPTATIONS else self._tune)(name, folder)
        figures = {
            "n_trained": n_trained,
            "minutes": (time.monotonic() - wall) / 60,
            "processor_minutes": (time.process_time() - processor) / 60,
        }
        if name in ADAPTATIONS:
            figures["after"] = self._accuracy(None, folder / "artifact")
        else:
            figures["after"] = self._accuracy(load_checkpoint(folder / "run" / "final"))
        if not self.arguments.keep_models:
            for part in ("artifact", "run/final"):
                shutil.rmtree(folder / part, ignore_errors=True)
        return figures

    def _tune(self, name: str, folder: Path) -> int:
        """Train; return how many parameters did. Of the run, figures and the model are kept."""
        from yinzi_train.finetuning import finetune
        from yinzi_train.training.config import read_training_config

        method, epochs = METHODS[name], self.arguments.epochs
        n_own = round(ROWS_PER_BATCH * (1 - method.replay_share))
        n_steps = max(3, round(epochs * self.arguments.sentences / n_own))
        settings = {
            "training.max_epochs": epochs,
            "training.rows_per_batch": ROWS_PER_BATCH,
            "training.eval_steps": n_steps // 6,
            "training.patience": 0,
            "training.save_minutes": 0,
            "training.keep_checkpoints": 1,
            "evaluation.validation_rows": N_VALIDATION,
            "finetuning.stage_steps": n_steps // 3,
            "finetuning.min_rows": 1,
            **method.settings,
        }
        if method.replay_share:
            settings |= {
                "finetuning.replay.data": str(self.replayed.resolve()),
                "finetuning.replay.share": method.replay_share,
                "finetuning.replay.validation_rows": 0,
            }
        run = folder / "run"
        finetune(
            read_training_config(
                CONFIG, overrides=[f"{key}={json.dumps(value)}" for key, value in settings.items()]
            ),
            model=self.arguments.model,
            data=self.data,
            out=run,
        )
        for path in run.iterdir():
            if path.is_dir() and path.name != "final":
                shutil.rmtree(path)
        parameters = json.loads((run / "parameters.json").read_text(encoding="utf-8"))
        return int(parameters["trained"])

    def _adapt(self, name: str, folder: Path) -> int:
        """Adapt the whole artifact to the same sentences; return how many parameters trained."""
        from yinzi_train.adaptation.adapt import adapt
        from yinzi_train.adaptation.options import AdaptationOptions

        texts = {
            split: [row["text"] for row in open_dataset(self.data).iter_rows(split=split)]
            for split in ("train", "validation", "test")
        }
        n_texts = sum(map(len, texts.values()))
        path = folder / "texts.txt"
        lines = [line for part in texts.values() for line in part]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = ADAPTATIONS[name]
        report = adapt(
            [path],
            folder / "artifact",
            created="2025-01-01",
            base=self.arguments.model,
            dev=self.arguments.dev,
            data=self.replayed if options["uses_encoder"] else None,
            options=AdaptationOptions(
                split_order="order",
                tune_share=len(texts["validation"]) / n_texts,
                held_out_share=len(texts["test"]) / n_texts,
                max_rows=max(10, len(self.general) * (self.arguments.rows or 500)),
                **options,
            ),
            forces=True,
        )
        return int(report.figures["n_trained_parameters"])

    def _accuracy(self, found: Any, artifact: Path | None = None) -> dict[str, Any]:
        """Return metrics of all sets, in the decoder and alone, and which held-out rows are right.

        Args:
            found: a checkpoint; None for the encoder of the artifact, which is not measured alone.
            artifact: what has decoder and language model; None for --model.
        """
        from yinzi.artifact import Artifact
        from yinzi.converter import Converter
        from yinzi_train.adaptation.comparison import convert_rows
        from yinzi_train.model.torch_scorer import TorchScorer
        from yinzi_train.training.config import EvaluationOptions
        from yinzi_train.training.evaluation import development_evaluation

        scorer = None if found is None else TorchScorer(found.model, found.vocab, found.pairs)
        converter = Converter(Artifact.open(artifact or self.arguments.model), scorer=scorer)
        fused, alone, right = {}, {}, ""
        for path in (self.held_out, *self.general):
            outcomes = convert_rows(converter, read_rows(path))
            fused[path.stem] = outcomes.metrics()
            if path == self.held_out:
                right = "".join(str(int(rank == 0)) for rank in outcomes.ranks)
            if found is not None:
                options = EvaluationOptions(rows_per_set=0)
                evaluate = development_evaluation([path], options)(found.vocab, found.pairs)
                alone[path.stem] = dict(evaluate(found.model))
        return {"fused": fused, "alone": alone, "right": right}


def to_markdown(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as a table; points gained stand behind what was measured."""
    head = ["domain", "method", "trained", "minutes", "processor", "@1", "better/worse", "@5", "CA"]
    head += ["general @1", "alone @1", "alone general @1"]
    lines = ["| " + " | ".join(head) + " |", "| --- | --- |" + " ---: |" * (len(head) - 2)]
    return "\n".join([*lines, *map(_row, figures)])


def _row(one: Mapping[str, Any]) -> str:
    after, before = one["after"], one.get("before", one["after"])
    is_tuned = "before" in one

    def cell(way: str, metric: str, *, general: bool = False, digits: int = 1) -> str:
        if not after[way]:
            return ""
        new, old = (_mean(part[way], metric, general=general) for part in (after, before))
        return f"{new:.{digits}f}" + (f" ({new - old:+.{digits}f})" if is_tuned else "")

    changes = list(zip(after["right"], before["right"], strict=True))
    trained = one.get("n_trained", 0)
    cells = [
        one["domain"],
        one["method"],
        f"{trained / 1e6:.2f} M" if trained else "",
        f"{one['minutes']:.1f}" if is_tuned else "",
        f"{one['processor_minutes']:.1f}" if is_tuned else "",
        cell("fused", "miu_accuracy@1"),
        f"{changes.count(('1', '0'))}/{changes.count(('0', '1'))}" if is_tuned else "",
        cell("fused", "miu_accuracy@5"),
        cell("fused", "character_accuracy", digits=2),
        cell("fused", "miu_accuracy@1", general=True),
        cell("alone", "miu_accuracy@1"),
        cell("alone", "miu_accuracy@1", general=True),
    ]
    return "| " + " | ".join(cells) + " |"


def _mean(sets: Mapping[str, Mapping[str, float]], metric: str, *, general: bool) -> float:
    """Return a metric in percent, of the held-out set or the mean over the others."""
    values = [found[metric] for name, found in sets.items() if (name != HELD_OUT) == general]
    return 100 * sum(values) / len(values)


if __name__ == "__main__":
    main()
