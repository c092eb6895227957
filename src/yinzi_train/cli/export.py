"""The command `yinzi-train export`: put a trained encoder into an artifact, as int8 ONNX."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from yinzi.cli.loading import ArtifactOption
from yinzi.cli.running import DebugOption
from yinzi_train.cli.options import CreatedOption, creation_date

__all__ = ["EXAMPLES", "export"]

EXAMPLES: Final = """Example:

$ yinzi-train export build/encoder/checkpoint-20000 --check build/dataset --out build/fused"""


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="Folder of a trained encoder.", show_default=False
        ),
    ],
    *,
    check: Annotated[
        Path,
        typer.Option(
            "--check",
            metavar="DATASET",
            help="Dataset whose validation split the result is checked on.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="Folder of the new artifact.", show_default=False
        ),
    ],
    artifact: ArtifactOption = "base",
    vocabularies: Annotated[
        Path | None,
        typer.Option(
            "--vocabularies",
            metavar="DIR",
            help="Folder with the vocabularies of the model; they are in the checkpoint if not "
            "given.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=8, help="Sentences to check the result on.")
    ] = 3000,
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="Version of the new artifact; that of the old one if not given.",
            show_default=False,
        ),
    ] = None,
    targets_seen: Annotated[
        int | None,
        typer.Option(
            "--targets-seen",
            min=1,
            help="Hanzi that the encoder has learned from, for the model card; see metrics.csv of "
            "the run.",
            show_default=False,
        ),
    ] = None,
    created: CreatedOption = None,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, not lines.", show_default=False)
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Add an encoder to an artifact, as int8, and write the result as a new artifact.

    What is written is compared with the model first; if it differs by more than rounding, nothing
    is written. Prints sizes and differences.
    """
    from yinzi.artifact import Artifact
    from yinzi_train.compression import ExportError, add_encoder, export_encoder
    from yinzi_train.compression.check_rows import read_check_rows
    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.model import ConversionEncoder
    from yinzi_train.model.families import load_checkpoint

    date = creation_date(created)
    base = Artifact.open(artifact)
    loaded = load_checkpoint(checkpoint, vocabularies=vocabularies)
    model = loaded.model
    if not isinstance(model, ConversionEncoder):
        raise ExportError(
            f"checkpoint {str(checkpoint)!r} is of a {model.config.model_type!r}: only models "
            "of family encoder can be exported; others can be evaluated, fused by "
            "`benchmarks.models --artifact` if they have one pass, or teach an encoder"
        )
    lines = read_check_rows(
        open_dataset(check),
        loaded.vocab,
        loaded.pairs,
        ngram_orders=model.config.ngram_orders,
        ngram_rows=model.config.ngram_rows,
        n_rows=rows,
    )
    exported = export_encoder(model, loaded.vocab, loaded.pairs, lines)
    settings = {
        key: value
        for key, value in model.config.to_diff_dict().items()
        if key not in ("transformers_version", "architectures", "dtype")
    }
    seen = {} if targets_seen is None else {"targets_seen": targets_seen}
    manifest = add_encoder(
        base,
        exported,
        out,
        created=date,
        training={"checkpoint": checkpoint.name, "config": settings, **seen},
        version=version,
    )
    report = exported.report
    if is_json:
        figures = {"path": str(out), "bytes": manifest.section_bytes(), "parity": asdict(report)}
        print(json.dumps(figures, ensure_ascii=False, indent=1))
        return
    for section, size in manifest.section_bytes().items():
        print(f"{section}: {size / 2**20:.2f} MiB", file=sys.stderr)
    print(
        f"float32 graph against torch: largest difference {report.difference:.1e}\n"
        f"int8 against float32, {report.n_places} places: same hanzi "
        f"{100 * report.agreement:.2f} %, right {100 * report.int8_accuracy:.2f} % against "
        f"{100 * report.float_accuracy:.2f} %",
        file=sys.stderr,
    )
    print(out)
