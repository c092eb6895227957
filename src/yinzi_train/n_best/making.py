"""Make candidate lists: convert sentences of a dataset and keep what the decoder weighed.

One shard makes one file, so a killed job goes on with the unfinished shards, and the bytes do not
depend on the number of workers. Sentences are drawn domain by domain: as many of each as its factor
times the root of its size asks for, so that small domains are there and large ones do not fill the
lists.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from yinzi.artifact import Artifact
from yinzi.artifact.checksum import sha256_hex
from yinzi.converter import Converter
from yinzi.decoding import Decoding, Hypothesis
from yinzi.decoding.fusion import PathEdges
from yinzi.errors import ConfigError
from yinzi.evaluation import InputForm, Row
from yinzi.evaluation.inputs import typed_syllables
from yinzi.pinyin import SYLLABLES, SyllableGraph, syllable_id
from yinzi_train.corpus.hanzi_runs import Fold
from yinzi_train.dataset.augmentation_draws import Purpose, check_rate, hash_ids, mix_keys, uniforms
from yinzi_train.dataset.derived import run_on_shards
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import MANIFEST_NAME as DATASET_MANIFEST
from yinzi_train.dataset.manifest import Count
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.schema import SPLITS
from yinzi_train.dataset.storage import FileRecord, StorageOptions, write_json, write_table_file
from yinzi_train.dataset.units import ReportProgress, UnitRecord
from yinzi_train.dataset.unlabelled_rows import drop_unlabelled
from yinzi_train.n_best.lists import FORMAT_VERSION, LIST_SCHEMA, MANIFEST_NAME

__all__ = ["DOMAIN_FACTORS", "ListOptions", "ListStage", "make_lists"]

DOMAIN_FACTORS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("chat", "subtitle", "service", "social"), 3.0),
    **dict.fromkeys(("review", "qa", "life"), 2.0),
    **dict.fromkeys(("classical", "poetry"), 0.5),
}
"""What people type most is drawn most."""

_STAGE: Final = "n_best"
_RUN_LENGTHS: Final = (2, 24)
"""Shortest and longest run that is converted: an MIU."""
_BATCH_RUNS: Final = 128
_CONFIDENT: Final = 0.9
"""A list whose first candidate is at least this much likelier than its second teaches little."""
_BREAK: Final = "，"
"""Stands for whatever was between two runs; all punctuation is one to the models."""
_COLUMNS: Final = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("split", pa.string()),
        pa.field("hanzi", pa.string()),
        pa.field("run_lengths", pa.list_(pa.int16())),
        pa.field("syllables", pa.list_(pa.int16())),
    ]
)


@dataclass(frozen=True)
class ListOptions:
    """What is converted, and what is kept of it.

    Attributes:
        split: of the dataset.
        sentences: how many are drawn, about; at least 1.
        n_best: candidates of a list at most, at least 2.
        initials_rate: share of the runs that are typed by first letters.
        mixed_rate: share of the runs of which half of the syllables are.
        context_rate: share of the runs with others before them in their sentence that are
            converted after these, as left context.
        confident_rate: share of the lists, above 0, that are kept of those where the converter is
            sure; they count as many times as much, so that lists and their weights add up to the
            same. More than half of all lists are such, with a twentieth of the gradient.
        only_left_out: draw only lines that the language model of the artifact was not counted on:
            those that `counting.left_out` of its build names. Of text it was counted on, a language
            model knows too much: what it gets wrong there is not what it gets wrong elsewhere
            (deleted estimation, or jackknifing: Jelinek and Mercer 1980; Roark, Saraclar and
            Collins 2007).
        seed: of the draws.
        domain_factors: factor ≥ 0 on the share of a domain; 1 for those not named.
    """

    split: str = "train"
    sentences: int = 100_000
    n_best: int = 20
    initials_rate: float = 0.0
    mixed_rate: float = 0.0
    context_rate: float = 0.0
    confident_rate: float = 1.0
    only_left_out: bool = False
    seed: int = 0
    domain_factors: Mapping[str, float] = field(default_factory=lambda: dict(DOMAIN_FACTORS))

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ConfigError(f"unknown split {self.split!r}: expected one of {list(SPLITS)}")
        for name, low in (("sentences", 1), ("n_best", 2)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected at least {low}")
        for name in ("initials_rate", "mixed_rate", "context_rate", "confident_rate"):
            check_rate(name, getattr(self, name))
        if not self.confident_rate:
            raise ConfigError(
                "confident_rate is 0: expected above 0, lists that are left count more"
            )
        if self.initials_rate + self.mixed_rate > 1:
            raise ConfigError(
                f"initials_rate and mixed_rate are {self.initials_rate + self.mixed_rate:g} "
                "together: expected at most 1"
            )
        for domain, factor in self.domain_factors.items():
            check_rate(f"domain_factors.{domain}", factor, upper=1e6)


@dataclass
class ListStage:
    """A shard in, candidate lists out; a `UnitStage`.

    Attributes:
        output_folder: of the files.
        record_folder: of their records.
        artifact: folder of what converts.
        options: what is converted.
        shares: for each domain, the share of its sentences that is drawn.
        fold: lines that sentences are drawn from; None for all.
        settings: plain data that decides, with the input, what is made.
    """

    output_folder: Path
    record_folder: Path
    artifact: Path
    options: ListOptions
    shares: Mapping[str, float]
    fold: Fold | None
    settings: Mapping[str, Any]
    name: str = _STAGE
    schema: pa.Schema = _COLUMNS

    def process(
        self, tables: Iterator[pa.Table], output: Path
    ) -> tuple[FileRecord, Mapping[str, Any]]:
        """Write the lists of a shard.

        Returns:
            The file, and figures: `domains`, for each domain the runs converted, those whose first
            candidate was right, and the lists that are kept.
        """
        domains: dict[str, list[int]] = {}

        def lists() -> Iterator[pa.Table]:
            for table in tables:
                runs = self._drawn(table)
                for first in range(0, len(runs), _BATCH_RUNS):
                    yield self._convert(runs[first : first + _BATCH_RUNS], domains)

        record = write_table_file(output, lists(), schema=LIST_SCHEMA, options=StorageOptions())
        return record, {"domains": domains}

    def _drawn(self, table: pa.Table) -> list[tuple[Row, str, list[str]]]:
        """Return the runs of the sentences that are drawn: each with its domain and its letters.

        Runs have left contexts where they are to be converted after one. Those typed alike stand
        side by side: a batch is searched as broadly as its most ambiguous line wants.
        """
        options = self.options
        kept, _ = drop_unlabelled(table.filter(pc.equal(table.column("split"), options.split)))
        ids = kept.column("id").to_pylist()
        keys = mix_keys(hash_ids(ids), options.seed)
        shares = np.array([self.shares[domain] for domain in kept.column("domain").to_pylist()])
        is_drawn = uniforms(keys, Purpose.LIST_ROW) < shares
        if self.fold is not None:
            is_drawn &= self.fold.holds(_line_numbers(ids))
        taken = kept.take(pa.array(np.flatnonzero(is_drawn)))
        runs = []
        for row in taken.to_pylist():
            first, before = 0, ""
            for number, length in enumerate(row["run_lengths"]):
                hanzi = row["hanzi"][first : first + length]
                pinyin = " ".join(SYLLABLES[i] for i in row["syllables"][first : first + length])
                first += length
                if _RUN_LENGTHS[0] <= length <= _RUN_LENGTHS[1]:
                    run = Row(f"{row['id']}.{number}", hanzi, pinyin, before)
                    runs.append((run, row["domain"]))
                before += hanzi + _BREAK
        run_keys = mix_keys(hash_ids([run.id for run, _ in runs]), options.seed)
        has_context = uniforms(run_keys, Purpose.LIST_CONTEXT) < options.context_rate
        forms = np.searchsorted(
            np.cumsum([options.initials_rate, options.mixed_rate]),
            uniforms(run_keys, Purpose.LIST_FORM),
            side="right",
        )
        names = (InputForm.INITIALS, InputForm.MIXED, InputForm.SEGMENTED)
        drawn = []
        for number in np.argsort(forms, kind="stable").tolist():
            run, domain = runs[number]
            if not has_context[number]:
                run = replace(run, left_context="")
            typed = typed_syllables(run, names[forms[number]], seed=options.seed)
            drawn.append((run, domain, typed))
        return drawn

    def _convert(
        self, runs: Sequence[tuple[Row, str, list[str]]], domains: dict[str, list[int]]
    ) -> pa.Table:
        """Return the lists of some runs; count in `domains` what became of them."""
        options = self.options
        converter = _converter(self.artifact, options.n_best)
        decoder = converter.decoder
        graphs = [SyllableGraph.from_text(" ".join(typed)) for _, _, typed in runs]
        contexts = [decoder.left_context(run.left_context) for run, _, _ in runs]
        decoding = decoder.decode(graphs, contexts)
        keys = mix_keys(hash_ids([run.id for run, _, _ in runs]), options.seed)
        is_kept = (uniforms(keys, Purpose.LIST_KEPT) < options.confident_rate).tolist()
        found: dict[str, list[Any]] = {name: [] for name in LIST_SCHEMA.names}
        for line, (run, domain, typed) in enumerate(runs):
            counts = domains.setdefault(domain, [0, 0, 0])
            counts[0] += 1
            path = _path(decoding, line, len(typed))
            if path is None:
                continue
            first = decoding.hypotheses(line, 2)
            counts[1] += bool(first) and first[0].text == run.hanzi
            is_sure = _is_sure(first, converter.temperature)
            if is_sure and not is_kept[line]:
                continue
            texts, readings, logprobs = _candidates(decoding, line, path, options.n_best)
            if run.hanzi not in texts or len(texts) < 2:
                continue
            counts[2] += 1
            found["domain"].append(domain)
            found["context"].append(run.left_context)
            found["low"].append(path.syllable_lo)
            found["high"].append(path.syllable_hi)
            found["candidates"].append(texts)
            found["readings"].append(readings)
            found["logprobs"].append(logprobs)
            found["right"].append(texts.index(run.hanzi))
            found["weight"].append(1.0 / options.confident_rate if is_sure else 1.0)
        return pa.table(found, schema=LIST_SCHEMA)


def make_lists(
    dataset: Dataset,
    out: Path,
    *,
    artifact: str | Path,
    options: ListOptions,
    n_workers: int = 1,
    restarts: bool = False,
    on_progress: ReportProgress = lambda n_done, n_total: None,
) -> Mapping[str, Any]:
    """Make candidate lists of the sentences of a dataset; shards that are finished are kept.

    The logprob of a candidate is what the language model, penalties and word counts of the
    artifact add up to; the neural model took part in the search, so that the lists hold what it is
    wrong about, and is left out of the sum, because it is what will be trained.

    Args:
        dataset: what is converted; nothing is written into it.
        out: folder of the lists; an absolute path.
        artifact: name or folder of what converts; it has an encoder.
        options: what is converted.
        n_workers: shards at a time.
        restarts: replace what was made with other settings or from another dataset.
        on_progress: called from time to time with the rows done and the rows in all.

    Returns:
        The manifest: weights of the search, and counts by domain.

    Raises:
        ConfigError: the artifact has no encoder, or was to have left text out and has not, or the
            folder holds something else.
        ArtifactError: it is damaged.
        DatasetError: the split has no sentences, the disk is full, or a shard is damaged.
    """
    count = dataset.manifest.splits.get(options.split, Count())
    if not count.rows:
        raise DatasetError(
            f"dataset {str(dataset.path)!r} has no sentences of the split {options.split!r}"
        )
    opened = Artifact.open(artifact)
    converter = _converter(opened.folder, options.n_best)
    decoder = converter.decoder
    if decoder.scorer is None:
        raise ConfigError(
            f"artifact {str(artifact)!r} has no encoder: lists are made to train one, give an "
            "artifact that has it"
        )
    fold = _left_out(opened) if options.only_left_out else None
    domains = {name: one.rows for name, one in dataset.manifest.domains.items()}
    share_of_split = count.rows / max(1, sum(domains.values()))
    if fold is not None:
        share_of_split /= fold.count
    sizes = {name: rows * share_of_split for name, rows in domains.items()}
    shares = _shares(sizes, options)
    settings = {
        "dataset": sha256_hex(dataset.path / DATASET_MANIFEST),
        "artifact": sha256_hex(opened.folder / "manifest.json"),
        "options": asdict(options),
    }
    stage = ListStage(
        output_folder=out / "data",
        record_folder=out / "work" / "records",
        artifact=opened.folder,
        options=options,
        shares=shares,
        fold=fold,
        settings=settings,
    )
    records = run_on_shards(
        stage,
        dataset,
        out,
        manifest_name=MANIFEST_NAME,
        n_workers=n_workers,
        restarts=restarts,
        on_progress=on_progress,
    )
    manifest = {
        "format_version": FORMAT_VERSION,
        **settings,
        "name": opened.manifest.name,
        "version": opened.manifest.version,
        "temperature": converter.temperature,
        "encoder_weight": decoder.options.fused_beam.encoder_weight,
        "prior_weight": decoder.options.fused_beam.prior_weight,
        "abbreviated_factor": decoder.options.fusion.abbreviated_factor,
        "files": [f"data/{name}.parquet" for name, record in records.items() if record.output.rows],
        **_counts(list(records.values())),
    }
    if not manifest["files"]:
        raise DatasetError(
            f"none of the sentences drawn from {str(dataset.path)!r} gave a list: draw more of them"
        )
    write_json(out / MANIFEST_NAME, manifest)
    return manifest


def _counts(records: Sequence[UnitRecord]) -> dict[str, Any]:
    """Return runs converted, right at once, and lists kept: in all and by domain."""
    names = ("runs", "right", "lists")
    by_domain: dict[str, list[int]] = {}
    for record in records:
        for domain, counts in record.figures["domains"].items():
            summed = by_domain.setdefault(domain, [0] * len(names))
            by_domain[domain] = [a + b for a, b in zip(summed, counts, strict=True)]
    total = [sum(counts[index] for counts in by_domain.values()) for index in range(len(names))]
    return {
        "total": dict(zip(names, total, strict=True)),
        "domains": {
            domain: dict(zip(names, counts, strict=True))
            for domain, counts in sorted(by_domain.items())
        },
    }


@lru_cache(maxsize=1)
def _converter(artifact: Path, n_best: int) -> Converter:
    """Return what converts, its beam wide enough for whole lists; each process loads it once."""
    converter = Converter(Artifact.open(artifact))
    options = converter.decoder.options
    width = max(n_best, options.fused_beam.beam_width)
    fused = replace(options.fused_beam, beam_width=width)
    converter.decoder.options = replace(options, fused_beam=fused)
    return converter


def _left_out(artifact: Artifact) -> Fold:
    """Return the lines that the language model of an artifact was not counted on."""
    counting = artifact.manifest.training.get("config", {}).get("counting", {})
    if counting.get("left_out") is None:
        raise ConfigError(
            f"the language model of {str(artifact.folder)!r} was counted on all text: build one "
            "with `yinzi-train build --set counting.left_out=[0,5]` and give it an encoder"
        )
    return Fold(*counting["left_out"])


def _line_numbers(ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the numbers of the lines that rows are of, in their texts, from 0.

    >>> _line_numbers(["chat__jokes:0", "chat__jokes:12.3", "chat__jokes:7~1.3"]).tolist()
    [0, 12, 7]

    Raises:
        DatasetError: an id has none.
    """
    try:
        return np.array([int(re.split(r"[.~]", one.rpartition(":")[2])[0]) for one in ids])
    except ValueError as error:
        raise DatasetError(
            "ids must have the number of a line, as 'chat__jokes:12', 'chat__jokes:12.3' or "
            f"'chat__jokes:12~1.3': {error}"
        ) from error


