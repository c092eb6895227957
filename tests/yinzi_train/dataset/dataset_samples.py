"""Write small datasets with the project's own writer, for tests."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from yinzi.pinyin import parse_syllable, syllable_id
from yinzi.text import miu_spans
from yinzi_train.dataset.manifest import (
    ContaminationRecord,
    Count,
    DatasetManifest,
    ShardRecord,
    SourceRecord,
    write_manifest,
)
from yinzi_train.dataset.schema import ROW_SCHEMA, SPLITS
from yinzi_train.dataset.storage import StorageOptions, write_table_file


@dataclass(frozen=True)
class Sentence:
    """A sentence with its readings; its place, if not its number, ends its id."""

    text: str
    pinyin: str
    doubtful: Sequence[int] = ()
    split: str = "train"
    fold: int = 0
    place: str = ""


MIT = "[open] MIT; written for a test"
UNSTATED = "[unstated]"
SOURCES: Mapping[tuple[str, str, str], Sequence[Sentence]] = {
    ("chat__talk", "chat", MIT): (
        Sentence("我要买票，3张。", "wo3 yao4 mai3 piao4 zhang1"),
        Sentence("他们都很高兴。", "ta1 men5 dou1 hen3 gao1 xing4", doubtful=(2,), fold=1),
        Sentence("首都在北京吗？", "shou3 du1 zai4 bei3 jing1 ma5", split="test"),
    ),
    ("news__made-up", "news", UNSTATED): (
        Sentence("银行行长 发言", "yin2 hang2 hang2 zhang3 fa1 yan2", doubtful=(2, 3)),
        Sentence("行人在银行门前行走", "xing2 ren2 zai4 yin2 hang2 men2 qian2 xing2 zou3", fold=1),
        Sentence("他们都很高兴！", "ta1 men5 dou1 hen3 gao1 xing4", split="validation"),
    ),
}


def row(
    sentence: Sentence, *, source: str, domain: str, licence: str, number: int
) -> dict[str, Any]:
    """Return a row of the dataset's columns."""
    spans = miu_spans(sentence.text)
    syllables = [parse_syllable(text) for text in sentence.pinyin.split()]
    return {
        "id": f"{source}:{sentence.place or number}",
        "text": sentence.text,
        "source": source,
        "domain": domain,
        "licence": licence,
        "split": sentence.split,
        "fold": sentence.fold,
        "hanzi": "".join(sentence.text[start:end] for start, end in spans),
        "run_lengths": [end - start for start, end in spans],
        "syllables": [syllable_id(syllable.toneless) for syllable in syllables],
        "tones": [syllable.tone for syllable in syllables],
        "doubtful": list(sentence.doubtful),
    }


def write_dataset(
    folder: Path,
    sources: Mapping[tuple[str, str, str], Sequence[Sentence]] = SOURCES,
    **changes: Any,
) -> DatasetManifest:
    """Write a dataset; `changes` are fields of the manifest to set."""
    shards, records = [], []
    groups: dict[tuple[str, Any], Count] = defaultdict(Count)
    n_doubtful = 0
    for (source, domain, licence), sentences in sources.items():
        rows = [
            row(sentence, source=source, domain=domain, licence=licence, number=number)
            for number, sentence in enumerate(sentences)
        ]
        total, doubtful = Count(), 0
        for one in rows:
            size = Count(1, len(one["hanzi"]))
            total += size
            doubtful += len(one["doubtful"])
            for column in ("domain", "licence", "split"):
                groups[column, one[column]] += size
            if one["split"] == "train":
                groups["fold", one["fold"]] += size
        file = f"data/{source}-000.parquet"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        written = write_table_file(
            folder / file,
            [pa.Table.from_pylist(rows, ROW_SCHEMA)],
            schema=ROW_SCHEMA,
            options=StorageOptions(),
        )
        shards.append(ShardRecord(file, total.rows, total.hanzi, written.n_bytes, written.sha256))
        origin = f"github:someone/{domain} 0123abcd"
        records.append(
            SourceRecord(source, domain, licence, origin, total.rows, total.hanzi, doubtful)
        )
        n_doubtful += doubtful
    manifest = DatasetManifest(
        created="2025-01-31",
        config={"corpus": {"script": "t2s", "mask_personal_data": True}},
        labeller={"name": "by hand", "version": "1"},
        sources=tuple(records),
        shards=tuple(shards),
        splits={name: groups["split", name] for name in SPLITS},
        folds=tuple(groups["fold", index] for index in range(2)),
        domains={value: count for (kind, value), count in groups.items() if kind == "domain"},
        licences={value: count for (kind, value), count in groups.items() if kind == "licence"},
        doubtful=n_doubtful,
        rows_read=20,
        drops={"exact_duplicate": 5, "near_duplicate": 2, "too_short": 6, "contamination": 1},
        contamination=(ContaminationRecord("dev", "00" * 32, 100, 7, 1, 1),),
    )
    manifest = replace(manifest, **changes)
    write_manifest(folder, manifest)
    (folder / "dropped").mkdir(exist_ok=True)
    dropped = {"id": "chat__talk:9", "text": "联系 13812345678 | 谢谢", "reason": "too_short"}
    (folder / "dropped" / "too_short.jsonl").write_text(
        json.dumps(dropped, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return manifest
