"""Datasets of labelled sentences: splits, contamination check, storage, reading, queries."""

from __future__ import annotations

from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import DatasetManifest
from yinzi_train.dataset.reader import Dataset, iter_rows, iter_tables, open_dataset

__all__ = ["Dataset", "DatasetError", "DatasetManifest", "iter_rows", "iter_tables", "open_dataset"]
