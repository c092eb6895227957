"""Put a converter behind a session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from yinzi.converter import Candidate, Converter, LatePolicy, Typing
from yinzi.errors import InvalidPinyin
from yinzi.pinyin import SyllableGraph, syllable_id

__all__ = ["ConverterEngine"]

_MAX_CONTEXTS: Final = 4
"""Left contexts whose unfinished work is kept: of a partial selection and its undoing."""

_PASSED_THROUGH: Final = -1000.0
"""Penalty of letters that pass through: any reading goes before."""


class ConverterEngine:
    """Offer what a converter offers; work on unchanged letters is kept.

    Not safe from many threads: one object a session. A late question may run in another thread.
    """

    def __init__(
        self,
        converter: Converter,
        *,
        has_late_results: bool = True,
        n_best: int = 5,
        limit: int = 100,
    ) -> None:
        """Wrap a converter.

        Args:
            converter: what answers.
            has_late_results: candidates come from the language model at once, and the neural
                model, where there is one, answers late questions. If not, every key waits for it.
            n_best: texts for the whole input at most.
            limit: candidates in all at most.
        """
        self._converter = converter
        has_scorer = converter.decoder.scorer is not None
        self._late_policy = LatePolicy() if has_late_results and has_scorer else None
        self._n_best, self._limit = n_best, limit
        self._typings: OrderedDict[str, Typing] = OrderedDict()
        self._asked = ("", "")

    def warm_up(self) -> None:
        """Make now what is made when first asked for, so that no key has to wait for it."""
        self.candidates("nihao", "我们")
        ask = self.late_question("nihao", "我们")
        if ask is not None:
            ask()
        self.next_words("我们", 1)
        self.drop_work()

    def candidates(self, letters: str, left_context: str) -> Sequence[Candidate]:
        """Return sentences for all letters, then words for the first ones."""
        typing = self._typings.pop(left_context, None)
        if typing is None:
            typing = self._converter.type_keys(
                left_context=left_context, late_policy=self._late_policy
            )
        self._typings[left_context] = typing
        if len(self._typings) > _MAX_CONTEXTS:
            self._typings.popitem(last=False)
        self._asked = (letters, left_context)
        return typing.update(letters, n_best=self._n_best, limit=self._limit)

    def split(self, letters: str, candidate: Candidate) -> Sequence[int]:
        """Return where the syllables of a candidate end in the letters, by the graph.

        Of several ways the likeliest is taken. One end comes where no way fits, as for a text that
        was not converted from these letters.
        """
        graph = self._converter.graph(letters)
        ends = _split(graph, candidate)
        return (candidate.end,) if ends is None else ends

    def late_question(
        self, letters: str, left_context: str
    ) -> Callable[[], Candidate | None] | None:
        """Return a question to the neural model; None without one."""
        if self._late_policy is None or left_context not in self._typings:
            return None
        if self._asked != (letters, left_context):  # a list shown again, without asking
            self.candidates(letters, left_context)
        return self._typings[left_context].later()

    def next_words(self, left_context: str, n: int) -> Sequence[Candidate]:
        """Return likely next words by the language model."""
        return self._converter.next_words(left_context, n=n)

    def drop_work(self) -> None:
        """Begin every input anew; a user's words in the converter may have changed."""
        self._typings.clear()


def _split(graph: SyllableGraph, candidate: Candidate) -> tuple[int, ...] | None:
    """Return the ends of the likeliest path that reads a candidate's syllables, if there is one."""
    reached: dict[int, tuple[float, tuple[int, ...]]] = {candidate.start: (0.0, ())}
    for syllable in candidate.syllables:
        further: dict[int, tuple[float, tuple[int, ...]]] = {}
        for place, (logprob, ends) in reached.items():
            for end, of_edge in _readings(graph, place, syllable):
                total = logprob + of_edge
                if end <= candidate.end and (end not in further or further[end][0] < total):
                    further[end] = (total, (*ends, end))
        reached = further
    found = reached.get(candidate.end)
    return None if found is None else found[1]


def _readings(graph: SyllableGraph, place: int, syllable: str) -> Iterator[tuple[int, float]]:
    """Yield where letters from a place end that stand for a syllable, and their penalties."""
    try:
        number = syllable_id(syllable)
    except InvalidPinyin:
        number = -2  # in no range, and not what literals have
    for edge in graph.outgoing(place):
        if edge.syllable_lo <= number < edge.syllable_hi:
            yield edge.end, edge.logprob
    if graph.text.startswith(syllable, place):  # passed through, perhaps as several edges
        end = place + len(syllable)
        while end < len(graph.text) and not graph.incoming(end):
            end += 1
        yield end, _PASSED_THROUGH
