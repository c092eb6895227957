"""Count what is dropped, by reason, and keep a sample of it."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datatrove.data import Document

__all__ = ["DroppedRows", "sample_rank"]


def sample_rank(row_id: str) -> int:
    """Order rows as if by chance but always alike: the lowest ranks are the sample.

    >>> sample_rank("news:1") == sample_rank("news:1")
    True
    """
    return zlib.crc32(row_id.encode())


@dataclass
class DroppedRows:
    """Counts by reason, and the rows of lowest rank for each reason.

    One object is shared by all blocks of a pipeline: pickling the pipeline keeps it shared.

    Attributes:
        sample_rows: rows kept for each reason.
        counts: dropped rows by reason.
    """

    sample_rows: int = 100
    counts: Counter[str] = field(default_factory=Counter)
    _samples: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)

    def add(self, document: Document, reason: str) -> None:
        """Count a dropped row, and keep it if it belongs to the sample."""
        self.add_text(document.id, document.text, reason)

    def add_text(self, row_id: str, text: str, reason: str) -> None:
        """Count a dropped row given by id and text."""
        self.counts[reason] += 1
        heap = self._samples.setdefault(reason, [])
        item = (-sample_rank(row_id), row_id, text)
        if len(heap) < self.sample_rows:
            heapq.heappush(heap, item)
        elif heap and item > heap[0]:
            heapq.heapreplace(heap, item)

    def samples(self) -> dict[str, list[dict[str, Any]]]:
        """Return the sample by reason, sorted by rank.

        >>> dropped = DroppedRows(sample_rows=1)
        >>> dropped.add_text("news:1", "ab", "no_hanzi")
        >>> dropped.samples()
        {'no_hanzi': [{'id': 'news:1', 'text': 'ab', 'reason': 'no_hanzi'}]}
        """
        return {
            reason: [
                {"id": row_id, "text": text, "reason": reason}
                for _, row_id, text in sorted(heap, reverse=True)
            ]
            for reason, heap in sorted(self._samples.items())
        }
