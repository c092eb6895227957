"""The command `yinzi-train query`: ask a dataset questions in SQL."""

from __future__ import annotations

import csv
import datetime
import decimal
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from yinzi_train.dataset.query import QueryResult

__all__ = ["EXAMPLES", "query"]

EXAMPLES: Final = """Examples:

$ yinzi-train query "select domain, count(*) from rows group by 1 order by 2 desc" --dataset DIR

$ yinzi-train query "select syllable, count(*) from hanzi where hanzi = '行' group by 1" --csv \\
    --dataset DIR

$ yinzi-train query "describe rows" --dataset DIR"""


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT in DuckDB's SQL.", show_default=False)
    ],
    *,
    dataset: Annotated[
        Path,
        typer.Option("--dataset", metavar="DIR", help="Folder of a dataset.", show_default=False),
    ],
    is_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, all rows.", show_default=False)
    ] = False,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a row.", show_default=False)
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of the table at most.")] = 100,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Threads; one a core if not given."),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Ask a dataset a question in SQL; nothing can be changed.

    Tables: rows (one sentence each: id, text, source, domain, licence, split, fold, hanzi, pinyin,
    toneless, n_hanzi, run_lengths, syllables, tones, doubtful), hanzi (one hanzi each, with
    syllable, tone, is_doubtful), shards, sources, drops, contamination.
    """
    from yinzi_train.dataset.query import query as ask
    from yinzi_train.dataset.reader import open_dataset

    if is_csv and is_json:
        raise typer.BadParameter("give either --csv or --json, not both")
    result = ask(open_dataset(dataset), sql, n_threads=threads)
    if is_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows(result)
    elif is_json:
        for row in result:
            named = dict(zip(result.columns, row, strict=True))
            print(json.dumps(named, ensure_ascii=False, default=_plain))
    else:
        _print_table(result, limit)


def _print_table(result: QueryResult, limit: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(itertools.islice(result, limit + 1))
    table = Table()
    for index, name in enumerate(result.columns):
        numbers = all(isinstance(row[index], (int, float, decimal.Decimal)) for row in rows)
        table.add_column(Text(name), justify="right" if rows and numbers else "left")
    for row in rows[:limit]:
        table.add_row(*(Text(_written(cell)) for cell in row))
    Console().print(table)
    if len(rows) > limit:
        print(f"only the first {limit} rows: more with --limit, all with --csv", file=sys.stderr)


def _written(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _plain(value: Any) -> Any:
    """Return what JSON has no form for in the nearest one it has."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.date, datetime.datetime, datetime.time)):
        return value.isoformat()
    return str(value)
