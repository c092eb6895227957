"""Search a lattice for its likeliest texts: a beam per position, all lines of a batch in step.

A hypothesis is a text up to a position with its last two words. At each position every word that
ends there is joined to every hypothesis where it starts, [n_words, beam_width] at a time; the best
stay. Two of the same text with the same last two words have the same future, so only the better one
stays. Two ways to cut one text whose last words differ both stay, as the next word may turn the
tables; they are merged when texts are read out. (Merging them here as well costs .0017 of MIU
accuracy @1 on development sets, and an unlimited beam would not find the best text.)
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.lattice import Lattice
from yinzi.decoding.text_hash import TextHash
from yinzi.errors import ConfigError
from yinzi.language_model import AffinityWeights, WordModel, twins
from yinzi.lexicon import ragged_arange
from yinzi.user.features import PREVIOUS

__all__ = ["Beam", "BeamOptions", "search"]

_SPARE: Final = 3
"""Joined hypotheses looked at per place in the beam, before equal ones are merged."""
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_AFFINITY_WEIGHTS: Final = tuple(one.name for one in fields(AffinityWeights))


@dataclass(frozen=True)
class BeamOptions(AffinityWeights):
    """How wide to search, and what counts how much; word vectors as in `AffinityWeights`.

    Attributes:
        beam_width: hypotheses kept at each position, 1 to 1000.
        word_logprob: natural log added for every word; below 0 prefers fewer, longer words.
        end_logprob_weight: weight ≥ 0 of the sentence end behind the last word; the unit of
            input is often, but not always, followed by punctuation.
        encoder_weight: weight ≥ 0 of what a neural model says, where there is one.
        prior_weight: weight of how frequent the hanzi are, where there is a neural model. Both
            models know that already, so it is below 0: what counts is how much more likely the
            context makes a hanzi (as in Variani et al. 2020, arXiv 2003.07705).
    """

    beam_width: int = 20
    word_logprob: float = 0.0
    end_logprob_weight: float = 1.0
    encoder_weight: float = 0.35
    prior_weight: float = -0.05

    def __post_init__(self) -> None:
        if not 1 <= self.beam_width <= 1000:
            raise ConfigError(f"beam_width is {self.beam_width}: expected 1 to 1000")

    @property
    def affinity(self) -> AffinityWeights:
        """What word vectors count."""
        return AffinityWeights(*(getattr(self, name) for name in _AFFINITY_WEIGHTS))


@dataclass
class Beam:
    """Hypotheses by position; all arrays [n_positions, beam_width], the best first.

    Attributes:
        logprob: float32, natural log, -inf for an empty place.
        first: int32, the last word but one, -1 for none.
        second: int32, the last word.
        text_hash: uint64, equal for equal texts.
        node: int32, lattice node of the last word.
        back: int32, place of the hypothesis before, ``position * beam_width + place``.
        contexts: what the language model knows of the last two words; see `WordModel`.
    """

    logprob: NDArray[np.float32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    text_hash: NDArray[np.uint64]
    node: NDArray[np.int32]
    back: NDArray[np.int32]
    contexts: Any

    @classmethod
    def empty(cls, n_positions: int, beam_width: int, language_model: WordModel) -> Beam:
        """Make room for hypotheses."""
        shape = (n_positions, beam_width)
        return cls(
            np.full(shape, -np.inf, dtype=np.float32),
            np.full(shape, -1, dtype=np.int32),
            np.zeros(shape, dtype=np.int32),
            np.zeros(shape, dtype=np.uint64),
            np.full(shape, -1, dtype=np.int32),
            np.full(shape, -1, dtype=np.int32),
            language_model.empty_contexts(shape),
        )

    def start(
        self,
        positions: NDArray[np.int64],
        words: NDArray[np.int32],
        language_model: WordModel,
    ) -> None:
        """Put the one hypothesis that has read nothing at some positions.

        Args:
            positions: [n].
            words: int32 [n, 2], the last two words before each.
            language_model: scores words after them.
        """
        self.logprob[positions, 0] = 0.0
        self.first[positions], self.second[positions] = words[:, :1], words[:, 1:]
        self.contexts[positions] = language_model.contexts(words[:, :1], words[:, 1:])

    def copy_positions(self, other: Beam, n_positions: int) -> None:
        """Take over the first positions of another beam."""
        for name in ("logprob", "first", "second", "text_hash", "node", "back", "contexts"):
            getattr(self, name)[:n_positions] = getattr(other, name)[:n_positions]

    def path(self, position: int, place: int) -> list[int]:
        """Follow a hypothesis back: its lattice nodes in order."""
        nodes: list[int] = []
        width = self.logprob.shape[1]
        while self.back[position, place] >= 0:
            nodes.append(int(self.node[position, place]))
            position, place = divmod(int(self.back[position, place]), width)
        return nodes[::-1]


def search(
    lattice: Lattice,
    beam: Beam,
    language_model: WordModel,
    text_hash: TextHash,
    *,
    options: BeamOptions,
    first_position: int = 0,
    lines: NDArray[np.bool_] | None = None,
) -> None:
    """Fill the beam at every position where words of the lattice end.

    Args:
        lattice: words of one or more lines.
        beam: start hypotheses are in place; filled here.
        language_model: scores words after words.
        text_hash: tells equal texts.
        options: width and weights.
        first_position: positions before it are filled already.
        lines: bool [n_lines], lines to search; None searches all.
    """
    n_positions = int(lattice.offsets[-1])
    node_first = np.searchsorted(lattice.end, np.arange(n_positions + 1))
    n_ending = np.diff(node_first)
    position = np.flatnonzero(n_ending)
    position = position[position >= first_position]
    line = np.searchsorted(lattice.offsets, position, side="right") - 1
    if lines is not None:
        position = position[lines[line]]
        line = line[lines[line]]
    # Step t takes the t-th position of every line that has one.
    step = np.arange(len(position)) - np.searchsorted(line, line)
    order = np.argsort(step, kind="stable")
    bounds = np.searchsorted(step[order], np.arange(step.max(initial=-1) + 2))
    for low, high in pairwise(bounds.tolist()):
        _advance(
            beam,
            lattice,
            position[order[low:high]],
            language_model=language_model,
            text_hash=text_hash,
            node_first=node_first,
            n_ending=n_ending,
            options=options,
        )


def _advance(
    beam: Beam,
    lattice: Lattice,
    positions: NDArray[np.int64],
    *,
    language_model: WordModel,
    text_hash: TextHash,
    node_first: NDArray[np.int64],
    n_ending: NDArray[np.int64],
    options: BeamOptions,
) -> None:
    """Fill the beam at one position of each line."""
    width = options.beam_width
    n_nodes = n_ending[positions]
    nodes, _ = ragged_arange(node_first[positions], n_nodes)
    starts = lattice.start[nodes]
    total, of_pairs = language_model.scores_after(
        beam.contexts, lattice.word[nodes], starts, options.affinity
    )
    if lattice.user is not None:
        of_user = np.flatnonzero(lattice.user_row[nodes] >= 0)
        total[of_user] += lattice.inner_logprob[nodes[of_user], None]
        total[of_user] += lattice.user_logprob(
            nodes[of_user], total[of_user], beam.second[starts[of_user]]
        )
    total += of_pairs
    del of_pairs  # as large as `total`
    total += beam.logprob[starts]
    of_node = lattice.logprob[nodes] + np.float32(options.word_logprob) * lattice.n_words[nodes]
    of_node += np.float32(options.encoder_weight) * lattice.encoder_logprob[nodes]
    of_node += np.float32(options.prior_weight) * lattice.prior_logprob[nodes]
    total += of_node[:, None]
    flat = total.ravel()
    n_spare = _SPARE * width
    best = np.zeros((len(positions), n_spare), dtype=np.int64)
    best_logprob = np.full((len(positions), n_spare), -np.inf, dtype=np.float32)
    ends = np.cumsum(n_nodes) * width
    for index, end in enumerate(ends.tolist()):
        first = end - int(n_nodes[index]) * width
        here = flat[first:end]
        if len(here) > n_spare:
            top = np.argpartition(here, len(here) - n_spare)[len(here) - n_spare :]
        else:
            top = np.arange(len(here))
        # Ties go to the earlier node, whatever the partition left first.
        top = top[np.lexsort((top, -here[top]))]
        best[index, : len(top)] = top + first
        best_logprob[index, : len(top)] = here[top]
    node_row, place = np.divmod(best, width)
    node = nodes[node_row]  # [n_lines, n_spare]
    before = (lattice.start[node], place)
    first_word, last_word = beam.second[before], lattice.word[node]
    hashes = text_hash.extend(beam.text_hash[before], last_word)
    if lattice.is_literal[nodes].any():
        literal = lattice.is_literal[node]
        hashes[literal] = text_hash.extend_literal(
            beam.text_hash[before][literal],
            lattice.start[node][literal],
            lattice.end[node][literal],
        )
        first_word[literal], last_word[literal] = lattice.literal_context[node[literal]].T
    if lattice.user is not None:
        row, column = np.nonzero(lattice.is_shortcut[node])
        chosen = node[row, column]
        texts = [lattice.user.texts[of_word] for of_word in lattice.user_row[chosen].tolist()]
        hashes[row, column] = text_hash.extend_text(
            beam.text_hash[before[0][row, column], place[row, column]], texts
        )
        after = lattice.literal_context[chosen]
        first_word[row, column] = np.where(
            after[:, 0] == PREVIOUS, first_word[row, column], after[:, 0]
        )
        last_word[row, column] = after[:, 1]
    kept = best_logprob > -np.inf
    state = (first_word.astype(np.uint64) << np.uint64(32)) ^ last_word.astype(np.uint64)
    state ^= hashes * _MIX
    kept &= twins(state) == 0  # a hypothesis stays if no better one is equal
    slot = np.cumsum(kept, axis=1) - 1
    kept &= slot < width
    row, column = np.nonzero(kept)
    at = (positions[row], slot[row, column])
    chosen = node[row, column]
    before = (before[0][row, column], before[1][row, column])
    beam.logprob[at] = best_logprob[row, column]
    beam.first[at] = first_word[row, column]
    beam.second[at] = last_word[row, column]
    beam.text_hash[at] = hashes[row, column]
    beam.node[at] = chosen
    beam.back[at] = before[0] * width + before[1]
    beam.contexts[positions] = language_model.contexts(
        beam.first[positions], beam.second[positions]
    )
