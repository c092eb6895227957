"""Read and write single rows of the user lexicon; each function is part of a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from yinzi.user.records import UserWord, WordSource, decayed

__all__ = [
    "WORD_COLUMNS",
    "count_choice",
    "counter_value",
    "drop_faded",
    "find_word",
    "next_value",
    "put_word",
    "read_word",
    "take_back",
    "word_fields",
]

_MIN_WEIGHT: Final = 0.02
"""What was only learned is dropped once it counts less."""
WORD_COLUMNS: Final = "text, syllables, weight, count, last_use, source, is_forgotten"


def counter_value(connection: sqlite3.Connection, name: str) -> int:
    """Return a counter: clock, generation or epoch."""
    row = connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return int(row[0])


def next_value(connection: sqlite3.Connection, name: str) -> int:
    """Let a counter grow by one and return it."""
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = ?", (name,))
    return counter_value(connection, name)


def find_word(connection: sqlite3.Connection, key: tuple[str, str]) -> UserWord | None:
    """Return a stored word by text and spelled syllables, None if it is not there."""
    row = connection.execute(
        f"SELECT {WORD_COLUMNS} FROM words WHERE text = ? AND syllables = ?", key
    ).fetchone()
    return None if row is None else read_word(row)


def read_word(row: Sequence[Any]) -> UserWord:
    """Return the word of a row of `WORD_COLUMNS`."""
    text, syllables, weight, count, last_use, source, is_forgotten = row
    return UserWord(
        text,
        tuple(syllables.split(" ")),
        weight,
        count,
        last_use,
        WordSource(source),
        bool(is_forgotten),
    )


def word_fields(word: UserWord) -> list[Any]:
    """Return what `take_back` needs to bring a word back."""
    return [word.weight, word.count, word.last_use, word.source.value]


def put_word(connection: sqlite3.Connection, word: UserWord, generation: int) -> None:
    """Store a word, in place of what is there."""
    connection.execute(
        "INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            word.text,
            " ".join(word.syllables),
            *word_fields(word),
            int(word.is_forgotten),
            generation,
        ),
    )


def count_choice(
    connection: sqlite3.Connection, before: str, key: tuple[str, str], clock: int, generation: int
) -> list[Any]:
    """Count a word after another one; return the step to take it back."""
    old = connection.execute(
        "SELECT weight, count, last_use FROM choices "
        "WHERE before = ? AND text = ? AND syllables = ?",
        (before, *key),
    ).fetchone()
    weight, count, last_use = old or (0.0, 0, clock)
    connection.execute(
        "INSERT OR REPLACE INTO choices VALUES (?, ?, ?, ?, ?, ?, ?)",
        (before, *key, decayed(weight, clock - last_use) + 1.0, count + 1, clock, generation),
    )
    return ["choices", before, *key, clock, None if old is None else list(old)]


def take_back(
    connection: sqlite3.Connection,
    table: str,
    *,
    key: Sequence[str],
    old: Sequence[Any] | None,
    learned_at: int,
    generation: int,
) -> None:
    """Undo one step; of a row that has changed since, only what the step had added."""
    names = ("before", "text", "syllables") if table == "choices" else ("text", "syllables")
    where = " AND ".join(f"{name} = ?" for name in names)
    now = connection.execute(
        f"SELECT weight, count, last_use FROM {table} WHERE {where}", key
    ).fetchone()
    if now is None:
        return
    weight, count, last_use = now
    if last_use != learned_at:
        weight, count = max(weight - 1.0, 0.0), max(count - 1, 0)
        connection.execute(
            f"UPDATE {table} SET weight = ?, count = ?, changed = ? WHERE {where}",
            (weight, count, generation, *key),
        )
        return
    if old is None:
        connection.execute(f"DELETE FROM {table} WHERE {where}", key)
        next_value(connection, "epoch")
        return
    assigned = "weight = ?, count = ?, last_use = ?"
    if table == "words":
        assigned += ", source = ?"
    connection.execute(
        f"UPDATE {table} SET {assigned}, changed = ? WHERE {where}", (*old, generation, *key)
    )


def drop_faded(connection: sqlite3.Connection, clock: int) -> None:
    """Drop what was only learned and counts next to nothing."""
    for table, condition in (
        ("words", "source IN ('learned', 'chosen') AND NOT is_forgotten"),
        ("choices", "1"),
    ):
        rows = connection.execute(
            f"SELECT rowid, weight, last_use FROM {table} WHERE {condition}"
        ).fetchall()
        faded = [
            (row,)
            for row, weight, last_use in rows
            if decayed(weight, clock - last_use) < _MIN_WEIGHT
        ]
        connection.executemany(f"DELETE FROM {table} WHERE rowid = ?", faded)
        if faded:
            next_value(connection, "epoch")
