"""Measure `yinzi-train adapt`: domains of a dataset, stages switched on and off.

For each domain, sentences of its sources are adapted to and others are held out: those of the test
split first, which no encoder was trained on. Prints a Markdown table, and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from yinzi_train.adaptation.adapt import adapt
from yinzi_train.adaptation.comparison import AdaptationReport
from yinzi_train.adaptation.options import AdaptationOptions
from yinzi_train.dataset.reader import open_dataset

DOMAINS = {
    "law": ["law__laws"],
    "medical": ["medical__med-dialogue-toyhom"],
    "dialogue": ["service__crosswoz"],
}
STAGES: dict[str, dict[str, Any]] = {
    "language model": {"uses_new_words": False},
    "language model, new words": {},
    "encoder": {"uses_language_model": False, "uses_encoder": True},
    "all": {"uses_encoder": True},
}
_HEADER = (
    "| domain | stages | rows | @1 before | @1 after | better/worse | @5 | CA | general lost | "
    "seconds | parameters trained |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a finished dataset")
    parser.add_argument("--dev", type=Path, nargs="+", required=True, help="general TSV sets")
    parser.add_argument("--base", default="base", help="artifact that is adapted")
    parser.add_argument("--domain", nargs="+", choices=list(DOMAINS), default=list(DOMAINS))
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES)[:2])
    parser.add_argument("--sentences", type=int, default=2000, help="to adapt to")
    parser.add_argument("--held-out", type=int, default=500, help="sentences to measure on")
    parser.add_argument("--rows", type=int, default=500, help="general rows of each set, and half")
    parser.add_argument("--replay", action="store_true", help="replay --data for the encoder")
    parser.add_argument("--json", type=Path, help="where figures go")
    given = parser.parse_args()
    print(_HEADER, flush=True)
    figures = []
    for domain in given.domain:
        adapted_to, held_out = _texts(given.data, DOMAINS[domain], given.sentences, given.held_out)
        # The last part of the file is what is held out.
        share = len(held_out) / (len(adapted_to) + len(held_out))
        for stages in given.stages:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"{domain}.txt")
                path.write_text("\n".join([*adapted_to, *held_out]) + "\n", encoding="utf-8")
                report = adapt(
                    [path],
                    Path(folder, "artifacts", domain),
                    created="2025-01-01",
                    base=given.base,
                    dev=given.dev,
                    data=given.data if given.replay else None,
                    options=AdaptationOptions(
                        split_order="order",
                        held_out_share=share,
                        max_rows=given.rows * len(given.dev),
                        **STAGES[stages],
                    ),
                    forces=True,
                    on_step=lambda stage, n_done, n_total: print(
                        f"{stage} {n_done}/{n_total}", file=sys.stderr
                    ),
                )
            figures.append({"domain": domain, "stages": stages, **report.to_dict()})
            print(_row(domain, stages, report), flush=True)
    if given.json:
        given.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


def _texts(
    folder: Path, sources: list[str], n_sentences: int, n_held_out: int
) -> tuple[list[str], list[str]]:
    """Return sentences to adapt to, and others; of a small source the test split comes first."""
    chance = random.Random(0)
    dataset = open_dataset(folder)
    found: dict[str, None] = {}
    n_wanted = n_sentences + n_held_out
    for split in ("test", "validation", "train"):
        if len(found) < n_wanted:
            rows = dataset.iter_rows(split=split, sources=sources, columns=("text",))
            texts = [row["text"] for row in rows]
            chance.shuffle(texts)
            found |= dict.fromkeys(texts)
    held_out, rest = list(found)[:n_held_out], list(found)[n_held_out:n_wanted]
    chance.shuffle(rest)
    return rest, held_out


def _row(domain: str, stages: str, report: AdaptationReport) -> str:
    one, loss = report.held_out, report.general_loss
    cells = (
        domain,
        stages,
        one.n_rows,
        f"{100 * one.before['miu_accuracy@1']:.1f}",
        f"{100 * one.after['miu_accuracy@1']:.1f} ({one.gain:+.1f})",
        f"{one.paired.n_better}/{one.paired.n_worse}",
        f"{100 * one.after['miu_accuracy@5']:.1f}",
        f"{100 * one.after['character_accuracy']:.2f}",
        "" if loss is None else f"{loss:.2f}",
        f"{report.figures['seconds']:.0f}",
        report.figures["n_trained_parameters"],
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
