"""Ask a dataset questions in SQL, with DuckDB over its shards.

Views: `rows` (one sentence each, readings also as text), `hanzi` (one hanzi each), and the tables
of the manifest: `shards`, `sources`, `drops`, `contamination`. Nothing can be changed: the database
is in memory, one statement that reads is allowed, and DuckDB may open the shards and nothing else:
no other file, no network, no extension.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import duckdb
import pyarrow as pa

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.reader import Dataset

__all__ = ["QueryResult", "query"]

_ROWS_VIEW: Final = """
create view rows as
select id, text, source, domain, licence, split, fold, hanzi,
  array_to_string(
    list_transform(list_zip(syllables, tones),
      lambda pair: coalesce({names}[pair[1] + 1] || nullif(pair[2], 0), {names}[pair[1] + 1], '?')),
    ' ') as pinyin,
  array_to_string(
    list_transform(syllables, lambda syllable: coalesce({names}[syllable + 1], '?')), ' '
  ) as toneless,
  len(hanzi) as n_hanzi, run_lengths, syllables, tones, doubtful
from read_parquet({files})
"""
_HANZI_VIEW: Final = """
create view hanzi as
select id, source, domain, licence, split, fold, place,
  substr(hanzi, place + 1, 1) as hanzi,
  coalesce({names}[syllables[place + 1] + 1], '?') as syllable,
  tones[place + 1] as tone,
  list_contains(doubtful, place) as is_doubtful
from (
  select *, unnest(range(len(syllables)))::smallint as place from read_parquet({files})
)
"""
_READING_STATEMENTS: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_FETCH_ROWS: Final = 4096


class QueryResult:
    """The answer to a query, read as a stream.

    Attributes:
        columns: names of the columns.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.columns = [column[0] for column in connection.description or ()]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows; once only.

        Raises:
            ConfigError: the query fails on the data, as by a cast that is not possible.
        """
        while True:
            try:
                rows = self._connection.fetchmany(_FETCH_ROWS)
            except duckdb.Error as error:
                raise _query_error(error) from error
            if not rows:
                return
            yield from rows


def query(
    dataset: Dataset, sql: str, *, n_threads: int | None = None, memory: str = "4GB"
) -> QueryResult:
    """Run one SELECT over a dataset.

    Args:
        dataset: what is asked.
        sql: one statement that reads, in DuckDB's SQL.
        n_threads: threads at most; one a core if not given.
        memory: most that DuckDB may hold in memory, as "4GB".

    Raises:
        ConfigError: the SQL is not right, or is more than one statement that reads.
        DatasetError: a shard cannot be read.
    """
    connection = _connect(dataset, n_threads=n_threads, memory=memory)
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in _READING_STATEMENTS:
            kinds = ", ".join(statement.type.name for statement in statements[:5]) or "nothing"
            raise ConfigError(
                f"the query holds {kinds}: expected one SELECT; a dataset can only be read"
            )
        connection.execute(statements[0])
    except duckdb.Error as error:
        raise _query_error(error) from error
    return QueryResult(connection)


def _connect(dataset: Dataset, *, n_threads: int | None, memory: str) -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": memory,
    }
    if n_threads is not None:
        settings["threads"] = n_threads
    connection = duckdb.connect(":memory:", config=settings)
    paths = [str(path.resolve()) for path in dataset.shard_paths]
    if not paths:
        raise DatasetError(f"dataset {str(dataset.path)!r} has no rows to ask for")
    fill = {"files": _sql_list(paths), "names": f"({_sql_list(SYLLABLES)})"}
    try:
        connection.execute(_ROWS_VIEW.format(**fill))
        connection.execute(_HANZI_VIEW.format(**fill))
        for name, table in _manifest_tables(dataset).items():
            connection.register("incoming", table)
            connection.execute(f"create table {name} as select * from incoming")
            connection.unregister("incoming")
        connection.execute(f"set allowed_paths = {_sql_list(paths)}")
        connection.execute("set enable_external_access = false")
        connection.execute("set python_enable_replacements = false")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        raise DatasetError(f"cannot read the shards of {str(dataset.path)!r}: {error}") from error
    return connection


def _manifest_tables(dataset: Dataset) -> dict[str, pa.Table]:
    manifest = dataset.manifest
    return {
        "shards": _table(manifest.shards),
        "sources": _table(manifest.sources),
        "contamination": _table(manifest.contamination),
        "drops": pa.table(
            {
                "reason": pa.array(list(manifest.drops.keys()), pa.string()),
                "rows": pa.array(list(manifest.drops.values()), pa.int64()),
            }
        ),
    }


def _table(records: Sequence[Any]) -> pa.Table:
    if not records:
        return pa.table({"name": pa.array([], pa.string())})
    return pa.Table.from_pylist([asdict(record) for record in records])


def _sql_list(values: Sequence[str]) -> str:
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def _query_error(error: duckdb.Error) -> ConfigError:
    return ConfigError(
        f"the query does not work: {str(error).strip()}; DESCRIBE rows shows the columns, SHOW "
        "TABLES the tables"
    )
