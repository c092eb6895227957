"""Run `yinzi` with a converter that answers at once with made-up candidates.

The command line is tested for what it reads, writes and says; what is converted does not matter.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from yinzi.cli import loading
from yinzi.cli.main import main
from yinzi.errors import ArtifactError
from yinzi.pinyin import FULL_PINYIN, InputScheme


@dataclass(frozen=True)
class FakeCandidate:
    text: str
    logprob: float
    start: int
    end: int
    syllables: tuple[str, ...]


class FakeConverter:
    """Answer `ni` with `<ni>`, `<ni>2`, `<ni>3`, …; an empty line with nothing."""

    scheme = FULL_PINYIN

    def convert_batch(
        self, lines: Sequence[str], *, left_contexts: Sequence[str] | None = None, n_best: int = 5
    ) -> list[list[FakeCandidate]]:
        if "break" in lines:
            raise ZeroDivisionError("broken on purpose")
        contexts = left_contexts or [""] * len(lines)
        return [
            [
                FakeCandidate(
                    f"{context}<{line}>{rank if rank > 1 else ''}",
                    -1.5 * rank,
                    0,
                    len(line),
                    tuple(line.split()),
                )
                for rank in range(1, n_best + 1)
                if line
            ]
            for line, context in zip(lines, contexts, strict=True)
        ]

    def with_scheme(self, scheme: InputScheme) -> FakeConverter:
        """Put the name of the scheme before every text."""
        return self if scheme is FULL_PINYIN else _FakeWithScheme(scheme)

    def forgiving(
        self, *, fuzzy: Sequence[str] = (), corrects: bool = True, english: bool = False
    ) -> FakeConverter:
        return self

    def annotate(self, text: str) -> list[tuple[str, SimpleNamespace | None]]:
        """Read every hanzi as hao3."""
        return [(char, FAKE_SYLLABLE if "\u4e00" <= char <= "\u9fff" else None) for char in text]


class _FakeWithScheme(FakeConverter):
    def __init__(self, scheme: InputScheme) -> None:
        self.scheme = scheme

    def convert_batch(
        self, lines: Sequence[str], *, left_contexts: Sequence[str] | None = None, n_best: int = 5
    ) -> list[list[FakeCandidate]]:
        answers = super().convert_batch(lines, left_contexts=left_contexts, n_best=n_best)
        return [
            [replace(one, text=f"{self.scheme.name}:{one.text}") for one in row] for row in answers
        ]


FAKE_SYLLABLE = SimpleNamespace(
    to_marks=lambda: "hǎo", to_digits=lambda: "hao3", to_zhuyin=lambda: "ㄏㄠˇ"
)


def load_fake(artifact: str, *, no_encoder: bool = False) -> FakeConverter:
    if artifact != "base":
        raise ArtifactError(f"no artifact {artifact!r}")
    return FakeConverter()


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "load_converter", load_fake)
        main(sys.argv[1:])
