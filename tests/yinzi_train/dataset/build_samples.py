"""Text, a labeller without a lexicon, and builds that the tests of the dataset package share."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from yinzi.text import is_hanzi, miu_spans
from yinzi_train.dataset.build import DatasetBuild
from yinzi_train.dataset.config import DatasetConfig
from yinzi_train.dataset.splits import SplitOptions
from yinzi_train.dataset.storage import StorageOptions
from yinzi_train.dataset.units import Execution
from yinzi_train.labelling import Labels

LICENCE = "[open] CC0-1.0"
CREATED = "2025-01-31"
HANZI = "我要买机票你好今天天气很好去西安北京大学学习音字输入法"


@dataclass(frozen=True)
class CodeLabeller:
    """Label a hanzi by its code point; hanzi with an even one are doubtful."""

    seconds_per_call: float = 0.0
    name: str = "codes"
    version: str = "1"

    def label(self, texts: Sequence[str]) -> Labels:
        """Label texts."""
        time.sleep(self.seconds_per_call)
        hanzi = [[ord(char) for char in text if is_hanzi(char)] for text in texts]
        runs = [[end - start for start, end in miu_spans(text)] for text in texts]
        codes = np.array([code for row in hanzi for code in row], dtype=np.uint32)
        return Labels(
            hanzi=codes,
            offsets=np.cumsum([0, *map(len, hanzi)]),
            syllables=(codes % 400).astype(np.int16),
            tones=(codes % 5 + 1).astype(np.int8),
            doubtful=codes % 2 == 0,
            run_lengths=np.array([length for row in runs for length in row], dtype=np.int32),
            run_offsets=np.cumsum([0, *map(len, runs)]),
        )


def load_code_labeller(seconds_per_call: float = 0.0) -> CodeLabeller:
    """Return the labeller; importable, so that workers find it."""
    return CodeLabeller(seconds_per_call)


def sentences(n: int, *, seed: int) -> list[str]:
    """Return n sentences, hardly any twice."""
    chance = random.Random(seed)
    return [
        "".join(chance.choices(HANZI, k=chance.randint(6, 20)))
        + "，"
        + "".join(chance.choices(HANZI, k=chance.randint(2, 8)))
        + "。"
        for _ in range(n)
    ]


def write_texts(folder: Path, *, n_files: int = 3, n_lines: int = 200) -> Path:
    """Write a folder of texts with its manifest."""
    folder.mkdir(parents=True)
    rows = ["file\tdomain\tsource\tversion\tlicence"]
    for index in range(n_files):
        domain = ("chat", "news")[index % 2]
        name = f"{domain}__text{index}.txt"
        lines = sentences(n_lines, seed=index)
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        rows.append(f"{name}\t{domain}\thttps://example.org/{index}\t1.{index}\t{LICENCE}")
    (folder / "MANIFEST.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def make_build(texts: Path, out: Path, **changes: Any) -> DatasetBuild:
    """Return a build with the labeller of this module."""
    values: dict[str, Any] = {
        "config": DatasetConfig(
            splits=SplitOptions(validation=0.1, test=0.1),
            storage=StorageOptions(row_group_rows=1024),
        ),
        "inputs": (texts,),
        "out": out,
        "created": CREATED,
        "execution": Execution(1),
        "labeller_loader": partial(load_code_labeller, 0.0),
    }
    return DatasetBuild(**{**values, **changes})


def product(folder: Path) -> dict[str, bytes]:
    """Return every file of a dataset by its path, but those the stages leave for each other."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not re.match("work/", path.relative_to(folder).as_posix())
    }
