"""Read texts out of a finished search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yinzi.decoding.beam import Beam, BeamOptions
from yinzi.decoding.lattice import Lattice
from yinzi.language_model import LanguageModel
from yinzi.lexicon import Lexicon
from yinzi.pinyin import SYLLABLES, SyllableGraph

__all__ = ["Decoding", "Hypothesis"]


@dataclass(frozen=True)
class Hypothesis:
    """One text for a whole input.

    Attributes:
        text: hanzi, with literals in their places.
        logprob: natural log, penalties included.
        syllables: toneless, one a hanzi; a literal is one item, as it stands.
    """

    text: str
    logprob: float
    syllables: tuple[str, ...]


@dataclass(frozen=True)
class Decoding:
    """The result of a search over the graphs of one or more lines."""

    graphs: Sequence[SyllableGraph]
    lattice: Lattice
    beam: Beam
    options: BeamOptions
    lexicon: Lexicon
    language_model: LanguageModel

    def hypotheses(self, line: int, n_best: int) -> list[Hypothesis]:
        """Return the likeliest texts of a line, the best first; none for an empty line.

        At most `beam_width` are known. Equal scores keep the order of the beam.
        """
        graph = self.graphs[line]
        position = int(self.lattice.offsets[line]) + graph.n
        logprob = self.beam.logprob[position].copy()
        filled = np.flatnonzero(np.isfinite(logprob) & (self.beam.back[position] >= 0))
        if not len(filled):
            return []
        weight = self.options.end_logprob_weight
        spelled = filled[~self.lattice.is_literal[self.beam.node[position, filled]]]
        if weight and len(spelled):
            end = self.language_model.logprobs(
                self.beam.first[position, spelled],
                self.beam.second[position, spelled],
                np.int32(self.language_model.eos_id) + np.zeros(len(spelled), np.int32),
            )
            logprob[spelled] += np.float32(weight) * end
        order = filled[np.argsort(-logprob[filled], kind="stable")][:n_best]
        return [
            self._hypothesis(line, position, int(place), float(logprob[place])) for place in order
        ]

    def _hypothesis(self, line: int, position: int, place: int, logprob: float) -> Hypothesis:
        graph, offset = self.graphs[line], int(self.lattice.offsets[line])
        texts: list[str] = []
        syllables: list[str] = []
        for node in self.beam.path(position, place):
            if self.lattice.is_literal[node]:
                start, end = self.lattice.start[node] - offset, self.lattice.end[node] - offset
                texts.append(graph.text[start:end])
                syllables.append(graph.text[start:end])
            else:
                texts.append(self.lexicon.text(int(self.lattice.word[node])))
                path = self.lexicon.node_syllables(int(self.lattice.trie_node[node]))
                syllables.extend(SYLLABLES[syllable] for syllable in path)
        return Hypothesis("".join(texts), logprob, tuple(syllables))
