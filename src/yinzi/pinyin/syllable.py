"""Hold one syllable with its parts and tone, and read and write it in every common notation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yinzi.errors import InvalidPinyin
from yinzi.pinyin.inventory import ROWS, SYLLABLES, near_syllables, prefix_range, respell
from yinzi.pinyin.letters import COMBINING_CLASS, LETTER_CLASS, add_mark, read_letter
from yinzi.pinyin.zhuyin import is_zhuyin, read_zhuyin, write_zhuyin

__all__ = ["Syllable", "parse_syllable"]

_BY_PARTS = {(row.initial, row.final): row.syllable for row in ROWS}
_PARTS = {row.syllable: (row.initial, row.final) for row in ROWS}
_KNOWN = frozenset(SYLLABLES)
_UNIT = re.compile(f"(?P<letter>[{LETTER_CLASS}][{COMBINING_CLASS}]*)(?P<colon>:?)")
_UMLAUT_AFTER = "nljqxy"


@dataclass(frozen=True)
class Syllable:
    """One syllable of Mandarin.

    The initial is empty for syllables without one (zero initial): y and w are spelling, not sound.
    ü is written `v` in the final: `ju` is j + v, `yuan` is v + an with no initial, `yan` is ian
    with none. Tone is 1 to 4, 5 for neutral, 0 for not given.

    >>> Syllable("zh", "ong", 1).to_marks()
    'zhōng'

    Raises:
        InvalidPinyin: no syllable has this initial with this final, or the tone is not 0 to 5.
    """

    initial: str
    final: str
    tone: int = 0

    def __post_init__(self) -> None:
        if (self.initial, self.final) not in _BY_PARTS:
            finals = [final for initial, final in _BY_PARTS if initial == self.initial][:5]
            expected = f"a final such as {' '.join(finals)}" if finals else "a known initial"
            raise InvalidPinyin(
                f"no syllable has initial {self.initial!r} and final {self.final!r}: "
                f"expected {expected}; parse_syllable reads a whole syllable"
            )
        if self.tone not in range(6):
            raise InvalidPinyin(
                f"tone {self.tone!r} of syllable {self.toneless!r}: expected 1 to 4, "
                "5 for neutral, 0 for not given"
            )

    @property
    def toneless(self) -> str:
        """The spelling in the inventory, without tone.

        >>> parse_syllable("lüè").toneless
        'lve'
        """
        return _BY_PARTS[self.initial, self.final]

    def to_digits(self) -> str:
        """Return the syllable with its tone as a digit, without one if the tone is not given.

        >>> parse_syllable("lüè").to_digits(), parse_syllable("ma").to_digits()
        ('lve4', 'ma')
        """
        return f"{self.toneless}{self.tone or ''}"

    def to_marks(self) -> str:
        """Return the syllable with a tone mark; neutral and missing tones have none.

        >>> parse_syllable("nv3").to_marks(), parse_syllable("de5").to_marks()
        ('nǚ', 'de')
        """
        return add_mark(self.toneless, self.tone)

    def to_zhuyin(self) -> str:
        """Return the syllable in zhuyin; a missing tone is written like tone 1, without a sign.

        >>> parse_syllable("nv3").to_zhuyin(), parse_syllable("de5").to_zhuyin()
        ('ㄋㄩˇ', '˙ㄉㄜ')
        """
        return write_zhuyin(self.toneless, self.tone)


def parse_syllable(text: str) -> Syllable:
    """Read one syllable in pinyin (tone digit, tone mark or no tone) or zhuyin.

    Digits are 1 to 5, and 0 for neutral; a mark may stand on any letter and may be a combining one.
    ü may be written `ü`, `v` or `u:`. Upper case is accepted. Nothing but the syllable may be
    there, no white space either.

    >>> typed = ("zhong1", "Zhōng", "ㄓㄨㄥ", "lu:4", "lǜ", "ma0", "ê")
    >>> [parse_syllable(text).to_digits() for text in typed]
    ['zhong1', 'zhong1', 'zhong1', 'lv4', 'lv4', 'ma5', 'ê']
    >>> parse_syllable("zhong1")
    Syllable(initial='zh', final='ong', tone=1)

    Raises:
        InvalidPinyin: the text is not exactly one syllable.
    """
    if is_zhuyin(text):
        syllable, tone = read_zhuyin(text)
        return Syllable(*_PARTS[syllable], tone)
    letters, starts, mark, end = _read_letters(text)
    tone = mark
    if text[end:] in ("0", "1", "2", "3", "4", "5") and letters and not mark:
        tone, end = int(text[end]) or 5, end + 1
    spelled = respell(letters)
    if spelled in _KNOWN and end == len(text):
        return Syllable(*_PARTS[spelled], tone)
    known = _n_known(letters)
    position = starts[known] if known < len(letters) else end
    found = repr(text[position]) if position < len(text) else "the end"
    near = [spelled] if spelled in _KNOWN else near_syllables(letters)
    raise InvalidPinyin(
        f"cannot read {text!r} as one syllable at letter {position + 1} ({found}): "
        f"expected a syllable such as {' '.join(near)} "
        "with at most one tone, as a digit 0 to 5 after it or as a mark"
    )


def _read_letters(text: str) -> tuple[str, list[int], int, int]:
    """Return the bare letters in front, where each starts, their tone, and where they end."""
    letters, starts, tone, end = "", [], 0, 0
    while (match := _UNIT.match(text, end)) is not None:
        read = read_letter(match["letter"])
        if read is None or (tone and read[1]):
            break
        letter, end = read[0], match.end("letter")
        if match["colon"] and letter == "u" and letters[-1:] and letters[-1] in _UMLAUT_AFTER:
            letter, end = "v", match.end()
        starts.append(match.start())
        letters, tone = letters + letter, tone or read[1]
        if match["colon"] and end != match.end():
            break
    return letters, starts, tone, end


def _n_known(letters: str) -> int:
    """Return how many letters from the start on begin some syllable."""
    for end in range(min(len(letters), 8), 0, -1):
        low, high = prefix_range(letters[:end])
        if low < high:
            return end
    return 0
