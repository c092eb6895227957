"""Remember choices in memory, in front of any engine: the plainest learner there is.

It knows whole inputs and the parts they were chosen in, no more; nothing is written to disk. Tests
and demonstrations use it, and it shows what a learner has to keep to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from yinzi.converter.candidate import Candidate
from yinzi.session.effects import CommittedPart
from yinzi.session.engine import SessionEngine

__all__ = ["RememberingEngine"]


class _Memory(NamedTuple):
    """What is remembered; replaced as a whole, so that one step back is exact.

    Attributes:
        chosen: texts by their letters, the last chosen first.
        forgotten: pairs of letters and text that are not offered.
    """

    chosen: dict[str, tuple[CommittedPart, ...]]
    forgotten: frozenset[tuple[str, str]]


class RememberingEngine:
    """Offer what was chosen for the same letters before anything else, and nothing forgotten.

    It is engine and learner in one.

    Attributes:
        engine: what stands behind it; may be changed.
    """

    def __init__(self, engine: SessionEngine) -> None:
        self.engine = engine
        self._memory = _Memory({}, frozenset())
        self._before: _Memory | None = None

    def learn(self, parts: Sequence[CommittedPart], left_context: str) -> None:
        """Remember each part, and all of them as one text."""
        self._before = self._memory
        chosen, forgotten = dict(self._memory.chosen), set(self._memory.forgotten)
        whole = CommittedPart(
            "".join(part.text for part in parts),
            tuple(syllable for part in parts for syllable in part.syllables),
            "".join(part.letters for part in parts),
            all(part.was_first_candidate for part in parts),
        )
        for part in dict.fromkeys((*parts, whole)):
            letters = _plain(part.letters)
            if not letters:
                continue
            forgotten.discard((letters, part.text))
            others = (one for one in chosen.get(letters, ()) if one.text != part.text)
            chosen[letters] = (part, *others)
        self._memory = _Memory(chosen, frozenset(forgotten))

    def unlearn(self, parts: Sequence[CommittedPart], left_context: str) -> None:
        """Go back to what was known before the last `learn`."""
        if self._before is not None:
            self._memory, self._before = self._before, None

    def forget(self, part: CommittedPart, left_context: str) -> bool:
        """Offer a text no more for its letters, not even in front of further ones."""
        letters = _plain(part.letters)
        chosen = dict(self._memory.chosen)
        chosen[letters] = tuple(one for one in chosen.get(letters, ()) if one.text != part.text)
        forgotten = self._memory.forgotten | {(letters, part.text)}
        self._memory, self._before = _Memory(chosen, forgotten), None
        return True

    def candidates(self, letters: str, left_context: str) -> Sequence[Candidate]:
        """Return what was chosen for these letters, then what the engine offers."""
        offered = [
            candidate
            for candidate in self.engine.candidates(letters, left_context)
            if self._is_allowed(letters, candidate)
        ]
        best = offered[0].logprob if offered else 0.0
        chosen = [
            Candidate(part.text, best, 0, len(letters), "sentence", part.syllables)
            for part in self._memory.chosen.get(_plain(letters), ())
        ]
        texts = {candidate.text for candidate in chosen}
        return [*chosen, *(one for one in offered if one.text not in texts)]

    def split(self, letters: str, candidate: Candidate) -> Sequence[int]:
        """Return what the engine says."""
        return self.engine.split(letters, candidate)

    def late_question(
        self, letters: str, left_context: str
    ) -> Callable[[], Candidate | None] | None:
        """Return the engine's question; a forgotten answer is none."""
        ask = self.engine.late_question(letters, left_context)
        if ask is None:
            return None

        def ask_and_check() -> Candidate | None:
            answer = ask()
            return answer if answer is not None and self._is_allowed(letters, answer) else None

        return ask_and_check

    def next_words(self, left_context: str, n: int) -> Sequence[Candidate]:
        """Return what the engine suggests."""
        return self.engine.next_words(left_context, n)

    def drop_work(self) -> None:
        """Let the engine do so."""
        self.engine.drop_work()

    def _is_allowed(self, letters: str, candidate: Candidate) -> bool:
        consumed = _plain(letters[: candidate.end])
        return (consumed, candidate.text) not in self._memory.forgotten


def _plain(letters: str) -> str:
    """Return letters without borders: xi'an chosen once is chosen for xian too."""
    return letters.replace("'", "").replace(" ", "")