def _shares(sizes: Mapping[str, float], options: ListOptions) -> dict[str, float]:
    """Return the share of each domain's sentences to draw, so that all add up to what is wanted.

    >>> options = ListOptions(sentences=60, domain_factors={})
    >>> {name: round(share, 2) for name, share in _shares({"a": 10, "b": 1000}, options).items()}
    {'a': 0.55, 'b': 0.05}
    """
    wishes = {
        name: options.domain_factors.get(name, 1.0) * math.sqrt(size)
        for name, size in sizes.items()
    }
    shares = dict.fromkeys(sizes, 1.0)
    left, open_names = float(options.sentences), {name for name in sizes if wishes[name] > 0}
    shares.update(dict.fromkeys(set(sizes) - open_names, 0.0))
    # Domains that are smaller than their part go in whole; the others share what is left.
    while open_names:
        scale = left / sum(wishes[name] for name in open_names)
        whole = {name for name in open_names if wishes[name] * scale >= sizes[name]}
        if not whole:
            shares.update({name: wishes[name] * scale / sizes[name] for name in open_names})
            break
        left = max(0.0, left - sum(sizes[name] for name in whole))
        open_names -= whole
    return shares


def _is_sure(first: Sequence[Hypothesis], temperature: float) -> bool:
    """Tell whether the first of two candidates has nearly all of their probability."""
    if len(first) < 2:
        return True
    lead = temperature * (first[0].logprob - first[1].logprob)
    return lead > math.log(_CONFIDENT / (1 - _CONFIDENT))


