"""Count and number the pairs of syllable and hanzi: what an encoder chooses from.

Pairs are sorted by syllable, then by falling count, then by code point, so the hanzi that a
syllable or a prefix can stand for are one range of pair ids, likely ones first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.pinyin import SYLLABLES
from yinzi.scoring.pair_table import CODE_BITS, CODE_MASK, PairTable, pair_keys
from yinzi_train.dataset.augmentation_rows import hanzi_codes

__all__ = ["PairVocabulary"]

_FORMAT_VERSION: Final = 1


class PairVocabulary(PairTable):
    """Pairs of syllable and hanzi, counted in text; in a syllable the counts fall."""

    @classmethod
    def from_tables(cls, tables: Iterable[pa.Table], *, min_count: int = 1) -> PairVocabulary:
        """Count labelled rows, given table by table; columns hanzi and syllables.

        >>> rows = pa.table({"hanzi": ["中种中"], "syllables": [[0, 0, 0]]})
        >>> PairVocabulary.from_tables([rows]).texts()
        ['中', '种']

        Raises:
            ConfigError: a row has other than one syllable a hanzi.
        """
        keys = np.zeros(0, dtype=np.int64)
        counts = np.zeros(0, dtype=np.int64)
        for table in tables:
            codes = hanzi_codes(table.column("hanzi").to_pylist())
            ids = pa.chunked_array(table.column("syllables")).combine_chunks().flatten()
            if len(ids) != len(codes):
                raise ConfigError(
                    f"rows have {len(codes)} hanzi and {len(ids)} syllables: expected one each"
                )
            found = pair_keys(ids.to_numpy(zero_copy_only=False), codes)
            new, n_new = np.unique(found, return_counts=True)
            keys, inverse = np.unique(np.concatenate((keys, new)), return_inverse=True)
            counts = np.bincount(
                inverse, weights=np.concatenate((counts, n_new)), minlength=len(keys)
            ).astype(np.int64)
        kept = counts >= min_count
        keys, counts = keys[kept], counts[kept]
        order = np.lexsort((keys & CODE_MASK, -counts, keys >> CODE_BITS))
        return cls(
            (keys[order] >> CODE_BITS).astype(np.int16),
            (keys[order] & CODE_MASK).astype(np.uint32),
            counts[order],
        )

    @cached_property
    def hanzi_counts(self) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
        """The distinct hanzi, rising; the count of each; and for each pair its index there."""
        codes, index = np.unique(self.hanzi, return_inverse=True)
        totals = np.bincount(index, weights=self.counts, minlength=len(codes)).astype(np.int64)
        return codes, totals, index

    @cached_property
    def reading_shares(self) -> NDArray[np.float64]:
        """float64 [n_pairs]: how much of the use of its hanzi has this reading."""
        _, totals, index = self.hanzi_counts
        return self.counts / np.maximum(totals[index], 1)

    def distinct_hanzi(self) -> list[str]:
        """Return every hanzi once, frequent ones first: what an `InputVocabulary` is given."""
        codes, totals, _ = self.hanzi_counts
        return [chr(code) for code in codes[np.lexsort((codes, -totals))]]

    def save(self, path: Path) -> None:
        """Write the pairs as JSON: for each syllable its hanzi and their counts."""
        starts = self.starts.tolist()
        texts, counts = "".join(self.texts()), self.counts.tolist()
        content = {
            "format_version": _FORMAT_VERSION,
            "pairs": {
                syllable: [texts[low:high], counts[low:high]]
                for syllable, low, high in zip(SYLLABLES, starts, starts[1:], strict=False)
                if low < high
            },
        }
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> PairVocabulary:
        """Read pairs that `save` has written.

        Raises:
            ConfigError: the file cannot be read, or has syllables that this version lacks.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format_version"] != _FORMAT_VERSION:
                raise ConfigError(
                    f"pair vocabulary {str(path)!r} has format {content['format_version']!r}: "
                    f"expected {_FORMAT_VERSION}"
                )
            pairs = content["pairs"]
            ids = [SYLLABLES.index(syllable) for syllable in pairs]
            lengths = [len(text) for text, _ in pairs.values()]
            hanzi = hanzi_codes([text for text, _ in pairs.values()])
            counts = [count for _, values in pairs.values() for count in values]
            if len(hanzi) != len(counts) or ids != sorted(ids):
                raise ConfigError(f"pair vocabulary {str(path)!r} is damaged: write it again")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"cannot read the pair vocabulary {str(path)!r}: {error}") from error
        return cls(
            np.repeat(np.array(ids, dtype=np.int16), lengths),
            hanzi,
            np.array(counts, dtype=np.int64),
        )
