"""Open the SQLite file of a user lexicon so that nothing ends up lost or overwritten.

SQLite in WAL mode: a process that is killed at any moment leaves a file that opens, and what was
committed stays. Several processes may share it: each change takes the write lock first, and waits
for it. A file that is no user lexicon or is damaged is renamed and kept.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final

from yinzi.errors import UserLexiconError

__all__ = ["Database"]

logger = logging.getLogger(__name__)

FORMAT_VERSION: Final = 1
_BUSY_MS: Final = 2_000
"""How long a change waits for another process; one change takes a few milliseconds."""
_SCHEMA: Final = (
    """CREATE TABLE words (
        text TEXT NOT NULL, syllables TEXT NOT NULL, weight REAL NOT NULL, count INTEGER NOT NULL,
        last_use INTEGER NOT NULL, source TEXT NOT NULL, is_forgotten INTEGER NOT NULL,
        changed INTEGER NOT NULL, PRIMARY KEY (text, syllables))""",
    "CREATE INDEX words_changed ON words (changed)",
    """CREATE TABLE choices (
        before TEXT NOT NULL, text TEXT NOT NULL, syllables TEXT NOT NULL, weight REAL NOT NULL,
        count INTEGER NOT NULL, last_use INTEGER NOT NULL, changed INTEGER NOT NULL,
        PRIMARY KEY (before, text, syllables))""",
    "CREATE INDEX choices_changed ON choices (changed)",
    """CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT, writer TEXT NOT NULL,
        steps TEXT NOT NULL)""",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "INSERT INTO counters VALUES ('clock', 0), ('generation', 0), ('epoch', 0)",
    f"PRAGMA user_version = {FORMAT_VERSION}",
)


class Database:
    """One connection to the file; safe from many threads, which take turns.

    Attributes:
        path: the file.
        is_read_only: nothing can be written.
        set_aside: where a damaged file was kept, None if there was none.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self.path = path
        self.is_read_only = is_read_only
        self.set_aside: Path | None = None
        self._lock = RLock()
        if is_read_only and not path.is_file():
            raise UserLexiconError(
                f"no user lexicon {str(path)!r}: it is made when the first word is added or "
                "learned (`yinzi user add`); or give another path"
            )
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) or is_read_only:
                raise self._told(error) from error
            self.set_aside = self._keep_aside(error)
            try:
                self._connection = self._open()
            except sqlite3.DatabaseError as second:
                raise self._told(second) from second

    def _open(self) -> sqlite3.Connection:
        if not self.is_read_only:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserLexiconError(
                    f"cannot make the folder {str(self.path.parent)!r} of the user lexicon: "
                    f"{error.strerror}; set YINZI_HOME to a folder that can be written"
                ) from error
        mode = "ro" if self.is_read_only else "rwc"
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT_VERSION:
            raise UserLexiconError(
                f"user lexicon {str(self.path)!r} has format {version}, this yinzi knows up to "
                f"{FORMAT_VERSION}: use a later yinzi, or another path"
            )
        if not self.is_read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing; a power cut may lose the last commits, never more.
            connection.execute("PRAGMA synchronous = NORMAL")
            if version == 0:
                self._create(connection)
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its pages do not fit together")
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        missing = {"words", "choices", "journal", "counters"} - tables
        if missing:
            raise sqlite3.DatabaseError(f"it has no table {sorted(missing)[0]!r}")

    @staticmethod
    def _create(connection: sqlite3.Connection) -> None:
        """Make the tables, unless another process has made them since."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    raise sqlite3.DatabaseError("it is another program's database")
                for statement in _SCHEMA:
                    connection.execute(statement)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _keep_aside(self, error: sqlite3.DatabaseError) -> Path:
        """Rename a damaged file, and what belongs to it, to the first number that is free."""
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        try:
            self.path.rename(kept)
            for ending in ("-wal", "-shm"):
                beside = self.path.with_name(self.path.name + ending)
                if beside.exists():
                    beside.rename(kept.with_name(kept.name + ending))
        except OSError as failure:
            raise UserLexiconError(
                f"user lexicon {str(self.path)!r} is damaged ({error}) and cannot be renamed: "
                f"{failure.strerror}; move it away by hand"
            ) from failure
        logger.warning(
            "user lexicon %r is damaged (%s): it is kept as %r, and a new one was begun",
            str(self.path),
            error,
            str(kept),
        )
        return kept

    def _told(self, error: sqlite3.Error) -> UserLexiconError:
        """Return the error that a caller gets for one of SQLite."""
        text = str(error)
        if "locked" in text or "busy" in text:
            advice = "another program is writing to it; try again when it is done"
        elif "readonly" in text or "unable to open" in text:
            advice = "check that the folder exists and can be written, or set YINZI_HOME to another"
        elif "full" in text:
            advice = "free some space"
        else:
            advice = "export what can be read, and move the file away"
        return UserLexiconError(f"user lexicon {str(self.path)!r}: {text}; {advice}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection with one state of the file for all reads.

        Raises:
            UserLexiconError: it cannot be read.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection with the write lock; what is done counts as a whole or not at all.

        Raises:
            UserLexiconError: it cannot be written, or is locked for longer than two seconds.
        """
        if self.is_read_only:
            raise UserLexiconError(
                f"user lexicon {str(self.path)!r} was opened read-only: nothing can be stored"
            )
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute(begin)
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._told(error) from error

    def counter(self, name: str) -> int:
        """Return a counter: clock, generation or epoch."""
        with self._lock:
            try:
                row: Any = self._connection.execute(
                    "SELECT value FROM counters WHERE name = ?", (name,)
                ).fetchone()
            except sqlite3.Error as error:
                raise self._told(error) from error
        return int(row[0])

    def compact(self) -> None:
        """Give the room of deleted rows back, so that nothing of them stays in the file.

        Raises:
            UserLexiconError: another process is using the file.
        """
        with self._lock:
            try:
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise self._told(error) from error

    def close(self) -> None:
        """Close the file; the object is of no further use."""
        with self._lock:
            self._connection.close()
