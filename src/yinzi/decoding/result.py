"""Read texts out of a finished search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from yinzi.decoding.beam import Beam, BeamOptions
from yinzi.decoding.fusion import PathScores
from yinzi.decoding.lattice import Lattice
from yinzi.language_model import WordModel
from yinzi.lexicon import Lexicon
from yinzi.pinyin import SyllableGraph

__all__ = ["Decoding", "Hypothesis"]

_TRAILING_BLANKS = re.compile(r"[^\S\n\r]+\Z")
"""White space between a literal and pinyin is a border like any other; line breaks stay."""


@dataclass(frozen=True)
class Hypothesis:
    """One text for a whole input.

    Attributes:
        text: hanzi, with literals in their places.
        logprob: natural log, penalties included.
        syllables: toneless, one a hanzi; a literal is one item, as it stands.
        nodes: its words and literals in the lattice, in order.
    """

    text: str
    logprob: float
    syllables: tuple[str, ...]
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class Decoding:
    """The result of a search over the graphs of one or more lines.

    Attributes:
        graphs: one a line.
        lattice: what was searched.
        beam: what was found.
        options: width and weights of the search.
        lexicon: words of the lattice.
        language_model: the model of the search.
        words: the lattice before a neural model left words out; the same one without a model.
        path_beam: the search that proposed paths to the model, None where there was none.
        path_scores: what the model said, None without one.
    """

    graphs: Sequence[SyllableGraph]
    lattice: Lattice
    beam: Beam
    options: BeamOptions
    lexicon: Lexicon
    language_model: WordModel
    words: Lattice
    path_beam: Beam | None = None
    path_scores: PathScores | None = None

    def hypotheses(self, line: int, n_best: int) -> list[Hypothesis]:
        """Return the likeliest texts of a line, the best first; none for an empty line.

        At most `beam_width` are known. All are different: a text that can be cut into words in
        several ways counts once, with the best. Equal scores keep the order of the beam. A
        forgotten word is no text for a whole line, be it put together of single hanzi.
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
            logprob[spelled] += np.float32(weight) * self._end_logprobs[line, spelled]
        order = filled[np.argsort(-logprob[filled], kind="stable")]
        _, best_of_text = np.unique(self.beam.text_hash[position, order], return_index=True)
        order = order[np.sort(best_of_text)]
        found = self._read(line, position, order[:n_best], logprob)
        user = self.lattice.user
        forgotten = user.forgotten if user is not None else frozenset()
        texts = {hypothesis.text for hypothesis in found}
        if len(texts) < len(found) or any((one.text, one.syllables) in forgotten for one in found):
            # The hash does not tell that two literals side by side are the text of one.
            by_text: dict[str, Hypothesis] = {}
            for hypothesis in self._read(line, position, order, logprob):
                if (hypothesis.text, hypothesis.syllables) not in forgotten:
                    by_text.setdefault(hypothesis.text, hypothesis)
            found = list(by_text.values())[:n_best]
        return found

    @cached_property
    def _end_logprobs(self) -> NDArray[np.float32]:
        """The sentence end behind each hypothesis, float32 [n_lines, beam_width], natural log.

        Asked for all lines at once: for each by itself it would cost a fifth of the search.
        """
        at = self.lattice.offsets[: len(self.graphs)] + [graph.n for graph in self.graphs]
        model = self.language_model
        eos = np.full((len(at), 1), model.eos_id, dtype=np.int32)
        return model.logprobs(self.beam.first[at], self.beam.second[at], eos)

    def _read(
        self,
        line: int,
        position: int,
        order: NDArray[np.intp],
        logprob: NDArray[np.float32],
    ) -> list[Hypothesis]:
        paths = [self.beam.path(position, int(place)) for place in order]
        nodes = np.array([node for path in paths for node in path], dtype=np.int64)
        texts = iter(self.lattice.texts(nodes, self.lexicon))
        return [
            self._hypothesis(line, path, [next(texts) for _ in path], float(logprob[place]))
            for path, place in zip(paths, order, strict=True)
        ]

    def _hypothesis(
        self, line: int, nodes: list[int], words: list[str], logprob: float
    ) -> Hypothesis:
        graph, offset = self.graphs[line], int(self.lattice.offsets[line])
        texts: list[str] = []
        syllables: list[str] = []
        for node, word, after in zip(nodes, words, [*nodes[1:], None], strict=True):
            if self.lattice.is_literal[node]:
                start, end = self.lattice.start[node] - offset, self.lattice.end[node] - offset
                literal = graph.text[start:end]
                if after is None:
                    literal = literal.rstrip()
                elif not self.lattice.is_literal[after]:
                    literal = _TRAILING_BLANKS.sub("", literal)
                texts.append(literal)
                syllables.append(literal)
            else:
                texts.append(word)
                syllables += self.lattice.spell(node, self.lexicon)
        return Hypothesis("".join(texts), logprob, tuple(syllables), tuple(nodes))
