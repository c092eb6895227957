"""Cut a typed line into stretches of pinyin letters and literal runs.

Rules, in the order they apply:

1. A word is a longest run of pinyin letters: a to z, ü and ê, with or without tone marks, composed
   or not. `u:` is ü after n and l, and after j, q, x and y where `e`, `a`, `n` or a tone digit
   follows. A letter with marks that pinyin does not have (ä, ç) is literal.
2. A word with upper case beyond its first letter (`NIHAO`, `iPhone`) is pinyin only if it splits
   into full syllables; else the whole word is literal.
3. A digit 0 to 5 directly after a full syllable without a tone mark is its tone and ends the
   stretch. Not so if another digit, or a point and a digit, follow: that is a number (`mai100`,
   `yao3.5`). m, n, ng, hm and hng take a digit only where they are the whole stretch.
4. White space and apostrophes (' and ’) between letters are borders of zero width. The positions of
   a span reach over the borders that follow it, so that spans re-join to the input.
5. Everything else is literal. Literal runs with nothing but borders between them are one run;
   apostrophes next to a literal belong to it (‘引’ keeps its quotes), white space before it belongs
   to the letters before it.
6. Line breaks inside the text are literal; at its start and end they are white space. A ’ that
   closes a ‘ is literal.

`read_mixed_spans` leaves more open, for sources that know more than pinyin: a word that rule 2
makes literal is a stretch that says where its capitals are, and where only some syllables have a
digit, each digit of rule 3 is the last letter of its stretch and may be a tone or a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from yinzi.pinyin.inventory import INTERJECTIONS, SYLLABLES, respell
from yinzi.pinyin.letters import COMBINING_CLASS, LETTER_CLASS, read_letter

__all__ = [
    "MAX_SYLLABLE_LETTERS",
    "Piece",
    "Span",
    "Stretch",
    "border_pieces",
    "join_pieces",
    "read_mixed_spans",
    "read_spans",
]

_UNIT = f"[{LETTER_CLASS}][{COMBINING_CLASS}]*"
_COLON = "(?<=[nlNL][uU]):|(?<=[jqxyJQXY][uU]):(?=[eanEAN0-5])"
_TOKEN = re.compile(
    rf"(?P<word>(?:{_UNIT}|{_COLON})+)|(?P<border>[\s'’]+)|(?P<other>[^{LETTER_CLASS}\s'’]+)"
)
_LETTER = re.compile(f"{_UNIT}:?")  # inside a word, where every colon is part of u:
_TONE_DIGIT = re.compile(r"[0-5](?!\.?[0-9]|[\ufe0f\u20e3])")  # the last two make it a keycap
_APOSTROPHES = "'’"
_LINE_BREAKS = re.compile(r"[\n\r](?:.*[\n\r])?", re.DOTALL)

_FULL = frozenset(SYLLABLES) - INTERJECTIONS
MAX_SYLLABLE_LETTERS: int = max(map(len, SYLLABLES))


@dataclass(frozen=True)
class Stretch:
    """Letters with no border inside: what syllables are looked for in.

    Attributes:
        letters: bare letters, lower case, ü as `v`.
        tones: tone mark of every letter, 0 for none; empty if no letter has one.
        final_tone: the tone digit after the last letter as a tone 1 to 5, 0 for none.
        is_tail: nothing, or a literal, follows: the typist may not have finished the last syllable.
        capitals: indices of upper-case letters, where they may mean that letters are no pinyin; in
            mixed reading only.
    """

    letters: str
    tones: tuple[int, ...] = ()
    final_tone: int = 0
    is_tail: bool = False
    capitals: tuple[int, ...] = ()


class Span(NamedTuple):
    """A stretch, or a literal run where `stretch` is None.

    `positions` says where every letter starts in the text, and last where the span ends, tone digit
    and borders included. A literal has its start and end only.
    """

    positions: tuple[int, ...]
    stretch: Stretch | None


class Piece(NamedTuple):
    """A part of the text before borders are given to their neighbours; no letters means literal."""

    positions: tuple[int, ...]
    letters: str = ""
    tones: tuple[int, ...] = ()
    final_tone: int = 0
    is_border: bool = False
    capitals: tuple[int, ...] = ()


def read_spans(text: str) -> tuple[int, list[Span]]:
    """Return where the first span starts, and all spans from left to right.

    Borders before the first span belong to none; a text of borders only starts at its end.

    >>> start, spans = read_spans(" mai3 piao，OK")
    >>> start, [span.stretch.letters if span.stretch else span.positions for span in spans]
    (1, ['mai', 'piao', (10, 13)])
    """
    return join_pieces(_read_pieces(text), text)


def read_mixed_spans(text: str) -> tuple[int, list[Span]]:
    """Return what `read_spans` does, with capitals and stray digits left open; see above.

    >>> start, spans = read_mixed_spans("mai3zhang KFC")
    >>> [(span.stretch.letters, span.stretch.capitals) for span in spans if span.stretch]
    [('mai3', ()), ('zhang', ()), ('kfc', (0, 1, 2))]
    """
    pieces = _read_pieces(text, is_mixed=True)
    if any(piece.final_tone for piece in pieces) and not _is_toned(pieces):
        pieces = [_open_digit(piece, text) if piece.final_tone else piece for piece in pieces]
    return join_pieces(pieces, text)


def _is_toned(pieces: list[Piece]) -> bool:
    """Tell whether every syllable has its digit: then all digits are tones."""
    return all(
        piece.final_tone and (respell(piece.letters) in _FULL or piece.letters in INTERJECTIONS)
        for piece in pieces
        if piece.letters
    )


def _open_digit(piece: Piece, text: str) -> Piece:
    """Make the tone digit the last letter of its piece."""
    digit_at = piece.positions[-1] - 1
    return piece._replace(
        positions=(*piece.positions[:-1], digit_at, piece.positions[-1]),
        letters=piece.letters + text[digit_at],
        tones=(*piece.tones, 0) if piece.tones else (),
        final_tone=0,
    )


def join_pieces(read: list[Piece], text: str) -> tuple[int, list[Span]]:
    """Return where the first span starts, and the spans that pieces of a text make.

    Args:
        read: pieces from left to right, with the borders between them; together they are the text.
        text: the whole line.
    """
    pieces = _give_borders(read, text)
    if not pieces:
        return len(text), []
    spans = []
    for index, piece in enumerate(pieces):
        is_last = index + 1 == len(pieces)
        end = len(text) if is_last else pieces[index + 1].positions[0]
        stretch = None
        if piece.letters:
            is_tail = is_last or not pieces[index + 1].letters
            stretch = Stretch(piece.letters, piece.tones, piece.final_tone, is_tail, piece.capitals)
        spans.append(Span((*piece.positions[:-1], end), stretch))
    return pieces[0].positions[0], spans


def _read_pieces(text: str, *, is_mixed: bool = False) -> list[Piece]:
    pieces: list[Piece] = []
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        if token.lastgroup == "word":
            pieces.extend(_read_word(token.group(), start, is_mixed=is_mixed))
        elif token.lastgroup == "border":
            pieces.extend(border_pieces(text, start, end, is_first=not pieces))
        else:
            before = pieces[-1] if pieces else None
            if before and _TONE_DIGIT.match(text, start) and _takes_digit(before):
                positions = (*before.positions[:-1], start + 1)
                tone = int(text[start]) or 5
                pieces[-1] = before._replace(positions=positions, final_tone=tone)
                start += 1
            if start < end:
                pieces.append(Piece((start, end)))
    return pieces


def border_pieces(text: str, start: int, end: int, *, is_first: bool) -> list[Piece]:
    """Return the pieces of a run of borders: line breaks inside the text and a closing ’ are none.

    Args:
        text: the whole line.
        start: where the run starts.
        end: where it ends.
        is_first: nothing stands before it.
    """
    low, high = start, start  # of what is literal in it
    if text.rfind("‘", 0, start) > text.rfind("’", 0, start) and "’" in text[start:end]:
        low = text.index("’", start)
        high = low + 1
    elif not is_first and end < len(text) and (breaks := _LINE_BREAKS.search(text, start, end)):
        low, high = breaks.span()
    last = Piece((high, end), is_border=True)
    if low == high:
        return [last]
    return [Piece((start, low), is_border=True), Piece((low, high)), last]


def _read_word(word: str, start: int, *, is_mixed: bool) -> list[Piece]:
    """Read one run of letters; it is one piece unless some letters in it are not pinyin."""
    end = start + len(word)
    if word.isascii() and word.islower() and ":" not in word:
        return [Piece(tuple(range(start, end + 1)), word)]
    units = [match.span() for match in _LETTER.finditer(word)]
    bare: list[tuple[str, int] | None] = []
    for low, high in units:
        read = read_letter(word[low:high].rstrip(":"))
        bare.append(("v", 0) if word[high - 1] == ":" and read else read)
    has_capitals = any(word[low].isupper() for low, _ in units[1:]) and not _is_all_full(
        "".join(read[0] if read else "?" for read in bare)
    )
    if has_capitals and not (is_mixed and word.isascii()):
        return [Piece((start, end))]
    pieces: list[Piece] = []
    run: list[int] = []  # indices of neighbouring pinyin letters
    for index, read in enumerate([*bare, None]):
        if read is not None:
            run.append(index)
            continue
        if run:
            letters = "".join(found[0] for i in run if (found := bare[i]))
            tones = tuple(found[1] for i in run if (found := bare[i]))
            positions = (*(start + units[i][0] for i in run), start + units[run[-1]][1])
            capitals = tuple(
                place for place, i in enumerate(run) if has_capitals and word[units[i][0]].isupper()
            )
            kept_tones = tones if any(tones) else ()
            pieces.append(Piece(positions, letters, kept_tones, capitals=capitals))
            run = []
        if index < len(bare):
            pieces.append(Piece((start + units[index][0], start + units[index][1])))
    return pieces


def _is_all_full(letters: str) -> bool:
    """Tell whether the letters split into full syllables with nothing left."""
    reachable = [True] + [False] * len(letters)
    for end in range(1, len(letters) + 1):
        for first in range(max(0, end - MAX_SYLLABLE_LETTERS), end):
            if reachable[first] and respell(letters[first:end]) in _FULL:
                reachable[end] = True
                break
    return reachable[-1]


def _takes_digit(piece: Piece) -> bool:
    """Tell whether a full syllable ends the piece, and none that ends there has a tone mark."""
    letters, tones = piece.letters, piece.tones
    if letters in INTERJECTIONS and not tones:
        return True
    is_found = False
    for length in range(1, min(MAX_SYLLABLE_LETTERS, len(letters)) + 1):
        if respell(letters[-length:]) in _FULL:
            if any(tones[-length:]):
                return False
            is_found = True
    return is_found


def _give_borders(pieces: list[Piece], text: str) -> list[Piece]:
    """Return the pieces without borders, literals with the apostrophes and blanks they own."""
    kept: list[Piece] = []
    literal_start = -1  # where a literal that the next piece may continue starts
    for index, piece in enumerate(pieces):
        start, end = piece.positions[0], piece.positions[-1]
        if piece.is_border:
            follows_literal = bool(kept) and not kept[-1].letters
            before_literal = index + 1 < len(pieces) and not pieces[index + 1].letters
            blank = text[start:end]
            if follows_literal and before_literal:
                kept[-1] = Piece((kept[-1].positions[0], end))
            elif follows_literal:
                quotes = max(blank.rfind(quote) for quote in _APOSTROPHES) + 1
                kept[-1] = Piece((kept[-1].positions[0], start + quotes))
            elif before_literal:
                quotes = min(
                    (i for i, char in enumerate(blank) if char in _APOSTROPHES), default=-1
                )
                literal_start = start + quotes if quotes >= 0 else -1
        elif piece.letters:
            kept.append(piece)
        elif kept and not kept[-1].letters:
            kept[-1] = Piece((kept[-1].positions[0], end))
        else:
            kept.append(Piece((literal_start if literal_start >= 0 else start, end)))
            literal_start = -1
    return kept
