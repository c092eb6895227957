"""Build the graph of all readings of a typed line: each path is one way to split it.

The graph decides nothing that a language model could decide better. It only drops edges that no
good path uses, by a forward and a backward pass over each stretch of letters (linear time).
Penalties add up along a path and stretches follow one another, so the best path of the line is made
of the best paths of its stretches, and short stretches can be solved once and kept: segmented
pinyin is mostly looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yinzi.pinyin.edges import Edge, EdgeKind, EdgeSource, GraphOptions, Proposal
from yinzi.pinyin.reading import Stretch
from yinzi.pinyin.scheme import FULL_PINYIN, InputScheme

__all__ = ["DEFAULT_OPTIONS", "GraphArrays", "SyllableGraph"]

DEFAULT_OPTIONS = GraphOptions()

_MAX_KEPT_LETTERS = 24  # longer stretches are rarely seen twice, and would fill the memory
_UNREACHED = float("-inf")
_ROUNDING = 1e-6  # sums of penalties along two paths may differ by this much and still be equal

_Row = tuple[int, int, int, int, EdgeKind, float, int]


class GraphArrays(NamedTuple):
    """The edges of a graph as read-only arrays [n_edges], in the order of `SyllableGraph.edges`.

    Attributes:
        start: int32, position in the text.
        end: int32, position in the text.
        syllable_lo: int16, first syllable id, -1 for a literal.
        syllable_hi: int16, one past the last syllable id, -1 for a literal.
        logprob: float32, penalty ≤ 0, natural log.
        tone: int8, 1 to 5, 0 for any.
        kind: int8, value of `EdgeKind`.
    """

    start: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    syllable_lo: npt.NDArray[np.int16]
    syllable_hi: npt.NDArray[np.int16]
    logprob: npt.NDArray[np.float32]
    tone: npt.NDArray[np.int8]
    kind: npt.NDArray[np.int8]


class SyllableGraph:
    """All readings of a typed line as edges between positions of the text.

    Make one with `from_text`; it never changes after that, and threads may share it.

    Attributes:
        text: the line as given, not normalised; positions count its characters.
        n: its length; every path ends there.
        start: where every path starts: after borders at the front of the line.
    """

    def __init__(self, text: str, start: int, rows: Iterable[_Row]) -> None:
        self.text = text
        self.n = len(text)
        self.start = start
        self._rows = tuple(rows)

    @classmethod
    def from_text(
        cls,
        text: str,
        options: GraphOptions = DEFAULT_OPTIONS,
        *,
        scheme: InputScheme = FULL_PINYIN,
    ) -> SyllableGraph:
        """Return the graph of any text; the scheme says what is pinyin in it.

        Every text has at least one path, and the edges of each path re-join to the text from
        `start` on. A text of borders only, or an empty one, has no edges and one empty path. There
        is no limit on length; time grows linearly, and stays under a second for 10,000 letters.

        >>> graph = SyllableGraph.from_text("xian")
        >>> [[graph.text[edge.start : edge.end] for edge in path] for path in graph.paths()]
        [['xi', 'an'], ['xian']]
        """
        start, spans = scheme.read(text)
        rows: list[_Row] = []
        for positions, stretch in spans:
            if stretch is None:
                rows.append((positions[0], positions[-1], -1, -1, EdgeKind.LITERAL, 0.0, 0))
                continue
            solve = _solve_kept if len(stretch.letters) <= _MAX_KEPT_LETTERS else _solve
            rows.extend(
                (positions[first], positions[last], low, high, kind, logprob, tone)
                for first, last, low, high, kind, logprob, tone in solve(
                    stretch, options, scheme.sources
                )
            )
        return cls(text, start, rows)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, sorted by end, start, first syllable id, then kind."""
        return tuple(Edge(*row) for row in self._rows)

    @cached_property
    def _by_end(self) -> dict[int, tuple[Edge, ...]]:
        return _group((edge.end, edge) for edge in self.edges)

    @cached_property
    def _by_start(self) -> dict[int, tuple[Edge, ...]]:
        return _group((edge.start, edge) for edge in self.edges)

    @cached_property
    def _arrays(self) -> GraphArrays:
        columns = tuple(zip(*self._rows, strict=True)) if self._rows else ((),) * 7
        start, end, low, high, kind, logprob, tone = columns
        arrays = GraphArrays(
            np.array(start, dtype=np.int32),
            np.array(end, dtype=np.int32),
            np.array(low, dtype=np.int16),
            np.array(high, dtype=np.int16),
            np.array(logprob, dtype=np.float32),
            np.array(tone, dtype=np.int8),
            np.array(kind, dtype=np.int8),
        )
        for array in arrays:
            array.flags.writeable = False
        return arrays

    def incoming(self, end: int) -> tuple[Edge, ...]:
        """Return the edges that end at a position, in the order of `edges`, none where none ends.

        >>> [edge.start for edge in SyllableGraph.from_text("xian").incoming(4)]
        [0, 2]
        """
        return self._by_end.get(end, ())

    def outgoing(self, start: int) -> tuple[Edge, ...]:
        """Return the edges that start at a position, in the order of `edges`.

        >>> [edge.end for edge in SyllableGraph.from_text("xian").outgoing(0)]
        [2, 4]
        """
        return self._by_start.get(start, ())

    def arrays(self) -> GraphArrays:
        """Return the edges as arrays, made once and shared by all callers.

        >>> SyllableGraph.from_text("xian").arrays().end.tolist()
        [2, 4, 4]
        """
        return self._arrays

    def paths(self) -> Iterator[tuple[Edge, ...]]:
        """Yield every path from `start` to the end, one at a time, shorter first edges first.

        Their number can grow exponentially with the text; no order by penalty is promised.

        >>> sum(1 for _ in SyllableGraph.from_text("xianxian").paths())
        4
        """
        if self.start == self.n:
            yield ()
            return
        path: list[Edge] = []
        branches = [iter(self.outgoing(self.start))]
        while branches:
            edge = next(branches[-1], None)
            if edge is None:
                branches.pop()
                if path:
                    path.pop()
            elif edge.end == self.n:
                yield (*path, edge)
            else:
                path.append(edge)
                branches.append(iter(self.outgoing(edge.end)))

    def __repr__(self) -> str:
        return f"SyllableGraph({self.text!r}, {len(self._rows)} edges)"


