"""Lines that type the sentences of the tiny artifact, in all the ways that people type."""

from __future__ import annotations

import random

from tests.yinzi.tiny_lexicon import DATA, read_entries

TONE_MARKS = {"a": "āáǎà", "e": "ēéěè", "i": "īíǐì", "o": "ōóǒò", "u": "ūúǔù", "v": "ǖǘǚǜ"}
JOINERS = ["", " ", "'", " 5 ", "!", "，", "OK", "票", " 😀"]


def typed_lines(n_lines: int, *, seed: int = 0) -> list[str]:
    """Return lines of two to four words each: full, with borders or tones, abbreviated, mixed."""
    generator = random.Random(seed)
    readings = {entry.word: entry for entry in read_entries() if entry.is_main}
    sentences = (DATA / "tiny_sentences.txt").read_text(encoding="utf-8").splitlines()
    lines: list[str] = []
    while len(lines) < n_lines:
        words = [word for word in generator.choice(sentences).split() if word in readings]
        first = generator.randrange(len(words))
        words = words[first : first + generator.randint(2, 4)]
        pairs = [
            (syllable, tone)
            for word in words
            for syllable, tone in zip(readings[word].syllables, readings[word].tones, strict=True)
        ]
        style = generator.choice(
            ["full", "bordered", "digits", "marks", "initials", "mixed", "odd"]
        )
        spelled = [_spell(syllable, tone, style, generator) for syllable, tone in pairs]
        if style == "odd":
            joined = spelled[0]
            for syllable in spelled[1:]:
                joined += generator.choice(JOINERS) + syllable
        else:
            joined = (" " if style == "bordered" else "").join(spelled)
        lines.append(joined)
    return lines


def _spell(syllable: str, tone: int, style: str, generator: random.Random) -> str:
    if style == "digits":
        return f"{syllable}{tone}"
    if style == "marks":
        return _mark(syllable, tone)
    if style == "initials" or (style in ("mixed", "odd") and generator.random() < 0.5):
        return syllable[:1]
    return syllable.replace("v", generator.choice(["v", "ü", "u:"]) if style == "odd" else "v")


def _mark(syllable: str, tone: int) -> str:
    for letter in "aeo":
        if letter in syllable and tone < 5:
            return syllable.replace(letter, TONE_MARKS[letter][tone - 1], 1)
    letter = syllable[-1]
    if tone < 5 and letter in TONE_MARKS:
        return syllable[:-1] + TONE_MARKS[letter][tone - 1]
    return syllable
