"""Make shards of a dataset from labelled sentences: split, fold, contamination check.

One labelled file makes one shard. Sentences of the train split that share text with an evaluation
set are left out and listed; those of the other splits stay, because nothing is trained on them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yinzi_train.dataset.contamination import ContaminationIndex, Finding
from yinzi_train.dataset.schema import GROUP_COLUMNS, LABELLED_SCHEMA, ROW_SCHEMA, SPLITS
from yinzi_train.dataset.splits import SplitOptions, assign_splits
from yinzi_train.dataset.storage import FileRecord, StorageOptions, write_table_file

__all__ = ["ShardStage", "count_groups"]


@dataclass
class ShardStage:
    """Labelled sentences in, a shard out; a `UnitStage`.

    Attributes:
        output_folder: of the shards.
        record_folder: of their records.
        splits: how sentences are divided.
        storage: how files are written.
        index: the evaluation sets.
        settings: plain data that decides, with the input, what is made.
    """

    output_folder: Path
    record_folder: Path
    splits: SplitOptions
    storage: StorageOptions
    index: ContaminationIndex
    settings: Mapping[str, Any]
    name: str = "dataset"
    schema: pa.Schema = LABELLED_SCHEMA

    def process(
        self, tables: Iterator[pa.Table], output: Path
    ) -> tuple[FileRecord, Mapping[str, Any]]:
        """Write a shard.

        Returns:
            The file, and figures: `groups` (rows, hanzi and doubtful hanzi for each value of
            source, domain, licence, split and fold together) and `dropped` (id, text and what they
            share with which evaluation set, for each row that was left out).
        """
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
        dropped: list[dict[str, Any]] = []

        def rows() -> Iterator[pa.Table]:
            for table in tables:
                kept, left_out = self._divide(table)
                dropped.extend(left_out)
                count_groups(kept, groups)
                yield kept

        record = write_table_file(output, rows(), schema=ROW_SCHEMA, options=self.storage)
        counted = [[*key, *groups[key]] for key in sorted(groups)]
        return record, {"groups": counted, "dropped": dropped}

    def _divide(self, table: pa.Table) -> tuple[pa.Table, list[dict[str, Any]]]:
        hanzi: list[str] = table.column("hanzi").to_pylist()
        split, fold = assign_splits(hanzi, self.splits)
        columns = {name: table.column(name) for name in table.column_names}
        columns["split"] = pa.array(np.array(SPLITS, dtype=object)[split], pa.string())
        columns["fold"] = pa.array(fold, pa.int8())
        labelled = pa.table([columns[name] for name in ROW_SCHEMA.names], schema=ROW_SCHEMA)
        is_train = split == SPLITS.index("train")
        found = self._contaminated(labelled, hanzi, is_train)
        if not found:
            return labelled, []
        rows = [finding.row for finding in found]
        is_kept = np.ones(len(labelled), dtype=np.bool_)
        is_kept[rows] = False
        texts = labelled.select(["id", "text"]).take(rows).to_pylist()
        left_out = [
            {**text, "matches": [list(match) for match in finding.matches]}
            for text, finding in zip(texts, found, strict=True)
        ]
        return labelled.filter(pa.array(is_kept)), left_out

    def _contaminated(
        self, table: pa.Table, hanzi: Sequence[str], is_train: np.ndarray
    ) -> list[Finding]:
        if not self.index.sets:
            return []
        lengths = table.column("run_lengths").combine_chunks().flatten().to_numpy()
        return [found for found in self.index.find(hanzi, lengths) if is_train[found.row]]


def count_groups(table: pa.Table, groups: dict[tuple[Any, ...], list[int]]) -> None:
    """Add rows, hanzi and doubtful hanzi of a table to its groups."""
    if not len(table):
        return
    counted = table.select(GROUP_COLUMNS)
    counted = counted.append_column("hanzi", pc.utf8_length(table.column("hanzi")))
    counted = counted.append_column("doubtful", pc.list_value_length(table.column("doubtful")))
    sums = counted.group_by(list(GROUP_COLUMNS)).aggregate(
        [([], "count_all"), ("hanzi", "sum"), ("doubtful", "sum")]
    )
    for row in sums.to_pylist():
        total = groups[tuple(row[name] for name in GROUP_COLUMNS)]
        for index, name in enumerate(("count_all", "hanzi_sum", "doubtful_sum")):
            total[index] += row[name]
