"""Number words and lay them out as the flat arrays that `yinzi.lexicon.Lexicon` reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import LexiconError
from yinzi_train.lexicon.readings import Reading

__all__ = ["LexiconTables", "build_tables"]


@dataclass(frozen=True)
class LexiconTables:
    """A lexicon ready to be written.

    Attributes:
        words: the words in the order of their ids.
        arrays: the arrays of the lexicon format, by name.
    """

    words: list[str]
    arrays: dict[str, NDArray[np.generic]]


def build_tables(
    readings: Mapping[str, Sequence[Reading]], frequencies: Mapping[str, float]
) -> LexiconTables:
    """Build the arrays of a lexicon.

    Args:
        readings: for each word its readings, the main one first; at least one.
        frequencies: how often each word is used; orders the words of one reading.

    Raises:
        LexiconError: a word has no reading, or two words share one text.
    """
    missing = [word for word, options in readings.items() if not options]
    if missing:
        raise LexiconError(f"no reading for {missing[:5]}: leave them out or add readings")
    levels = _levels(readings)
    node_ids = {path: i for i, path in enumerate(path for level in levels for path in level)}
    main = defaultdict(list)
    for word, options in readings.items():
        main[node_ids[options[0].syllables]].append(word)
    words: list[str] = []
    node_words = np.zeros(len(node_ids), dtype=np.uint16)
    for node in range(len(node_ids)):
        group = sorted(main[node], key=lambda word: (-frequencies.get(word, 0.0), word))
        node_words[node] = len(group)
        words += group
    word_ids = {word: i for i, word in enumerate(words)}
    arrays: dict[str, NDArray[np.generic]] = {
        "level_nodes": np.array([len(level) for level in levels], dtype=np.uint32),
        "node_syllable": np.array([path[-1] if path else 0 for path in node_ids], np.uint16),
        **_node_counts(_count_children(node_ids), node_words),
        **_text_arrays(words),
        **_tone_array(words, readings),
        **_further_readings(
            words,
            word_ids,
            readings,
            frequencies=frequencies,
            node_ids=node_ids,
            node_words=node_words,
        ),
    }
    return LexiconTables(words, arrays)


def _levels(readings: Mapping[str, Sequence[Reading]]) -> list[list[tuple[int, ...]]]:
    """List the trie's nodes as syllable paths, level by level, each level sorted."""
    paths: set[tuple[int, ...]] = {()}
    for options in readings.values():
        for reading in options:
            for length in range(len(reading.syllables), 0, -1):
                path = reading.syllables[:length]
                if path in paths:
                    break
                paths.add(path)
    by_length = defaultdict(list)
    for path in paths:
        by_length[len(path)].append(path)
    return [sorted(by_length[length]) for length in range(max(by_length) + 1)]


def _count_children(node_ids: Mapping[tuple[int, ...], int]) -> NDArray[np.uint16]:
    parents = np.array([node_ids[path[:-1]] for path in node_ids if path], dtype=np.int64)
    return np.bincount(parents, minlength=len(node_ids)).astype(np.uint16)


def _node_counts(
    children: NDArray[np.uint16], words: NDArray[np.uint16]
) -> dict[str, NDArray[np.generic]]:
    """Pack two counts a node into a byte; the few counts of 15 and more are listed apart."""
    small = np.minimum(children, 15) | (np.minimum(words, 15) << np.uint16(4))
    return {
        "node_counts": small.astype(np.uint8),
        "large_children": children[children >= 15],
        "large_words": words[words >= 15],
    }


def _text_arrays(words: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    codes = np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32)
    hanzi, indices = np.unique(codes, return_inverse=True)
    return {"hanzi": hanzi, "word_hanzi": indices.astype(np.uint16)}


def _tone_array(
    words: Sequence[str], readings: Mapping[str, Sequence[Reading]]
) -> dict[str, NDArray[np.generic]]:
    """Pack the tones of main readings, two hanzi a byte, the first in the low half."""
    flat = np.array([tone for word in words for tone in readings[word][0].tones], np.uint8)
    padded = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    return {"word_tones": padded[::2] | (padded[1::2] << np.uint8(4))}


def _further_readings(
    words: Sequence[str],
    word_ids: Mapping[str, int],
    readings: Mapping[str, Sequence[Reading]],
    *,
    frequencies: Mapping[str, float],
    node_ids: Mapping[tuple[int, ...], int],
    node_words: NDArray[np.uint16],
) -> dict[str, NDArray[np.generic]]:
    """Place the further readings among the entries of their nodes, by expected frequency."""
    polyphones = sorted(word_ids[word] for word in words if len(readings[word]) > 1)
    further = [
        (node_ids[reading.syllables], word, reading)
        for word in words
        for reading in readings[word][1:]
    ]

    def expected(word: str, reading: Reading) -> float:
        return (frequencies.get(word, 0.0) + 0.1) * float(np.exp(reading.logprob))

    by_node = defaultdict(list)
    for node, word, reading in further:
        by_node[node].append((word, reading))
    first_word = np.cumsum(node_words.astype(np.int64)) - node_words
    rows: list[tuple[int, int, str, Reading]] = []
    n_before = 0
    for node in sorted(by_node):
        first = int(first_word[node])
        here = [
            (word, readings[word][0], False)
            for word in words[first : first + int(node_words[node])]
        ]
        here += [(word, reading, True) for word, reading in by_node[node]]
        # Main readings keep their order: their ids follow from it.
        further_here = sorted(
            (item for item in here if item[2]), key=lambda item: (-expected(*item[:2]), item[0])
        )
        main_here = [item for item in here if not item[2]]
        merged = []
        while main_here or further_here:
            take_main = not further_here or (
                bool(main_here) and expected(*main_here[0][:2]) >= expected(*further_here[0][:2])
            )
            merged.append((main_here if take_main else further_here).pop(0))
        for position, (word, reading, is_further) in enumerate(merged):
            if is_further:
                rows.append((first + n_before + position, node, word, reading))
        n_before += len(by_node[node])
    tones = np.zeros((len(rows), 8), dtype=np.uint8)
    for row, (_, _, _, reading) in enumerate(rows):
        tones[row, : len(reading.tones)] = reading.tones
    return {
        "polyphone_word": np.array(polyphones, dtype=np.uint32),
        "polyphone_logprob": np.array(
            [readings[words[i]][0].logprob for i in polyphones], dtype=np.float16
        ),
        "extra_position": np.array([row[0] for row in rows], dtype=np.uint32),
        "extra_node": np.array([row[1] for row in rows], dtype=np.uint32),
        "extra_word": np.array([word_ids[row[2]] for row in rows], dtype=np.uint32),
        "extra_logprob": np.array([row[3].logprob for row in rows], dtype=np.float16),
        "extra_tones": tones,
    }
