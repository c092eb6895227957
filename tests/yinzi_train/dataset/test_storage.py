from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from yinzi.errors import ConfigError
from yinzi_train.dataset import DatasetError, storage
from yinzi_train.dataset.schema import CLEAN_SCHEMA, ROW_SCHEMA
from yinzi_train.dataset.storage import StorageOptions, atomic_path, write_json, write_table_file

OPTIONS = StorageOptions(row_group_rows=1024)


def rows(n: int) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "id": f"a:{index}",
                "text": f"第{index}句",
                "source": "a",
                "domain": "chat",
                "licence": "CC0-1.0",
                "position": index,
            }
            for index in range(n)
        ],
        schema=CLEAN_SCHEMA,
    )


def pieces(table: pa.Table, size: int) -> list[pa.Table]:
    return [table.slice(start, size) for start in range(0, len(table), size)]


@pytest.mark.parametrize("size", [1, 700, 1024, 1025, 5000])
def test_bytes_do_not_depend_on_the_batches(tmp_path: Path, size: int) -> None:
    table = rows(3000)
    whole = write_table_file(tmp_path / "a", [table], schema=CLEAN_SCHEMA, options=OPTIONS)
    parts = pieces(table, size)
    cut = write_table_file(tmp_path / "b", parts, schema=CLEAN_SCHEMA, options=OPTIONS)
    assert cut == whole
    assert pq.read_metadata(tmp_path / "b").num_row_groups == 3
    assert pq.read_table(tmp_path / "b").equals(table)


def test_file_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    record = write_table_file(path, [], schema=ROW_SCHEMA, options=OPTIONS)
    assert record.rows == 0
    assert pq.read_schema(path).equals(ROW_SCHEMA)


def test_lists_are_dictionary_encoded(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("tones", pa.list_(pa.int8()))])
    table = pa.table({"id": ["a"], "tones": pa.array([[1, 2]], pa.list_(pa.int8()))})
    write_table_file(tmp_path / "a", [table], schema=schema, options=OPTIONS)
    group = pq.read_metadata(tmp_path / "a").row_group(0)
    assert group.column(1).path_in_schema == "tones.list.element"
    assert "RLE_DICTIONARY" in group.column(1).encodings
    assert "DELTA_BYTE_ARRAY" in group.column(0).encodings


def test_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def write_half() -> None:
        with atomic_path(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullFile(pa.PythonFile):  # type: ignore[misc]
        pass

    class Full:
        closed = False

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None: ...
        def close(self) -> None: ...
        def tell(self) -> int:
            return 0

    def open_full(name: str, mode: str) -> Any:
        Path(name).touch()
        return FullFile(Full(), mode="w")

    monkeypatch.setattr(storage.pa, "OSFile", open_full)
    with pytest.raises(DatasetError, match=r"no space left to write .*make room and run the same"):
        write_table_file(tmp_path / "a", [rows(2000)], schema=CLEAN_SCHEMA, options=OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot write"):
        write_json(tmp_path / "file" / "a.json", {})


@pytest.mark.parametrize(
    ("options", "message"),
    [({"row_group_rows": 5}, "row_group_rows"), ({"compression_level": 0}, "compression_level")],
)
def test_options_out_of_range_are_named(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StorageOptions(**options)
