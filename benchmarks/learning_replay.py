"""Measure what learning is worth: type a text in order, and learn the right text after each input.

    python -m benchmarks.learning_replay dev/domains.tsv --domain game --domain law --rows 200
    python -m benchmarks.learning_replay novel.txt --rows 300 --rename 叶成华=沐璟珩
    python -m benchmarks.learning_replay novel.txt --rows 300 --after lecture.txt

Each input is converted with a user lexicon that has seen what was typed before, and without one.
A right text among the first five is picked as one part; any other is put together word by word.
With `--after` the lexicon first learns another text in the same way and then learns nothing: the
wrong user. Texts that the models were trained on flatter both sides; `--rename` puts names into
them that no model has seen. TSV files are evaluation sets; other files are text, read by the
converter's annotation. Prints rows, the share that is right at once without and with learning, and
how many got better and worse.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yinzi
from yinzi.converter import Converter
from yinzi.evaluation.inputs import InputForm, typed_input
from yinzi.evaluation.rows import Row, read_rows
from yinzi.text import miu_spans
from yinzi.user import CommittedPart, UserLexicon
from yinzi.user.options import UserOptions

__all__ = ["ReplayReport", "main", "read_text_rows", "replay"]

N_BEST = 5
MOST_HANZI = 24
CONTEXT_HANZI = 16


@dataclass
class ReplayReport:
    """Counts of one replay; accuracy is of whole inputs."""

    name: str
    n_rows: int = 0
    n_right_without: int = 0
    n_right_with: int = 0
    n_better: int = 0
    n_worse: int = 0
    n_top5_without: int = 0
    n_top5_with: int = 0

    def count(self, row: Row, without: Sequence[str], with_user: Sequence[str]) -> None:
        """Add one input with its candidates."""
        was_right, is_right = without[:1] == [row.hanzi], with_user[:1] == [row.hanzi]
        self.n_rows += 1
        self.n_right_without += was_right
        self.n_right_with += is_right
        self.n_better += is_right and not was_right
        self.n_worse += was_right and not is_right
        self.n_top5_without += row.hanzi in without
        self.n_top5_with += row.hanzi in with_user

    def line(self) -> str:
        """Return the counts as one line."""
        n_rows = max(self.n_rows, 1)
        return (
            f"{self.name:<28} {self.n_rows:5d}  @1 {self.n_right_without / n_rows:.3f} -> "
            f"{self.n_right_with / n_rows:.3f}  @5 {self.n_top5_without / n_rows:.3f} -> "
            f"{self.n_top5_with / n_rows:.3f}  better {self.n_better:3d}  worse {self.n_worse:3d}"
        )


def read_text_rows(
    path: Path, converter: Converter, renamed: Sequence[tuple[str, str]] = ()
) -> list[Row]:
    """Return the runs of 2 to 24 hanzi of a text in order, with the reading of the converter."""
    rows: list[Row] = []
    text = path.read_text(encoding="utf-8")
    for old, new in renamed:
        text = text.replace(old, new)
    for number, line in enumerate(text.splitlines()):
        pairs = converter.annotate(line)
        for start, end in miu_spans(line):
            syllables = [syllable for _, syllable in pairs[start:end]]
            if not 2 <= end - start <= MOST_HANZI or None in syllables:
                continue
            pinyin = " ".join(syllable.toneless for syllable in syllables if syllable is not None)
            context = line[max(0, start - CONTEXT_HANZI) : start]
            rows.append(Row(f"{path.stem}.{number}", line[start:end], pinyin, context))
    return rows


def commit(converter: Converter, row: Row, candidates: Sequence[str]) -> None:
    """Learn the right text in the parts that a person would have picked it in."""
    if not row.is_aligned or converter.learner is None:
        return
    syllables = tuple(row.syllables)
    if row.hanzi in candidates:
        parts = [CommittedPart(row.hanzi, syllables, candidates[0] == row.hanzi)]
    else:
        best = candidates[0] if candidates else ""
        parts, start = [], 0
        for word in converter.cut(row.hanzi):
            end = start + len(word)
            is_right = best[start:end] == word
            parts.append(CommittedPart(word, syllables[start:end], is_right))
            start = end
    converter.learner.learn(parts, row.left_context)


def replay(
    converter: Converter,
    rows: Sequence[Row],
    *,
    name: str,
    form: InputForm,
    taught: Sequence[Row] = (),
) -> ReplayReport:
    """Type rows in order with and without learning.

    Args:
        converter: without a user lexicon.
        rows: in the order of the text.
        name: for the report.
        form: how the rows are typed.
        taught: text of another user; then nothing is learned from the rows themselves.
    """
    typed = [typed_input(row, form) for row in rows]
    contexts = [row.left_context for row in rows]
    plain = converter.convert_batch(typed, left_contexts=contexts, n_best=N_BEST)
    report = ReplayReport(name)
    with tempfile.TemporaryDirectory() as folder:
        user = UserLexicon(Path(folder, "user.sqlite3"))
        learning = converter.with_user(user)
        for row in taught:
            found = learning.convert(
                typed_input(row, form), left_context=row.left_context, n_best=N_BEST
            )
            commit(learning, row, [one.text for one in found])
        for row, line, without in zip(rows, typed, plain, strict=True):
            found = learning.convert(line, left_context=row.left_context, n_best=N_BEST)
            texts = [one.text for one in found]
            report.count(row, [one.text for one in without], texts)
            if not taught:
                commit(learning, row, texts)
        user.close()
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay the texts of a command line and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--domain", action="append", default=[], help="rows of this part of a set")
    parser.add_argument("--rows", type=int, default=300, help="rows of each text")
    parser.add_argument("--skip", type=int, default=0, help="rows left out at the start")
    parser.add_argument("--after", type=Path, help="text of another user to learn first")
    parser.add_argument("--after-domain", default="", help="part of that set")
    parser.add_argument(
        "--rename", action="append", default=[], help="OLD=NEW: a name that no model has seen"
    )
    parser.add_argument("--form", type=InputForm, default=InputForm.SEGMENTED)
    parser.add_argument("--no-encoder", action="store_true")
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE of UserOptions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    converter = yinzi.load(uses_encoder=not options.no_encoder)
    changed: dict[str, Any] = {
        name: float(value) for name, _, value in (one.partition("=") for one in options.option)
    }
    user_options = UserOptions(**changed)
    converter.decoder.options = replace(converter.decoder.options, user=user_options)

    renamed: list[tuple[str, str]] = [
        (old, new) for old, _, new in (pair.partition("=") for pair in options.rename)
    ]

    def rows_of(path: Path, domain: str) -> list[Row]:
        rows = (
            read_rows(path) if path.suffix == ".tsv" else read_text_rows(path, converter, renamed)
        )
        rows = [row for row in rows if not domain or row.domain == domain]
        return rows[options.skip : options.skip + options.rows]

    taught = rows_of(options.after, options.after_domain) if options.after else []
    reports = []
    for path in options.texts:
        for domain in options.domain or [""]:
            report = replay(
                converter,
                rows_of(path, domain),
                name=f"{path.stem} {domain}".strip(),
                form=options.form,
                taught=taught,
            )
            reports.append(report)
            print(json.dumps(asdict(report)) if options.json else report.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
