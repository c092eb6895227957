"""Convert an input while it is typed, letter by letter."""

from __future__ import annotations

from collections.abc import Callable

from yinzi.converter.candidate import Candidate, check_count, sentence_candidates
from yinzi.converter.late_results import LatePolicy
from yinzi.converter.output import OutputForm
from yinzi.decoding import Decoder, Decoding
from yinzi.pinyin import FULL_PINYIN, InputScheme, SyllableGraph

__all__ = ["Typing"]


class Typing:
    """An input that changes letter by letter; work on unchanged letters is kept.

    With a `LatePolicy`, `update` answers from the language model alone, and `late_update` brings in
    the neural model when there is time, without moving what is shown already.

    Not safe from many threads: one object a typist.

    >>> import yinzi
    >>> typing = yinzi.load().type_keys()
    >>> [typing.update("nihao"[:n])[0].text for n in (2, 5)]
    ['你', '你好']
    """

    def __init__(
        self,
        decoder: Decoder,
        left_context: str,
        *,
        scheme: InputScheme = FULL_PINYIN,
        late_policy: LatePolicy | None = None,
        output: OutputForm | None = None,
    ) -> None:
        self._decoder = decoder
        self._scheme = scheme
        self._output = output
        self._left_context = left_context
        if output is not None:
            left_context = output.read_context(left_context)
        self._context = decoder.left_context(left_context)
        self._late_policy = late_policy
        self._decoding: Decoding | None = None
        self._shown: list[Candidate] = []
        self._limit = 0

    def update(self, pinyin: str, *, n_best: int = 5, limit: int = 100) -> list[Candidate]:
        """Return the candidates for the input as it is now; see `Converter.candidates`."""
        check_count("n_best", n_best)
        check_count("limit", limit)
        decoder, context = self._decoder, self._context
        uses_scorer = self._late_policy is None
        graph = SyllableGraph.from_text(pinyin, decoder.options.graph, scheme=self._scheme)
        if self._decoding is None:
            decoding = decoder.decode([graph], [context], uses_scorer=uses_scorer)
        else:
            decoding = decoder.extend(self._decoding, graph, context, uses_scorer=uses_scorer)
        self._decoding = decoding
        candidates = sentence_candidates(decoding, 0, min(n_best, limit))
        seen = {candidate.text for candidate in candidates}
        words = decoder.prefix_words(graph, context, limit=limit, path_scores=decoding.path_scores)
        for word in words:
            if word.text not in seen and len(candidates) < limit:
                candidates.append(
                    Candidate(
                        word.text, word.logprob, graph.start, word.end, "word", word.syllables
                    )
                )
        self._shown, self._limit = candidates, limit
        return self._written()

    def late_update(self, *, has_moved: bool = False) -> list[Candidate]:
        """Return the candidates of the last update, with what the neural model adds to them.

        At most one text for the whole input is added or lifted; the order of all others stays. The
        list is as it was if there is no late policy, no neural model, or nothing better.

        Args:
            has_moved: the typist has moved the highlight or turned the page since the last update:
                nothing may change any more.
        """
        if self._late_policy is None or has_moved:
            return self._written()
        late = self._question()()
        if late is not None:
            self._shown = self._late_policy.merge(self._shown, late, limit=self._limit)
        return self._written()

    def later(self) -> Callable[[], Candidate | None]:
        """Return a question to the neural model about the input as it is now.

        The function may be called from another thread, while letters go on coming here. It returns
        the text that the model prefers for the whole input, None if there is none.
        """
        question, output, context = self._question(), self._output, self._left_context

        def ask() -> Candidate | None:
            late = question()
            if late is None or output is None:
                return late
            return output.apply([late], left_context=context, limit=1)[0]

        return ask

    def _question(self) -> Callable[[], Candidate | None]:
        decoder, decoding, context = self._decoder, self._decoding, self._context
        if decoding is None:
            return lambda: None
        return lambda: next(
            iter(sentence_candidates(decoder.fuse(decoding, [context]), 0, 1)), None
        )

    def _written(self) -> list[Candidate]:
        """Return what is shown in the form of the output."""
        if self._output is None:
            return list(self._shown)
        return self._output.apply(self._shown, left_context=self._left_context, limit=self._limit)
