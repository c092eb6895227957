"""Cut a line that is typed in keys other than the letters of pinyin: what is a key, what is text.

The rules are those of `yinzi.pinyin.reading` as far as they make sense for keys: white space and
apostrophes are borders, a tone ends a stretch, everything that is no key passes through. A
`KeyReader` gets the rest as a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from yinzi.pinyin.reading import Piece, Span, border_pieces, join_pieces

__all__ = ["TONE_DIGIT", "KeyReader"]

TONE_DIGIT = r"(?P<tone>[0-5](?!\.?[0-9]|[\ufe0f\u20e3]))"
"""A digit that can be a tone: none of a number such as 100 or 3.5, and no keycap."""

_TONE_SIGNS = "ˉˊˇˋ˙"
_TONES = {"0": 5} | {str(tone): tone for tone in range(1, 6)}
_TONES |= {sign: tone for tone, sign in enumerate(_TONE_SIGNS, start=1)}
_NEUTRAL_SIGN = "˙"


@dataclass(frozen=True)
class KeyReader:
    """Read a line by a pattern of keys; call it with the line.

    Attributes:
        token: matches at every place of any text; groups `word` (a run of keys; a neutral tone
            sign may lead it), `tone` (a digit or sign behind keys), `border`; the rest is literal.
        takes_tone: tells whether a tone may follow some keys of one stretch.
        has_blank_tone: a blank behind a syllable without a tone is the first tone, if there is a
            tone anywhere in the line; else the typist leaves tones out.
    """

    token: re.Pattern[str]
    takes_tone: Callable[[str], bool]
    has_blank_tone: bool = False

    def __call__(self, text: str) -> tuple[int, list[Span]]:
        """Return where the first span starts, and all spans; see `read_spans`."""
        pieces: list[Piece] = []
        for token in self.token.finditer(text):
            start, end = token.span()
            before = pieces[-1] if pieces and pieces[-1].letters else None
            if token.lastgroup == "word":
                pieces.append(_read_word(token.group(), start))
            elif token.lastgroup == "border":
                pieces.extend(border_pieces(text, start, end, is_first=not pieces))
            elif token.lastgroup == "tone" and before and self._can_end(before):
                tone = _TONES[token.group()]
                positions = (*before.positions[:-1], end)
                pieces[-1] = before._replace(positions=positions, final_tone=tone)
            else:
                pieces.append(Piece((start, end)))
        if self.has_blank_tone and any(piece.final_tone or piece.tones for piece in pieces):
            for index in range(1, len(pieces)):
                before, border = pieces[index - 1], pieces[index]
                blank = text[border.positions[0] : border.positions[-1]]
                is_blank = border.is_border and blank[:1].isspace()
                if is_blank and not before.tones and before.letters and self._can_end(before):
                    pieces[index - 1] = before._replace(final_tone=1)
        return join_pieces(pieces, text)

    def _can_end(self, piece: Piece) -> bool:
        return not piece.final_tone and self.takes_tone(piece.letters)


def _read_word(word: str, start: int) -> Piece:
    """Return the keys of a run in lower case; upper case behind the first one makes it literal."""
    end = start + len(word)
    if any(key.isupper() for key in word[1:]):
        return Piece((start, end))
    if word[0] == _NEUTRAL_SIGN:
        positions = (start, *range(start + 2, end + 1))
        return Piece(positions, word[1:], (5, *[0] * (len(word) - 2)))
    return Piece(tuple(range(start, end + 1)), word.lower())