def _group(pairs: Iterable[tuple[int, Edge]]) -> dict[int, tuple[Edge, ...]]:
    groups: dict[int, list[Edge]] = {}
    for position, edge in pairs:
        groups.setdefault(position, []).append(edge)
    return {position: tuple(edges) for position, edges in groups.items()}


def _solve(
    stretch: Stretch, options: GraphOptions, sources: tuple[EdgeSource, ...]
) -> tuple[Proposal, ...]:
    """Return the edges of one stretch on paths within the slack, sorted as in the graph.

    What stays of the letters as typed does not depend on typing errors. Those, and what is needed
    beside them, are added in a second round.
    """
    n_letters = len(stretch.letters)
    proposals = [edge for source in sources for edge in source(stretch, options)]
    errors = [edge for edge in proposals if edge.kind is EdgeKind.TYPO]
    if errors:
        proposals = [edge for edge in proposals if edge.kind is not EdgeKind.TYPO]
    singles = {edge.first for edge in proposals if edge.last == edge.first + 1}
    for first in range(n_letters):
        if first not in singles:  # so that every letter can be passed one way or another
            literal = options.literal_logprob
            proposals.append(Proposal(first, first + 1, -1, -1, EdgeKind.LITERAL, literal, 0))
    proposals.sort(key=lambda edge: edge.first)

    logprobs = [edge.logprob for edge in proposals]
    is_abbreviated = _best_from_start(proposals, logprobs, n_letters)[-1] < options.tail_logprob
    costs = _pruning_costs(proposals, options)
    slack = options.abbreviated_slack if is_abbreviated else options.slack
    kept = set(_within(proposals, costs, n_letters, slack))
    if errors:
        proposals = sorted((*proposals, *errors), key=lambda edge: edge.first)
        costs = _pruning_costs(proposals, options)
        kept.update(_within(proposals, costs, n_letters, options.slack))
    return tuple(
        sorted(kept, key=lambda edge: (edge.last, edge.first, edge.syllable_lo, edge.kind))
    )


def _pruning_costs(proposals: list[Proposal], options: GraphOptions) -> list[float]:
    """Return what counts for pruning, see `GraphOptions.slack`."""
    spelled: dict[tuple[int, int], float] = {}  # the cheapest reading as typed of some letters
    if any(edge.kind is EdgeKind.FUZZY for edge in proposals):
        for edge in proposals:
            if edge.kind not in (EdgeKind.FUZZY, EdgeKind.TYPO):
                span = edge.first, edge.last
                spelled[span] = max(edge.logprob, spelled.get(span, _UNREACHED))
    costs = []
    for edge in proposals:
        cost = edge.logprob
        if edge.kind is EdgeKind.INITIAL and edge.last - edge.first == 2:
            cost += options.initial_logprob
        elif edge.kind is EdgeKind.FUZZY:
            cost = max(cost, spelled.get((edge.first, edge.last), cost))
        elif edge.kind is EdgeKind.TYPO:
            cost = max(cost, options.typo_cost)
        costs.append(cost)
    return costs


def _within(
    proposals: list[Proposal], costs: list[float], n_letters: int, slack: float
) -> Iterator[Proposal]:
    """Yield the edges on paths that cost at most the slack more than the best one."""
    forward = _best_from_start(proposals, costs, n_letters)
    backward = [_UNREACHED] * n_letters + [0.0]
    for edge, cost in zip(reversed(proposals), reversed(costs), strict=True):
        rest = cost + backward[edge.last]
        backward[edge.first] = max(backward[edge.first], rest)
    worst = forward[-1] - slack - _ROUNDING
    for edge, cost in zip(proposals, costs, strict=True):
        if forward[edge.first] + cost + backward[edge.last] >= worst:
            yield edge


def _best_from_start(proposals: list[Proposal], costs: list[float], n_letters: int) -> list[float]:
    """Return the best sum of costs of a path from the first letter to each border of letters.

    The proposals come sorted by their first letter.
    """
    best = [0.0] + [_UNREACHED] * n_letters
    for edge, cost in zip(proposals, costs, strict=True):
        reached = best[edge.first] + cost
        best[edge.last] = max(best[edge.last], reached)
    return best


_solve_kept = lru_cache(maxsize=4096)(_solve)
