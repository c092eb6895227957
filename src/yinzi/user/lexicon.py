"""Hold a user's words and choices: what was added, learned, imported and forgotten.

All of it is in one SQLite file on this machine. Weights decay by the number of words committed
since, not by days, so that nothing is lost over a holiday and the same text teaches the same.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from yinzi.errors import UserLexiconError
from yinzi.text import miu_spans
from yinzi.user.database import Database
from yinzi.user.learning import Cut, LearnedWord, cut_parts, learned_words
from yinzi.user.location import user_lexicon_path
from yinzi.user.records import (
    ADDED_WEIGHT,
    IMPORTED_WEIGHT,
    CommittedPart,
    UserWord,
    WordSource,
    check_word,
    decayed,
)
from yinzi.user.rows import (
    WORD_COLUMNS,
    count_choice,
    counter_value,
    drop_faded,
    find_word,
    next_value,
    put_word,
    read_word,
    take_back,
    word_fields,
)

__all__ = ["ChoiceRow", "UserChanges", "UserLexicon"]

_MAX_JOURNAL: Final = 200
"""Commits that can be undone."""
_TIDY_EVERY: Final = 2048
"""Committed words between two looks for what counts too little."""


class ChoiceRow(NamedTuple):
    """A word chosen after another one; fields as in `UserWord`."""

    before: str
    text: str
    syllables: str
    weight: float
    last_use: int


class UserChanges(NamedTuple):
    """What has changed since a generation.

    Attributes:
        epoch: grows when words were taken out: then all is to be read anew.
        generation: to ask with the next time.
        clock: words committed so far.
        words: new and changed ones.
        choices: new and changed ones.
    """

    epoch: int
    generation: int
    clock: int
    words: list[UserWord]
    choices: list[ChoiceRow]


class UserLexicon:
    """A user's words, kept in a file.

    Safe from many threads and for several processes with one file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     user = UserLexicon(Path(folder, "user.sqlite3"))
    ...     user.add("音字", ["yin", "zi"])
    ...     print([word.text for word in user.words()])
    ...     user.close()
    ['音字']

    Attributes:
        path: the file.
        is_private: while true, `learn` stores nothing; for password fields and the like.
        set_aside: where a damaged file was kept when this one was begun, or None.

    Raises:
        UserLexiconError: the file cannot be made, read or locked, or is of a later yinzi.
    """

    def __init__(self, path: str | Path | None = None, *, is_read_only: bool = False) -> None:
        """Open the file, or make it.

        Args:
            path: `user_lexicon_path` if not given.
            is_read_only: change nothing, not even to make the file.
        """
        self.path = user_lexicon_path() if path is None else Path(path)
        self.is_private = False
        self._database = Database(self.path, is_read_only=is_read_only)
        self.set_aside = self._database.set_aside
        self._writer = uuid.uuid4().hex

    # Words

    def add(self, text: str, syllables: Sequence[str], *, weight: float = ADDED_WEIGHT) -> None:
        """Add a word, or bring back a forgotten one.

        Args:
            text: 1 to 16 hanzi.
            syllables: toneless, one a hanzi.
            weight: commits that it counts for, above 0.

        Raises:
            UserLexiconError: it is no word, or cannot be stored.
        """
        self.add_all([(text, tuple(syllables), weight)], source=WordSource.ADDED)

    def add_all(
        self,
        rows: Iterable[tuple[str, tuple[str, ...], float]],
        *,
        source: WordSource = WordSource.IMPORTED,
    ) -> int:
        """Add many words with their weights, all or none; return how many were new.

        A word that is there keeps its use, and the larger weight. Imported words do not bring back
        what was forgotten.

        Raises:
            UserLexiconError: one of them is no word, or they cannot be stored.
        """
        checked = []
        for text, syllables, weight in rows:
            if not 0 < weight < float("inf"):
                raise UserLexiconError(f"the weight of {text!r} is {weight}: expected above 0")
            checked.append((*check_word(text, syllables), weight))
        n_new = 0
        with self._database.writing() as connection:
            generation, clock = (
                next_value(connection, "generation"),
                counter_value(connection, "clock"),
            )
            for text, spelled, weight in checked:
                key = (text, " ".join(spelled))
                old = find_word(connection, key)
                if old is None:
                    row = UserWord(text, spelled, weight, 0, clock, source)
                elif old.is_forgotten and source is not WordSource.ADDED:
                    continue
                else:
                    kept = max(weight, decayed(old.weight, clock - old.last_use))
                    is_own = old.source in (WordSource.ADDED, WordSource.LEARNED)
                    of_row = old.source if is_own and source is not WordSource.ADDED else source
                    row = UserWord(text, spelled, kept, old.count, clock, of_row)
                n_new += old is None or old.source is WordSource.CHOSEN or old.is_forgotten
                put_word(connection, row, generation)
        return n_new

    def forget(self, text: str, syllables: Sequence[str]) -> None:
        """Never offer a word again in this reading, be it the user's or built in.

        Raises:
            UserLexiconError: it has one hanzi only, is no word, or this cannot be stored.
        """
        text, spelled = check_word(text, syllables)
        if len(text) == 1:
            raise UserLexiconError(
                f"{text!r} cannot be forgotten: single hanzi stay, so that every text can be "
                "typed; forget words of two hanzi or more"
            )
        key = (text, " ".join(spelled))
        with self._database.writing() as connection:
            generation, clock = (
                next_value(connection, "generation"),
                counter_value(connection, "clock"),
            )
            old = find_word(connection, key)
            source = WordSource.CHOSEN if old is None else old.source
            put_word(connection, UserWord(text, spelled, 0.0, 0, clock, source, True), generation)
            connection.execute(
                "UPDATE choices SET weight = 0, count = 0, changed = ? "
                "WHERE text = ? AND syllables = ?",
                (generation, *key),
            )

    def restore(self, text: str, syllables: Sequence[str]) -> bool:
        """Offer a forgotten word again; False if it was not forgotten.

        A word of the user's own comes back as if it were imported: its use is gone.
        """
        text, spelled = check_word(text, syllables)
        with self._database.writing() as connection:
            old = find_word(connection, (text, " ".join(spelled)))
            if old is None or not old.is_forgotten:
                return False
            weight = 0.0 if old.source is WordSource.CHOSEN else IMPORTED_WEIGHT
            row = UserWord(text, spelled, weight, 0, old.last_use, old.source)
            put_word(connection, row, next_value(connection, "generation"))
        return True

    def words(self, *, with_chosen: bool = False) -> list[UserWord]:
        """Return the user's own words and the forgotten ones, by text.

        Args:
            with_chosen: also known words whose use is counted.
        """
        with self._database.reading() as connection:
            rows = connection.execute(f"SELECT {WORD_COLUMNS} FROM words ORDER BY text, syllables")
            found = [read_word(row) for row in rows]
        return [
            word
            for word in found
            if with_chosen or word.is_forgotten or word.source is not WordSource.CHOSEN
        ]

    def clear(self) -> None:
        """Delete everything, so that nothing of it stays in the file.

        Raises:
            UserLexiconError: it cannot be written, or another process is using it.
        """
        with self._database.writing() as connection:
            for table in ("words", "choices", "journal"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("UPDATE counters SET value = 0 WHERE name = 'clock'")
            next_value(connection, "generation")
            next_value(connection, "epoch")
        self._database.compact()

    # Learning

    def learn(
        self, words: Sequence[CommittedPart], left_context: str = "", *, cut: Cut | None = None
    ) -> None:
        """Learn from one input that was committed.

        Args:
            words: its parts, in the order of the text.
            left_context: the text before it.
            cut: cuts hanzi into words; without it each part counts as one word.

        Raises:
            UserLexiconError: it cannot be stored.
        """
        if self.is_private or not words:
            return
        with self._database.writing() as connection:

            def is_own_word(text: str, syllables: tuple[str, ...]) -> bool:
                found = find_word(connection, (text, " ".join(syllables)))
                return found is not None and not (
                    found.is_forgotten or found.source is WordSource.CHOSEN
                )

            pieces = cut_parts(words, cut, is_own_word)
            learned = learned_words(pieces, _last_word(left_context, cut), n_parts=len(words))
            if learned:
                self._store(connection, learned)

    def _store(self, connection: sqlite3.Connection, learned: Sequence[LearnedWord]) -> None:
        generation = next_value(connection, "generation")
        clock = counter_value(connection, "clock")
        before = clock
        steps: list[list[Any]] = []
        for word in learned:
            text, syllables = check_word(word.text, word.syllables)
            key = (text, " ".join(syllables))
            clock += 1
            old = find_word(connection, key)
            if old is not None and old.is_forgotten:
                continue
            steps.append(["words", *key, clock, None if old is None else word_fields(old)])
            if old is None:
                row = UserWord(text, syllables, 1.0, 1, clock, word.source)
            else:
                weight = decayed(old.weight, clock - old.last_use) + 1.0
                is_chosen = old.source is WordSource.CHOSEN
                source = word.source if is_chosen else old.source
                row = UserWord(text, syllables, weight, old.count + 1, clock, source)
            put_word(connection, row, generation)
            if word.before is not None:
                steps.append(count_choice(connection, word.before, key, clock, generation))
        connection.execute("UPDATE counters SET value = ? WHERE name = 'clock'", (clock,))
        connection.execute(
            "INSERT INTO journal (writer, steps) VALUES (?, ?)",
            (self._writer, json.dumps(steps, ensure_ascii=False)),
        )
        connection.execute(
            "DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?", (_MAX_JOURNAL,)
        )
        if before // _TIDY_EVERY != clock // _TIDY_EVERY:
            drop_faded(connection, clock)

    def unlearn(self) -> bool:
        """Take back the last `learn` of this object; False if there is none.

        What other processes learned of the same words since stays.

        Raises:
            UserLexiconError: it cannot be stored.
        """
        with self._database.writing() as connection:
            entry = connection.execute(
                "SELECT id, steps FROM journal WHERE writer = ? ORDER BY id DESC",
                (self._writer,),
            ).fetchone()
            if entry is None:
                return False
            number, steps = entry
            generation = next_value(connection, "generation")
            # A word that came twice has two steps: the later one is taken back first.
            for table, *key, learned_at, old in reversed(json.loads(steps)):
                take_back(
                    connection,
                    table,
                    key=key,
                    old=old,
                    learned_at=learned_at,
                    generation=generation,
                )
            connection.execute("DELETE FROM journal WHERE id = ?", (number,))
        return True

    # Reading, for the decoder

    def changes(self, epoch: int = -1, generation: int = -1) -> UserChanges | None:
        """Return what has changed since `changes` was asked last, None if nothing has.

        Args:
            epoch: of the last answer; -1 to read everything.
            generation: of the last answer.

        Raises:
            UserLexiconError: the file cannot be read.
        """
        if self._database.counter("generation") == generation:
            return None
        with self._database.reading() as connection:
            now = counter_value(connection, "epoch")
            since = generation if now == epoch else -1
            words = connection.execute(
                f"SELECT {WORD_COLUMNS} FROM words WHERE changed > ?", (since,)
            )
            found = [read_word(row) for row in words]
            choices = connection.execute(
                "SELECT before, text, syllables, weight, last_use FROM choices WHERE changed > ?",
                (since,),
            )
            return UserChanges(
                now,
                counter_value(connection, "generation"),
                counter_value(connection, "clock"),
                found,
                [ChoiceRow(*row) for row in choices],
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _last_word(left_context: str, cut: Cut | None) -> str:
    """Return the word that ends a text, "" if it does not end in hanzi."""
    spans = miu_spans(left_context[-64:])
    text = left_context[-64:]
    if cut is None or not spans or spans[-1][1] != len(text):
        return ""
    return cut(text[slice(*spans[-1])])[-1]
