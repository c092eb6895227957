"""Decide what a commit teaches: which words were used, and which are new.

Nothing here touches the file; `UserLexicon` stores what these functions return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from yinzi.text import is_hanzi
from yinzi.user.records import CommittedPart, WordSource

__all__ = ["LearnedWord", "cut_parts", "learned_words"]

MAX_LEARNED_LENGTH: Final = 8
"""Hanzi of the longest word made of committed parts."""
MAX_RUN_LENGTH: Final = 4
"""Hanzi of the longest word found within a longer input: names and terms, not phrases."""

Cut = Callable[[str], Sequence[str]]
"""Cuts a run of hanzi into words."""


@dataclass(frozen=True)
class LearnedWord:
    """A word that was used.

    Attributes:
        text: hanzi.
        syllables: toneless, one a hanzi.
        before: the word before it, "" at the start of a sentence, None if that is not to be
            counted.
        source: `LEARNED` for a new word made of parts, else `CHOSEN`.
        was_first: it stood in a candidate that came first.
    """

    text: str
    syllables: tuple[str, ...]
    before: str | None
    source: WordSource
    was_first: bool


def cut_parts(
    parts: Sequence[CommittedPart],
    cut: Cut | None,
    is_own_word: Callable[[str, tuple[str, ...]], bool],
) -> list[LearnedWord | None]:
    """Cut what was committed into words; None stands for text that is no hanzi.

    Args:
        parts: in the order of the text.
        cut: cuts hanzi into words; without it a part is a word.
        is_own_word: tells the user's own words: neighbours that form one are joined.
    """
    words: list[LearnedWord | None] = []
    for part in parts:
        is_plain = len(part.text) == len(part.syllables) and all(map(is_hanzi, part.text))
        if not part.text or not is_plain:
            words.append(None)
            continue
        texts = [part.text] if cut is None else _joined(part, cut(part.text), is_own_word)
        start = 0
        for text in texts:
            syllables = part.syllables[start : start + len(text)]
            words.append(
                LearnedWord(text, syllables, None, WordSource.CHOSEN, part.was_first_candidate)
            )
            start += len(text)
    return words


def _joined(
    part: CommittedPart,
    texts: Sequence[str],
    is_own_word: Callable[[str, tuple[str, ...]], bool],
) -> list[str]:
    """Join neighbours that are one of the user's own words, the longest first."""
    joined: list[str] = []
    at = start = 0
    while at < len(texts):
        last = at + 1
        for end in range(len(texts), at + 1, -1):
            text = "".join(texts[at:end])
            if is_own_word(text, part.syllables[start : start + len(text)]):
                last = end
                break
        joined.append("".join(texts[at:last]))
        start += len(joined[-1])
        at = last
    return joined


def learned_words(
    words: Sequence[LearnedWord | None], before: str, *, n_parts: int
) -> list[LearnedWord]:
    """Return the words that were used, each with the one before it, then the new ones.

    New is what was put together of several parts: the whole input, if it has 2 to 8 hanzi. Within
    other inputs it is each run of 2 to 4 words of one hanzi of which one had to be looked for.

    Args:
        words: of one input, from `cut_parts`.
        before: the word before the input, "" for none.
        n_parts: parts that the input was committed in.
    """
    used: list[LearnedWord] = []
    for word in words:
        if word is None:
            before = ""
        else:
            used.append(replace(word, before=before))
            before = word.text
    return [*used, *_new_words(words, n_parts)]


def _new_words(words: Sequence[LearnedWord | None], n_parts: int) -> list[LearnedWord]:
    plain = [word for word in words if word is not None]
    n_hanzi = sum(len(word.text) for word in plain)
    if n_parts > 1 and len(plain) == len(words) > 1 and n_hanzi <= MAX_LEARNED_LENGTH:
        return [_join(plain)]
    new: list[LearnedWord] = []
    run: list[LearnedWord] = []
    for word in [*words, None]:
        if word is not None and len(word.text) == 1:
            run.append(word)
            continue
        is_sought = not all(single.was_first for single in run)
        if 2 <= len(run) <= MAX_RUN_LENGTH and is_sought:
            new.append(_join(run))
        run = []
    return new


def _join(words: Sequence[LearnedWord]) -> LearnedWord:
    text = "".join(word.text for word in words)
    syllables = tuple(syllable for word in words for syllable in word.syllables)
    return LearnedWord(text, syllables, None, WordSource.LEARNED, was_first=False)
