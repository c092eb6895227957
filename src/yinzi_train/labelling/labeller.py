"""Label text with readings: words first, then the polyphones among their hanzi.

Everything works on blocks of many texts at once: one segmentation, one gather of word readings, one
run of the network, one decision. pypinyin reads about 85 thousand hanzi a second and g2pM 20
thousand; this reads several hundred thousand on one core, with the same result as the same rules
applied sentence by sentence (the tests hold that twin).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.artifact import Artifact
from yinzi.language_model import read_language_model
from yinzi.lexicon import Lexicon, ragged_arange
from yinzi.text import hanzi_mask
from yinzi_train.labelling.decision import DecisionOptions, Decisions, decide
from yinzi_train.labelling.labels import Labels
from yinzi_train.labelling.network import PolyphoneNetwork
from yinzi_train.labelling.network_files import NetworkFiles, read_network_files
from yinzi_train.labelling.readings import PolyphoneTable, WordReadings, hanzi_readings

__all__ = ["RULES_VERSION", "Labeller"]

RULES_VERSION: Final = 1
"""Raised whenever the rules give other labels for the same data."""
CHARACTERS_PER_BLOCK: Final = 1 << 20
PASSAGE_LENGTH: Final = 512
"""Longest text the network reads at once; longer ones are cut, as each step waits for the last."""
_RUN_LENGTH: Final = 64  # the segmenter cuts longer runs, so they are cut here, where order is kept


class Labeller:
    """Give every hanzi of a text its syllable and tone.

    Tones are those of the dictionary: 一 and 不 and third tones are written without sandhi. Erhua
    儿 is the syllable ``er``.

    Args:
        lexicon: words and their main readings.
        word_logprobs: float32 [n_words or more], natural log probabilities of the words.
        options: how the annotators are weighed.
        files: the network and its tables; by default those of the installed g2pM.

    Attributes:
        name: of this way of labelling.
        version: of its rules and of all the data behind it; the same version gives the same labels.

    Thread safety: labelling is safe from many threads.

    Raises:
        MissingExtra: g2pM is not installed.
    """

    name: Final = "words+g2pM"

    def __init__(
        self,
        lexicon: Lexicon,
        word_logprobs: NDArray[np.float32],
        options: DecisionOptions | None = None,
        *,
        files: NetworkFiles | None = None,
    ) -> None:
        files = files or read_network_files()
        self.options = options or DecisionOptions()
        self.segmenter = lexicon.segmenter(word_logprobs[: lexicon.n_words])
        self.network = PolyphoneNetwork(files)
        self._common, particles = hanzi_readings(files)
        self.polyphones = PolyphoneTable(files, lexicon, share_floor=self.options.share_floor)
        self.words = WordReadings(lexicon, self.polyphones.rows >= 0, particles)
        content = hashlib.sha256(self.words.digest)
        content.update(word_logprobs[: lexicon.n_words].astype("<f4").tobytes())
        content.update(repr(self.options).encode())
        packages = (f"{name}-{importlib.metadata.version(name)}" for name in ("pypinyin", "g2pM"))
        self.version = " ".join([str(RULES_VERSION), *packages, content.hexdigest()[:8]])

    @classmethod
    def from_artifact(cls, artifact: Artifact, options: DecisionOptions | None = None) -> Labeller:
        """Build a labeller from the lexicon and the word probabilities of an artifact."""
        model = read_language_model(artifact)
        return cls(Lexicon(artifact.arrays("lexicon")), model.unigram_logprobs, options)

    def label(self, texts: Sequence[str]) -> Labels:
        """Label texts; what is no hanzi is context only.

        A text may be of any length and contain anything, but sentences are best: the network reads
        a text from end to end, in passages of 512 characters if it is longer.
        """
        return Labels.concatenate([self._label_block(block) for block in _blocks(texts)])

    def _label_block(self, texts: Sequence[str]) -> Labels:
        codes = np.frombuffer("\n".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        starts = np.cumsum(lengths + 1) - (lengths + 1)
        is_hanzi = hanzi_mask(codes)
        position = np.flatnonzero(is_hanzi)  # of each hanzi
        edges = np.flatnonzero(np.diff(is_hanzi, prepend=False, append=False))
        run_starts, run_lengths = edges[::2], np.diff(edges)[::2]

        readings, evidence = self._read_words(codes, run_starts, run_lengths)
        hanzi = codes[position]
        missing = np.flatnonzero(readings < 0)
        readings[missing] = self._common[hanzi[missing]]
        doubtful = np.zeros(len(hanzi), dtype=np.bool_)
        doubtful[missing] = True
        targets = np.flatnonzero(self.polyphones.rows[hanzi] >= 0)
        passages = _cut(starts, lengths, PASSAGE_LENGTH)
        decisions = self._decide_polyphones(
            hanzi[targets],
            self.network.hidden(codes, *passages, position[targets]),
            word_readings=readings[targets],
            evidence=evidence[targets],
        )
        readings[targets] = decisions.readings
        doubtful[targets] |= decisions.doubtful
        return Labels(
            hanzi=hanzi.astype(np.uint32),
            offsets=np.searchsorted(position, np.append(starts, len(codes))),
            syllables=readings >> 3,
            tones=np.where(readings < 0, 0, readings & 7).astype(np.int8),
            doubtful=doubtful,
            run_lengths=run_lengths.astype(np.int32),
            run_offsets=np.searchsorted(run_starts, np.append(starts, len(codes))),
        )

    def _read_words(
        self,
        codes: NDArray[np.uint32],
        run_starts: NDArray[np.int64],
        run_lengths: NDArray[np.int64],
    ) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
        """Return reading and `Evidence` of each hanzi, in the order of the text."""
        first = np.cumsum(run_lengths) - run_lengths  # of each run, among the hanzi
        starts, lengths = _cut(run_starts, run_lengths, _RUN_LENGTH)
        first, _ = _cut(first, run_lengths, _RUN_LENGTH)
        order = np.argsort(lengths, kind="stable")  # the order in which the segmenter answers
        word_ids, _ = self.segmenter.segment(codes, starts, lengths)
        at, _ = ragged_arange(self.words.first[word_ids], self.words.lengths[word_ids])
        place, _ = ragged_arange(first[order], lengths[order])
        readings = np.empty(len(at), dtype=np.int16)
        readings[place] = self.words.readings[at]
        evidence = np.empty(len(at), dtype=np.int8)
        evidence[place] = self.words.evidence[at]
        return readings, evidence

    def _decide_polyphones(
        self,
        hanzi: NDArray[np.uint32],
        hidden: NDArray[np.float32],
        *,
        word_readings: NDArray[np.int16],
        evidence: NDArray[np.int8],
    ) -> Decisions:
        rows = self.polyphones.rows[hanzi]
        return decide(
            self.network.logits(hidden, self.polyphones.classes[rows]),
            self.polyphones.readings[rows],
            log_shares=self.polyphones.log_shares[rows],
            word_readings=word_readings,
            evidence=evidence,
            options=self.options,
        )


def _cut(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut stretches into pieces of at most so many positions; empty ones are left out."""
    piece, owner = ragged_arange(np.zeros(len(lengths), np.int64), -(-lengths // longest))
    offset = piece * longest
    return starts[owner] + offset, np.minimum(longest, lengths[owner] - offset)


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a list of texts into parts of about a million characters."""
    first = n_characters = 0
    for index, text in enumerate(texts):
        n_characters += len(text) + 1
        if n_characters >= CHARACTERS_PER_BLOCK:
            yield texts[first : index + 1]
            first, n_characters = index + 1, 0
    if first < len(texts):
        yield texts[first:]