def _path(decoding: Decoding, line: int, n_places: int) -> PathEdges | None:
    """Return the way through the graph that the model was asked about, a hanzi an edge."""
    if decoding.path_scores is None:
        return None
    ways = decoding.path_scores.paths[line]
    return next((way for way in ways if len(way.start) == n_places), None)


def _candidates(
    decoding: Decoding, line: int, path: PathEdges, n_best: int
) -> tuple[list[str], list[int], list[float]]:
    """Return texts, syllable ids one after another, and logprobs without the neural model.

    Candidates that read the letters in another way, as `xian` for two hanzi, are left out.
    """
    lattice, options = decoding.lattice, decoding.options
    texts: list[str] = []
    readings: list[int] = []
    logprobs: list[float] = []
    for one in decoding.hypotheses(line, n_best):
        if not len(one.syllables) == len(one.text) == len(path.start):
            continue
        ids = np.array([syllable_id(syllable) for syllable in one.syllables])
        if not ((path.syllable_lo <= ids) & (ids < path.syllable_hi)).all():
            continue
        nodes = np.array(one.nodes, dtype=np.int64)
        encoder = float(lattice.encoder_logprob[nodes].sum())
        prior = float(lattice.prior_logprob[nodes].sum())
        texts.append(one.text)
        readings += ids.tolist()
        logprobs.append(
            one.logprob - options.encoder_weight * encoder - options.prior_weight * prior
        )
    return texts, readings, logprobs
