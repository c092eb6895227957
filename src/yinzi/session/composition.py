"""Edit the letters of an input, and choose texts for parts of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from yinzi.converter.candidate import Candidate
from yinzi.session.effects import CommittedPart
from yinzi.session.settings import SessionSettings
from yinzi.session.state import Selection

__all__ = [
    "Composition",
    "delete_letters",
    "insert_letter",
    "part_of",
    "single_character",
]

_BORDERS = "' "


class Composition(NamedTuple):
    """Letters and the place of the cursor in them."""

    letters: str
    cursor: int


def insert_letter(
    composition: Composition, character: str, settings: SessionSettings
) -> Composition | None:
    """Return the letters with one more at the cursor; None where it cannot stand.

    An upper-case letter begins an English word, which a blank parts from the pinyin before it; `'`
    ends the word with a blank. So `woyongUSB'chuan` becomes `woyong USB chuan`. One lower-case
    letter alone belongs to the English word, as in `iPhone`.

    >>> insert_letter(Composition("woyong", 6), "U", SessionSettings()).letters
    'woyong U'
    """
    letters, cursor = composition
    before, after = letters[:cursor], letters[cursor:]
    if character == "'" and character in settings.joining_keys:
        if not before or before[-1] in _BORDERS or after[:1] in {"'", " "}:
            return None
        if not _last_word(before).islower():
            character = " "
    elif character in settings.joining_keys and not before:
        return None
    elif character.isupper() and before and before[-1] not in _BORDERS:
        word = _last_word(before)
        is_english = len(word) == 1 or not word.islower()
        character = character if is_english else f" {character}"
    if len(letters) + len(character) > settings.max_letters:
        return None
    return Composition(before + character + after, cursor + len(character))


def delete_letters(composition: Composition, *, is_forward: bool) -> Composition | None:
    """Return the letters without the one before the cursor, or behind it; None if there is none.

    A blank goes together with the letter that brought it.

    >>> delete_letters(Composition("woyong U", 8), is_forward=False)
    Composition(letters='woyong', cursor=6)
    """
    letters, cursor = composition
    before, after = letters[:cursor], letters[cursor:]
    if not (after if is_forward else before):
        return None
    if is_forward:
        after = after[1:]
    else:
        deleted, before = before[-1], before[:-1]
        if deleted.isupper() and not after:
            before = before.rstrip(" ")
    if not before:
        after = after.lstrip(_BORDERS)
    return Composition(before + after, len(before))


def part_of(letters: str, candidate: Candidate, *, was_first_candidate: bool) -> Selection:
    """Choose a candidate for the letters that it consumes; borders behind them go along."""
    end = candidate.end
    while end < len(letters) and letters[end] in _BORDERS:
        end += 1
    consumed = letters[:end]
    part = CommittedPart(candidate.text, candidate.syllables, consumed, was_first_candidate)
    return Selection(part, consumed, letters[end:])


def single_character(
    letters: str, candidate: Candidate, splits: Sequence[int], place: int
) -> Selection | None:
    """Choose one character of a candidate, for all letters that the candidate consumes.

    The part to learn holds only the letters of that character.

    Args:
        letters: the input.
        candidate: a word, or a sentence.
        splits: where its syllables end in the letters.
        place: 0 for the first character, -1 for the last.

    Returns:
        None if the candidate is not one hanzi a syllable.
    """
    n_characters = len(candidate.text)
    if not n_characters or n_characters != len(candidate.syllables):
        return None
    whole = part_of(letters, candidate, was_first_candidate=False)
    starts = (candidate.start, *splits)
    own = ""
    if len(splits) == n_characters:
        index = place % n_characters
        own = letters[starts[index] : splits[index]]
    part = CommittedPart(candidate.text[place], (candidate.syllables[place],), own, False)
    return Selection(part, whole.letters, whole.rest)


def _last_word(before: str) -> str:
    """Return what letters have behind their last border."""
    return before.replace("'", " ").rsplit(" ", 1)[-1]
