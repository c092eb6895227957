"""Prepare what pretraining reads besides the dataset: characters, row weights, validation lines.

All are made once and kept in the run folder, each with what it was made from beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import Dataset
from yinzi_train.dataset.sampling import Sampler, SamplerState, SamplingOptions, Shards
from yinzi_train.dataset.storage import atomic_path
from yinzi_train.dataset.units import ReportProgress
from yinzi_train.pretraining.config import PretrainingConfig
from yinzi_train.pretraining.lines import causal_batch, fill_lines, masked_batch, span_batch
from yinzi_train.pretraining.vocabulary import CharacterCounts, TextVocabulary, make_tokenizer
from yinzi_train.training.prepared_files import (
    VALIDATION,
    WEIGHTS,
    counted_reads,
    is_made,
    note_made,
    rows_of_split,
    spread_rows,
    write_weights,
)
from yinzi_train.training.run_folder import check_dataset, dataset_digest
from yinzi_train.training.stream import RowStream

__all__ = ["PretrainingData", "TextStream", "prepare_text_data"]

_TOKENIZER: Final = "tokenizer"
_TOKENIZER_FILES: Final = ("tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json")
_COLUMNS: Final = ("text",)
_COUNTED_COLUMNS: Final = ("split", "hanzi", "syllables", "text")
_MIN_KNOWN_SHARE: Final = 0.9
"""Share of the text that the characters of a model to go on with must cover."""


@dataclass(frozen=True, eq=False)
class PretrainingData:
    """What a run reads.

    Attributes:
        dataset: rows with a text.
        config: of the run.
        vocab: numbers of characters.
        weights: float32 [n_rows], how often each row is seen in an epoch; 0 outside train.
        validation: texts of the validation split.
    """

    dataset: Dataset
    config: PretrainingConfig
    vocab: TextVocabulary
    weights: NDArray[np.float32]
    validation: pa.Table

    def stream(self, *, rank: int, n_ranks: int) -> TextStream:
        """Return the batches of one of several processes."""
        order = self.config.sampling
        sampler = Sampler(
            Shards.from_paths(self.dataset.shard_paths),
            weights=self.weights,
            options=SamplingOptions(order.seed, order.pool_groups, rank, n_ranks),
        )
        return TextStream(sampler, self, rank=rank)

    def batch(self, texts: Sequence[str], seed: Sequence[int]) -> dict[str, NDArray[Any]] | None:
        """Return texts in lines with what has to be guessed; None if there is nothing."""
        config, vocab = self.config, self.vocab
        lines = fill_lines(texts, vocab, config.lines)
        rng = np.random.default_rng([config.corruption.seed, *seed])
        if config.model.family == "bert":
            return masked_batch(lines, vocab, config.corruption, rng)
        if config.model.family == "gpt":
            return causal_batch(lines)
        return span_batch(lines, vocab, config.corruption, rng)

    def validation_batches(self) -> Iterator[dict[str, torch.Tensor]]:
        """Yield the validation texts, with the same to guess each time."""
        size = self.config.training.rows_per_batch
        for first in range(0, len(self.validation), size):
            texts = self.validation.column("text").slice(first, size).to_pylist()
            arrays = self.batch(texts, (first,))
            if arrays is not None:
                yield {name: torch.from_numpy(array) for name, array in arrays.items()}


class TextStream(RowStream):
    """Yield lines of sampled texts without end."""

    def __init__(self, sampler: Sampler, data: PretrainingData, *, rank: int) -> None:
        super().__init__(
            sampler, columns=_COLUMNS, rows_per_batch=data.config.training.rows_per_batch
        )
        self._data = data
        self._rank = rank

    def make_batch(self, rows: pa.Table, after: SamplerState) -> dict[str, NDArray[Any]] | None:
        """Return the texts of some rows in lines; the draws depend on the place in the data."""
        seed = (after.epoch, after.position, self._rank)
        return self._data.batch(rows.column("text").to_pylist(), seed)


def prepare_text_data(
    dataset: Dataset,
    config: PretrainingConfig,
    folder: Path,
    *,
    on_progress: ReportProgress = lambda n_done, n_total: None,
) -> PretrainingData:
    """Make, or read from an earlier start, what a run needs.

    Args:
        dataset: what is trained on; nothing is written into it.
        config: of the run.
        folder: the run folder.
        on_progress: called with the rows read and the rows to read in all.

    Raises:
        ConfigError: no hanzi is frequent enough, a domain that has a factor is not there, or the
            model to go on with does not know the characters.
        DatasetError: a split has no rows, or a shard cannot be read.
    """
    check_dataset(dataset, config)
    digest = dataset_digest(dataset)
    initial = config.training.initial_model
    tokenizer_from = {
        **{"dataset": digest, "family": config.model.family, "initial_model": initial},
        **asdict(config.vocabulary),
    }
    weights_from = {"dataset": digest, "split": "train", "balance": asdict(config.balance)}
    validation_from = {"dataset": digest, "rows": config.n_validation_rows, "columns": _COLUMNS}
    has_tokenizer = is_made(folder, _TOKENIZER_FILES, tokenizer_from)
    has_weights = is_made(folder, (WEIGHTS,), weights_from)
    has_validation = is_made(folder, (VALIDATION,), validation_from)
    n_passes = (not (has_tokenizer and has_weights)) + (not has_weights) + (not has_validation)
    read = counted_reads(dataset, n_passes, on_progress)

    if not (has_tokenizer and has_weights):
        counts = CharacterCounts()

        def counted() -> Iterator[pa.Table]:
            for table in read(_COUNTED_COLUMNS):
                rows = rows_of_split(table, "train")
                counts.add(rows.column("text").to_pylist())
                yield rows

        pairs = PairVocabulary.from_tables(counted())
        if not has_tokenizer:
            _write_tokenizer(counts, config, folder)
            note_made(folder, _TOKENIZER_FILES, tokenizer_from)
        if not has_weights:
            write_weights(folder, read, pairs, config.balance, weights_from)
    if not has_validation:
        tables = [rows_of_split(table, "validation") for table in read(("split", *_COLUMNS))]
        with atomic_path(folder / VALIDATION) as part:
            rows = spread_rows(tables, config.n_validation_rows, columns=_COLUMNS)
            pq.write_table(rows, part)
        note_made(folder, (VALIDATION,), validation_from)
    return PretrainingData(
        dataset=dataset,
        config=config,
        vocab=TextVocabulary.load(folder / _TOKENIZER),
        weights=np.load(folder / WEIGHTS, mmap_mode="r"),
        validation=pq.read_table(folder / VALIDATION),
    )


def _write_tokenizer(counts: CharacterCounts, config: PretrainingConfig, folder: Path) -> None:
    """Write the tokenizer of the model to go on with, or one of the counted characters."""
    initial = config.training.initial_model
    if initial:
        vocab = TextVocabulary.load(Path(initial))
        share = counts.share_of(vocab.characters)
        if share < _MIN_KNOWN_SHARE:
            raise ConfigError(
                f"the tokenizer of training.initial_model {initial!r} knows {share:.0%} of the "
                f"characters of the text: expected at least {_MIN_KNOWN_SHARE:.0%}, from a model "
                "of Chinese with one token a character"
            )
        tokenizer = vocab.tokenizer
    else:
        tokenizer = make_tokenizer(counts.chosen(config.vocabulary), config.model.family)
    tokenizer.save_pretrained(str(folder / _TOKENIZER))
