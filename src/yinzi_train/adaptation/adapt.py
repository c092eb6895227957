"""Adapt an artifact to a user's texts, from the texts to a new artifact.

The texts are cut in three: words and n-grams are counted in the first part, weights are fitted on
the second, and the third tells what it was worth. The artifact itself is counted on the first two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yinzi
from yinzi.artifact import Artifact, Source
from yinzi.errors import YinziError
from yinzi.language_model.stored import DOMAIN_SECTION
from yinzi.scoring.encoder import SECTION as ENCODER_SECTION
from yinzi_train.adaptation.choice import Choice, choose_weights
from yinzi_train.adaptation.comparison import (
    HELD_OUT,
    AdaptationReport,
    SetComparison,
    convert_rows,
)
from yinzi_train.adaptation.domain import Base, Domain, build_domain, scaled_options
from yinzi_train.adaptation.encoder import TunedEncoder, tune_encoder
from yinzi_train.adaptation.general import GeneralRows, read_general_rows
from yinzi_train.adaptation.options import AdaptationOptions
from yinzi_train.adaptation.place import work_folder
from yinzi_train.adaptation.texts import DomainTexts, labelled_rows, read_texts
from yinzi_train.export import update_manifest, write_artifact
from yinzi_train.export.whole_folder import whole_folder

__all__ = ["AdaptationRefused", "adapt"]

OnStep = Callable[[str, int, int], None]
"""Takes the name of a stage, the steps done and the steps in all."""


class AdaptationRefused(YinziError):  # noqa: N818 - it is a verdict
    """An adaptation did more harm than allowed; nothing was written.

    Attributes:
        report: what it did.
    """

    def __init__(self, message: str, report: AdaptationReport) -> None:
        super().__init__(message)
        self.report = report


def adapt(
    paths: Sequence[Path],
    place: Path,
    *,
    created: str,
    base: str | Path = "base",
    dev: Sequence[Path] = (),
    data: Path | None = None,
    options: AdaptationOptions | None = None,
    forces: bool = False,
    on_step: OnStep = lambda stage, n_done, n_total: None,
    clock: Callable[[], float] = time.monotonic,
) -> AdaptationReport:
    """Make an artifact for the domain of some texts.

    Args:
        paths: files or folders of text.
        place: folder of the new artifact, named as it; one that is there is replaced at the end.
        created: ISO 8601 date.
        base: the artifact to adapt, by name or folder.
        dev: general sets that must not get worse.
        data: a dataset; its validation split stands in for `dev`, and its train split is replayed
            while the encoder is tuned.
        options: what to do.
        forces: write the artifact whatever it does to the sets.
        on_step: called as the work goes on.
        clock: gives seconds.

    Raises:
        AdaptationRefused: held-out text gets worse, or general sets lose more than allowed.
        ConfigError: there is too little text, or an option is wrong.
        ArtifactError: the base is damaged.
    """
    options = options or AdaptationOptions()
    started = clock()
    on_step("reading", 0, 1)
    sentences = read_texts(paths)
    texts = DomainTexts.split(
        sentences,
        tune_share=options.tune_share,
        held_out_share=options.held_out_share,
        order=options.split_order,
        seed=options.seed,
    )
    general = read_general_rows(dev, data, max_rows=options.max_rows)
    on_step("reading", 1, 1)
    opened = Base.of(yinzi.load(base))
    with work_folder(place) as work:
        encoder = None
        if options.uses_encoder:
            encoder = tune_encoder(opened, texts, work, data=data, options=options, on_step=on_step)
        choice, domain = _adapted(
            opened, texts, general, work, options=options, encoder=encoder, on_step=on_step
        )
        seconds = clock() - started
        n_trained = 0 if encoder is None else encoder.n_trained
        if not choice.uses_tuned_encoder:
            encoder = None
        draft = work / place.name
        _write(draft, opened, domain, choice, encoder=encoder, created=created, options=options)
        figures = _figures(texts, domain, choice, n_trained, seconds)
        report = _measured(
            opened, draft, texts=texts, general=general, figures=figures, on_step=on_step
        )
        objections = report.objections(options.max_loss)
        if objections and not forces:
            raise AdaptationRefused(
                f"{' and '.join(objections)}: nothing was written; give more text of one kind, "
                "allow more with --max-loss, or pass --force",
                report,
            )
        _store_report(draft, report)
        with whole_folder(place) as temporary:
            temporary.rmdir()
            draft.rename(temporary)
    return report


def _adapted(
    base: Base,
    texts: DomainTexts,
    general: GeneralRows,
    work: Path,
    *,
    options: AdaptationOptions,
    encoder: TunedEncoder | None,
    on_step: OnStep,
) -> tuple[Choice, Domain | None]:
    """Choose weights on a model of the first part; return them with a model of the first two."""
    domain = None
    if options.uses_language_model:
        on_step("counting", 0, 1)
        domain = build_domain(base, texts.train, options, folder=work / "tuning")
        on_step("counting", 1, 1)
    choice = choose_weights(
        base,
        domain,
        texts=texts.tune,
        rows=labelled_rows(texts.tune, base.labeller, name="tune"),
        general=general.tune,
        options=options,
        scorer=None if encoder is None else encoder.scorer,
        on_step=lambda n_done, n_total: on_step("choosing weights", n_done, n_total),
    )
    if domain is not None:
        on_step("counting all", 0, 1)
        domain = build_domain(
            base, (*texts.train, *texts.tune), options, folder=work / DOMAIN_SECTION
        )
        on_step("counting all", 1, 1)
    return choice, domain


def _write(
    draft: Path,
    base: Base,
    domain: Domain | None,
    choice: Choice,
    *,
    encoder: TunedEncoder | None,
    created: str,
    options: AdaptationOptions,
) -> None:
    """Write the artifact: all sections of the base, and those that are new."""
    artifact = base.converter.artifact
    old = artifact.manifest
    sections = {path.split("/", 1)[0] for path in old.files if "/" in path}
    components: dict[str, Any] = {section: artifact.folder / section for section in sections}
    parameters: dict[str, Any] = dict(old.parameters)
    if domain is not None and choice.weights is not None:
        components["lexicon"] = domain.lexicon_arrays
        components[DOMAIN_SECTION] = domain.arrays()
        parameters[DOMAIN_SECTION] = {
            "language_model": domain.parameters,
            "weights": [[round(float(one), 5) for one in row] for row in choice.weights],
        }
    if encoder is not None:
        components[ENCODER_SECTION] = encoder.component
        parameters[ENCODER_SECTION] = dict(encoder.parameters)
    scaled = scaled_options(base.converter.decoder.options, choice.encoder_share)
    decoder = {name: dict(table) for name, table in parameters.get("decoder", {}).items()}
    decoder["fused_beam"] = asdict(scaled.fused_beam)
    parameters["decoder"] = decoder
    own = Source(
        file="the user's texts",
        source="given to yinzi-train adapt",
        licence="[private] counts of them are in the artifact: pass it on only if they may be",
        use="n-gram counts, new words",
    )
    write_artifact(
        draft,
        name=draft.name,
        version=old.version,
        created=created,
        components=components,
        parameters=parameters,
        sources=(*old.sources, own),
        training={
            **old.training,
            "adaptation": {"base": _base_record(artifact), "options": asdict(options)},
        },
    )


def _base_record(artifact: Artifact) -> dict[str, Any]:
    old = artifact.manifest
    return {
        "name": old.name,
        "version": old.version,
        "language_model": {
            path: entry.sha256
            for path, entry in sorted(old.files.items())
            if path.startswith("language_model/")
        },
    }


def _figures(
    texts: DomainTexts,
    domain: Domain | None,
    choice: Choice,
    n_trained: int,
    seconds: float,
) -> dict[str, Any]:
    tables = {} if domain is None else domain.parameters
    return {
        "n_sentences": {
            "train": len(texts.train),
            "tune": len(texts.tune),
            "held_out": len(texts.held_out),
        },
        "n_new_words": 0 if domain is None else len(domain.new_words),
        "new_words": [] if domain is None else [word.text for word in domain.new_words[:10]],
        "n_ngrams": sum(tables[name]["n_ngrams"] for name in ("bigram", "trigram") if tables),
        "n_trained_parameters": n_trained,
        "uses_tuned_encoder": choice.uses_tuned_encoder,
        "general_weight": choice.general_weight,
        "encoder_share": choice.encoder_share,
        "seconds": round(seconds, 1),
    }


def _measured(
    base: Base,
    draft: Path,
    *,
    texts: DomainTexts,
    general: GeneralRows,
    figures: Mapping[str, Any],
    on_step: OnStep,
) -> AdaptationReport:
    """Measure the artifact as it will be loaded."""
    converter = yinzi.load(draft)
    sets = {
        HELD_OUT: labelled_rows(texts.held_out, base.labeller, name=HELD_OUT),
        **general.report,
    }
    compared = []
    for number, (name, rows) in enumerate(sets.items()):
        on_step("measuring", number, len(sets))
        before, after = (convert_rows(one, rows) for one in (base.converter, converter))
        compared.append(SetComparison.of(name, before, after))
    on_step("measuring", len(sets), len(sets))
    return AdaptationReport(compared[0], compared[1:], figures)


def _store_report(draft: Path, report: AdaptationReport) -> None:
    manifest = Artifact.open(draft, verify=False).manifest
    kept = report.to_dict()
    kept.pop("new_words", None)
    training = {
        **manifest.training,
        "adaptation": {**manifest.training["adaptation"], "report": kept},
    }
    update_manifest(draft, training=training)
