"""Measure an artifact as users meet it, and write the figures into its manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yinzi
from yinzi.artifact import Manifest
from yinzi.evaluation import EvaluationOptions, FilesReport, InputForm, SetReport, evaluate_files
from yinzi_train.export import update_manifest

__all__ = ["FORMS", "measure"]

FORMS = (InputForm.SEGMENTED, InputForm.UNSEGMENTED, InputForm.INITIALS)
"""Ways of typing that are measured if none are named."""


def measure(
    artifact: Path,
    paths: Sequence[Path],
    *,
    forms: Sequence[InputForm] = FORMS,
    limit: int | None = None,
    on_form: Callable[[FilesReport], None] | None = None,
) -> Manifest:
    """Evaluate sets through the public converter and store the metrics in the manifest.

    The section `metrics` gets ``{set: {form: {"n_rows": …, "miu_accuracy@1": {"value", "low",
    "high"}, …}}}``; figures of other sets and forms stay. Speed is not stored: it belongs to a
    machine.

    Args:
        artifact: folder of the artifact.
        paths: TSV sets; see docs/metrics.md.
        forms: ways of typing the rows.
        limit: rows to take of each set.
        on_form: called with the report of each form.

    Returns:
        the new manifest.

    Raises:
        ArtifactError: the artifact is missing or damaged.
        EvaluationError: a set cannot be read.
    """
    converter = yinzi.load(artifact)
    manifest = converter.artifact.manifest
    metrics: dict[str, Any] = {name: dict(by_form) for name, by_form in manifest.metrics.items()}
    for form in forms:
        options = EvaluationOptions(input_form=form, latency_lines=0)
        report = evaluate_files(converter, paths, options, limit=limit)
        for part in report.sets:
            metrics.setdefault(part.name, {})[form.value] = _figures(part)
        if on_form is not None:
            on_form(report)
    return update_manifest(artifact, metrics=metrics)


def _figures(report: SetReport) -> dict[str, Any]:
    estimates = {name: estimate.to_dict() for name, estimate in report.metrics.items()}
    return {"n_rows": report.n_rows, **estimates}
