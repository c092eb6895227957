from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.yinzi_train.dataset.dataset_samples import write_dataset
from yinzi_train.dataset.card import dataset_card, write_card
from yinzi_train.dataset.manifest import DatasetManifest, SourceRecord
from yinzi_train.dataset.schema import ROW_SCHEMA, SPLITS


@pytest.fixture
def manifest(tmp_path: Path) -> DatasetManifest:
    return write_dataset(tmp_path)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Give `datasets`, which must look for nothing on the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    yield datasets
    datasets.enable_progress_bars()


def header(card: str) -> dict[str, Any]:
    yaml = importlib.import_module("yaml")
    _, text, _ = card.split("---\n", 2)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_header_names_columns_and_a_configuration_a_split(manifest: DatasetManifest) -> None:
    fields = header(dataset_card(manifest))
    assert fields["language"] == ["zh"]
    assert fields["size_categories"] == ["n<1K"]
    assert [config["config_name"] for config in fields["configs"]] == ["sentences", *SPLITS]
    for info in fields["dataset_info"]:
        assert [feature["name"] for feature in info["features"]] == ROW_SCHEMA.names


def test_card_lists_every_source_with_licence_and_origin(manifest: DatasetManifest) -> None:
    card = dataset_card(manifest)
    for record in manifest.sources:
        row = next(line for line in card.splitlines() if f"| `{record.source}` |" in line)
        assert f"https://github.com/someone/{record.domain}" in row
        assert f"| {record.rows} | {record.hanzi} |" in row


@pytest.mark.parametrize(
    ("source", "licence", "words"),
    [
        ("social__cold", "[open] Apache-2.0", "offensive"),
        ("edu__fcgec", "[open] Apache-2.0", "faulty"),
        ("chat__smile", "[open] CC0-1.0", "Written by machines"),
        ("qa__other", "[unstated] machine-made text", "Written by machines"),
    ],
)
def test_card_warns_of_sources_that_need_it(
    manifest: DatasetManifest, source: str, licence: str, words: str
) -> None:
    assert words not in dataset_card(manifest)
    record = SourceRecord(source, "chat", licence, "", 1, 5, 0)
    card = dataset_card(replace(manifest, sources=(*manifest.sources, record)))
    limit = next(line for line in card.splitlines() if line.startswith("- ") and words in line)
    assert f"`{source}`" in limit


@pytest.mark.parametrize("is_masked", [True, False])
def test_card_says_whether_personal_data_are_masked(
    manifest: DatasetManifest, is_masked: bool
) -> None:
    config = {"corpus": {"mask_personal_data": is_masked}}
    card = dataset_card(replace(manifest, config=config))
    assert ("are masked by rules" in card) == is_masked
    assert ("were not masked" in card) != is_masked


def test_datasets_loads_all_rows_and_each_split(
    manifest: DatasetManifest, tmp_path: Path, offline: Any
) -> None:
    write_card(tmp_path, manifest)
    for config, n_rows in (
        ("sentences", 6),
        *((name, manifest.splits[name].rows) for name in SPLITS),
    ):
        rows = offline.load_dataset(
            str(tmp_path), config, split=config, cache_dir=str(tmp_path / "cache")
        )
        assert rows.num_rows == n_rows
        assert rows.column_names == ROW_SCHEMA.names
        assert config == "sentences" or set(rows["split"]) == {config}
