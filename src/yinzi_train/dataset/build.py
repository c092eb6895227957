"""Build a dataset in a folder: corpus, labelling, dataset, in this order, each resumable.

The folder remembers what each stage was made from. The same command goes on where it was stopped;
a command with other settings or other texts is refused, because half of one dataset and half of
another would look like a whole one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.corpus.result import CorpusResult
from yinzi_train.dataset.card import CARD_NAME, dataset_card
from yinzi_train.dataset.claims import Claims
from yinzi_train.dataset.clean_stage import clean_corpus, describe_sources
from yinzi_train.dataset.config import DatasetConfig
from yinzi_train.dataset.contamination import (
    ContaminationIndex,
    EvaluationSet,
    read_evaluation_set,
)
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.label_stage import LabelStage, LabelsTexts
from yinzi_train.dataset.manifest import (
    MANIFEST_NAME,
    DatasetManifest,
    write_manifest,
)
from yinzi_train.dataset.report_lexicon import read_report_lexicon
from yinzi_train.dataset.shard_stage import ShardStage
from yinzi_train.dataset.storage import (
    StorageOptions,
    atomic_path,
    read_json,
    write_json,
)
from yinzi_train.dataset.summary import summarize, write_dropped
from yinzi_train.dataset.units import (
    Execution,
    ReportProgress,
    list_units,
    run_units,
)
from yinzi_train.labelling import DecisionOptions, Labeller

__all__ = ["STAGES", "DatasetBuild", "build_dataset"]

STAGES: Final = ("corpus", "labelling", "dataset")
"""Names of the stages in the order they run."""

BUILD_NAME: Final = "build.json"
OnProgress = Callable[[str, int, int], None]
"""Takes the stage, the work done and the work in all, in a measure of the stage."""


def load_labeller(lexicon: str, options: DecisionOptions) -> LabelsTexts:
    """Load the labeller over a lexicon.

    Args:
        lexicon: name or folder of an artifact, or a folder of lexicon arrays with `counts.npy` in
            it or in `words` beside it.
        options: how readings are decided.

    Raises:
        ConfigError: the lexicon comes without word frequencies.
        ArtifactError: there is no such artifact, or it is damaged.
        LexiconError: the folder of arrays lacks one.
        MissingExtra: the network's package is not installed.
    """
    return _labeller(lexicon, options)


@lru_cache(maxsize=1)
def _labeller(lexicon: str, options: DecisionOptions) -> Labeller:
    found = read_report_lexicon(lexicon)
    if found.word_logprobs is None:
        raise ConfigError(
            f"lexicon {lexicon!r} has no counts.npy: name an artifact, or the folder that "
            "yinzi-train lexicon wrote"
        )
    return Labeller(found.lexicon, found.word_logprobs, options)


@dataclass(frozen=True)
class DatasetBuild:
    """One build.

    Attributes:
        config: all settings.
        inputs: files and folders of text.
        out: folder of the dataset; an absolute path.
        created: date the dataset gets, ISO 8601; a build that goes on keeps its first.
        lexicon: what the labeller segments with; see `load_labeller`.
        evaluation: TSV files of evaluation sets that must not be trained on.
        execution: where the work is done.
        restarts: replace the stages of another build in the folder.
        labeller_loader: gives the labeller, once a worker; made from `lexicon` if not given.
    """

    config: DatasetConfig
    inputs: tuple[Path, ...]
    out: Path
    created: str
    lexicon: str = "base"
    evaluation: tuple[Path, ...] = ()
    execution: Execution = field(default_factory=Execution)
    restarts: bool = False
    labeller_loader: Callable[[], LabelsTexts] | None = None

    @property
    def work_path(self) -> Path:
        """What the stages leave for each other."""
        return self.out / "work"

    @property
    def corpus_path(self) -> Path:
        """Clean sentences."""
        return self.work_path / "corpus"

    @property
    def labelled_path(self) -> Path:
        """Labelled sentences."""
        return self.work_path / "labelled"

    @property
    def records_path(self) -> Path:
        """What was counted in each shard."""
        return self.work_path / "shards"

    @property
    def shards_path(self) -> Path:
        """Shards of the dataset."""
        return self.out / "data"

    def load_labeller(self) -> Callable[[], LabelsTexts]:
        """Return what gives the labeller."""
        return self.labeller_loader or partial(load_labeller, self.lexicon, self.config.labelling)


def build_dataset(
    build: DatasetBuild,
    *,
    stages: Sequence[str] = STAGES,
    on_progress: OnProgress = lambda stage, n_done, n_total: None,
) -> DatasetManifest | None:
    """Run stages of a build; finished work is kept.

    Args:
        build: settings, texts, folder.
        stages: of `STAGES`, in their order; those before the first must be done.
        on_progress: called from time to time, in this process.

    Returns:
        The manifest, if the last stage is among the stages.

    Raises:
        ConfigError: a setting, a text or an evaluation set is not as it must be; there are no
            texts; or the folder holds another build.
        DatasetError: the disk is full, a file is damaged, or an earlier stage is not done.
    """
    claims = Claims(
        build.out,
        created=build.created,
        restarts=build.restarts,
        folders={
            "corpus": [build.corpus_path],
            "labelling": [build.labelled_path],
            "dataset": [build.shards_path, build.records_path],
        },
    )
    steps = {"corpus": _run_corpus, "labelling": _run_labelling, "dataset": _run_dataset}
    manifest = None
    for stage in stages:
        manifest = steps[stage](build, claims, partial(on_progress, stage))
    return manifest


def _run_corpus(build: DatasetBuild, claims: Claims, on_progress: ReportProgress) -> None:
    sources = describe_sources(build.inputs, build.config.corpus)
    made_from = {
        "options": asdict(build.config.corpus),
        "texts": {
            source.name: [source.sha256, source.domain, source.licence, source.origin]
            for source in sources
        },
    }
    claims.claim("corpus", made_from)
    clean_corpus(
        build.inputs,
        build.corpus_path,
        options=build.config.corpus,
        execution=build.execution,
        on_progress=on_progress,
    )
    write_json(build.work_path / "sources.json", {"sources": [asdict(one) for one in sources]})


def _run_labelling(build: DatasetBuild, claims: Claims, on_progress: ReportProgress) -> None:
    claims.require("corpus")
    corpus = CorpusResult.open(build.corpus_path)
    loader = build.load_labeller()
    labeller = loader()
    made_from = {
        "labeller": {"name": labeller.name, "version": labeller.version},
        "options": asdict(build.config.labelling),
    }
    claims.claim("labelling", made_from)
    stage = LabelStage(
        output_folder=build.labelled_path,
        record_folder=build.labelled_path / "records",
        load_labeller=loader,
        storage=StorageOptions(),
        settings=made_from,
    )
    units = list_units(shard.path for shard in corpus.shards)
    run_units(
        stage,
        units,
        execution=build.execution,
        logging_folder=build.work_path / "logs" / "labelling",
        on_progress=on_progress,
    )
    _remove_others(build.labelled_path, [unit.name for unit in units])


def _run_dataset(
    build: DatasetBuild, claims: Claims, on_progress: ReportProgress
) -> DatasetManifest:
    claims.require("labelling")
    corpus = CorpusResult.open(build.corpus_path)
    config = build.config
    sets = [
        read_evaluation_set(path, min_hanzi=config.contamination.min_hanzi)
        for path in build.evaluation
    ]
    _check_names(sets)
    digests = [sha256_hex(path) for path in build.evaluation]
    made_from = {
        "splits": asdict(config.splits),
        "contamination": asdict(config.contamination),
        "storage": asdict(config.storage),
        "evaluation": {one.name: sha256 for one, sha256 in zip(sets, digests, strict=True)},
    }
    claims.claim("dataset", made_from)
    # From here on the folder is no whole dataset, until the manifest is written again.
    (build.out / MANIFEST_NAME).unlink(missing_ok=True)
    stage = ShardStage(
        output_folder=build.shards_path,
        record_folder=build.records_path,
        splits=config.splits,
        storage=config.storage,
        index=ContaminationIndex(sets, config.contamination),
        settings=made_from,
    )
    labelled = list_units(build.labelled_path / shard.path.name for shard in corpus.shards)
    records = run_units(
        stage,
        labelled,
        execution=build.execution,
        logging_folder=build.work_path / "logs" / "dataset",
        on_progress=on_progress,
    )
    names = [unit.name for unit in labelled]
    _remove_others(build.shards_path, names)
    write_dropped(build.out / "dropped", records, corpus=corpus, sets=sets)
    manifest = summarize(
        dict(zip(names, records, strict=True)),
        created=claims.created,
        config=config,
        labeller=claims.made_from("labelling")["labeller"],
        corpus=corpus,
        n_unlabelled=corpus.n_rows - sum(unit.rows for unit in labelled),
        origins={source["name"]: source["origin"] for source in _read_sources(build)},
        sets=sets,
        digests=digests,
    )
    if not manifest.total.rows:
        raise DatasetError(
            f"no sentence is left of {manifest.rows_read} read: {build.out / 'dropped'} shows what "
            "was dropped and why"
        )
    with atomic_path(build.out / CARD_NAME) as part:
        part.write_text(dataset_card(manifest), encoding="utf-8")
    write_manifest(build.out, manifest)
    return manifest


def _read_sources(build: DatasetBuild) -> list[dict[str, Any]]:
    found = read_json(build.work_path / "sources.json") or {"sources": []}
    sources: list[dict[str, Any]] = found["sources"]
    return sources


def _remove_others(folder: Path, names: Sequence[str]) -> None:
    """Remove files of units that are no longer made."""
    kept = set(names)
    for path in [*folder.glob("*.parquet"), *folder.glob("records/*.json")]:
        if path.stem not in kept:
            path.unlink()


def _check_names(sets: Sequence[EvaluationSet]) -> None:
    twice = [name for name, n in Counter(one.name for one in sets).items() if n > 1]
    if twice:
        raise ConfigError(
            f"two evaluation sets are named {twice[0]!r}: give each file its own name"
        )
