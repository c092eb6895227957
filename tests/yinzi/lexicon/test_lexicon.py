from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.yinzi.tiny_lexicon import Entry, read_entries
from yinzi.artifact import Artifact
from yinzi.errors import LexiconError
from yinzi.lexicon import Lexicon, ragged_arange
from yinzi.pinyin import SYLLABLES, prefix_range, syllable_id

ENTRIES = read_entries()
WORDS = sorted({entry.word for entry in ENTRIES})
PATHS = {entry.syllables[:n] for entry in ENTRIES for n in range(1, len(entry.syllables) + 1)}


def find_node(lexicon: Lexicon, syllables: tuple[str, ...]) -> int:
    node = np.zeros(1, dtype=np.int64)
    for syllable in syllables:
        node = lexicon.child(node, np.array([syllable_id(syllable)]))
    return int(node[0])


def entries_of(lexicon: Lexicon, node: int) -> range:
    return range(int(lexicon.node_entry[node]), int(lexicon.node_entry[node + 1]))


def naive_entries(syllables: tuple[str, ...]) -> list[Entry]:
    return [entry for entry in ENTRIES if entry.syllables == syllables]


def test_texts_are_the_words_each_once(lexicon: Lexicon) -> None:
    found = lexicon.texts(np.arange(lexicon.n_words))
    assert sorted(found) == WORDS
    assert found == [lexicon.text(word) for word in range(lexicon.n_words)]
    assert lexicon.lengths(np.arange(lexicon.n_words)).tolist() == [len(text) for text in found]


def test_texts_of_no_words_are_none(lexicon: Lexicon) -> None:
    assert lexicon.texts(np.zeros(0, dtype=np.int64)) == []


def test_first_hanzi_points_into_the_codes(lexicon: Lexicon) -> None:
    codes, lengths = lexicon.hanzi_codes()
    words = np.arange(lexicon.n_words)
    for word, first, length in zip(words, lexicon.first_hanzi(words), lengths, strict=True):
        text = "".join(map(chr, codes[first : first + length]))
        assert text == lexicon.text(int(word))
    assert len(codes) == lengths.sum()
    shuffled = words[::-7]
    assert np.array_equal(lexicon.first_hanzi(shuffled), lexicon.first_hanzi(words)[::-7])


def test_every_path_is_a_node_and_spells_back(lexicon: Lexicon) -> None:
    nodes = {path: find_node(lexicon, path) for path in PATHS}
    assert sorted(nodes.values()) == list(range(1, lexicon.n_nodes))
    for path, node in nodes.items():
        assert lexicon.spell(node) == path
        assert tuple(SYLLABLES[syllable] for syllable in lexicon.node_syllables(node)) == path
    assert lexicon.spell(0) == ()


def test_child_is_zero_where_there_is_none(lexicon: Lexicon) -> None:
    assert find_node(lexicon, ("zhuang",)) == 0
    assert find_node(lexicon, ("xi", "xi")) == 0
    assert find_node(lexicon, ("ge", "zhuang")) == 0
    last = np.array([lexicon.n_nodes - 1])
    assert lexicon.child(last, np.array([len(SYLLABLES) - 1])).tolist() == [0]


@pytest.mark.parametrize("path", [(), ("xi",), ("zhong",), ("zhong", "guo"), ("ge",)])
@pytest.mark.parametrize(
    "prefix", ["", "z", "zh", "zho", "x", "xi", "xian", "y", "ng", "n", "g", "l", "lv", "o", "w"]
)
def test_children_of_a_prefix_are_one_slice(
    lexicon: Lexicon, path: tuple[str, ...], prefix: str
) -> None:
    low, high = prefix_range(prefix)
    (first,), (last,) = lexicon.children(
        np.array([find_node(lexicon, path)]), np.array([low]), np.array([high])
    )
    found = [lexicon.spell(node) for node in range(int(first), int(last))]
    expected = sorted(
        longer for longer in PATHS if longer[:-1] == path and longer[-1].startswith(prefix)
    )
    assert found == expected


def test_children_of_many_nodes_are_those_of_each(lexicon: Lexicon) -> None:
    nodes = np.arange(lexicon.n_nodes)
    low, high = prefix_range("x")
    first, last = lexicon.children(nodes, np.full(len(nodes), low), np.full(len(nodes), high))
    for node, a, b in zip(nodes, first, last, strict=True):
        alone = lexicon.children(np.array([node]), np.array([low]), np.array([high]))
        assert (int(a), int(b)) == (int(alone[0][0]), int(alone[1][0]))


@pytest.mark.parametrize("path", sorted(PATHS), ids="-".join)
def test_entries_are_the_words_of_a_reading_with_tones_and_shares(
    lexicon: Lexicon, path: tuple[str, ...]
) -> None:
    found = [
        (
            lexicon.text(int(lexicon.entry_word[entry])),
            lexicon.tones(entry),
            float(lexicon.entry_logprob[entry]),
        )
        for entry in entries_of(lexicon, find_node(lexicon, path))
    ]
    expected = [(entry.word, entry.tones, entry.logprob) for entry in naive_entries(path)]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("path", sorted(PATHS), ids="-".join)
def test_entries_come_by_falling_frequency_of_word_and_reading(
    lexicon: Lexicon, path: tuple[str, ...]
) -> None:
    expected = {e.word: (e.frequency + 0.1) * np.exp(e.logprob) for e in naive_entries(path)}
    found = [
        lexicon.text(int(lexicon.entry_word[entry]))
        for entry in entries_of(lexicon, find_node(lexicon, path))
    ]
    is_main = {e.word for e in naive_entries(path) if e.is_main}
    frequencies = {e.word: e.frequency for e in ENTRIES}
    main = [word for word in found if word in is_main]
    assert main == sorted(main, key=lambda word: -frequencies[word])
    further = [word for word in found if word not in is_main]
    assert further == sorted(further, key=lambda word: -expected[word])
    for position, word in enumerate(found):  # a further reading stands before less likely main ones
        if word not in is_main:
            before = [expected[other] for other in found[:position] if other in is_main]
            assert all(value >= expected[word] * 0.99 for value in before)


def test_word_ids_of_a_node_are_one_range(lexicon: Lexicon) -> None:
    main = {e.word: e.syllables for e in ENTRIES if e.is_main}
    paths = [main[lexicon.text(word)] for word in range(lexicon.n_words)]
    assert paths == sorted(paths, key=lambda path: (len(path), path))


def test_main_reading_is_the_likeliest(lexicon: Lexicon) -> None:
    main = {e.word: e for e in ENTRIES if e.is_main}
    for word in range(lexicon.n_words):
        entry = main[lexicon.text(word)]
        spelled = [(SYLLABLES[syllable], tone) for syllable, tone in lexicon.main_reading(word)]
        assert spelled == list(zip(entry.syllables, entry.tones, strict=True))


def test_main_readings_are_those_of_each_word(lexicon: Lexicon) -> None:
    syllables, tones = lexicon.main_readings()
    assert len(syllables) == len(tones) == len(lexicon.hanzi_codes()[0])
    one_by_one = [pair for word in range(lexicon.n_words) for pair in lexicon.main_reading(word)]
    assert list(zip(syllables.tolist(), tones.tolist(), strict=True)) == one_by_one


@given(st.data())
def test_count_tone_differences_counts_hanzi(lexicon: Lexicon, data: st.DataObject) -> None:
    entries = data.draw(
        st.lists(st.integers(0, len(lexicon.entry_word) - 1), min_size=1, max_size=8)
    )
    typed = [
        data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
        for n in (len(lexicon.tones(entry)) for entry in entries)
    ]
    packed = [sum(tone << (3 * i) for i, tone in enumerate(tones)) for tones in typed]
    found = lexicon.count_tone_differences(np.array(entries), np.array(packed))
    for entry, tones, n_different in zip(entries, typed, found, strict=True):
        own = lexicon.tones(entry)
        assert n_different == sum(a not in (0, b) for a, b in zip(tones, own, strict=True))


def test_best_below_is_the_best_of_all_words_that_start_so(lexicon: Lexicon) -> None:
    logprobs = np.random.default_rng(0).normal(-9, 3, lexicon.n_words).astype(np.float32)
    ids = {lexicon.text(word): word for word in range(lexicon.n_words)}
    best = lexicon.best_below(logprobs)
    for node in range(lexicon.n_nodes):
        path = lexicon.spell(node)
        below = [
            float(logprobs[ids[e.word]]) + e.logprob
            for e in ENTRIES
            if e.syllables[: len(path)] == path
        ]
        assert best[node] == pytest.approx(max(below), abs=1e-4)


def test_segmenter_uses_the_ids_of_the_lexicon(lexicon: Lexicon) -> None:
    segmenter = lexicon.segmenter(np.full(lexicon.n_words, -5, dtype=np.float32))
    words = segmenter.segment_run("中国银行行长鑫我").tolist()
    assert words[1] == lexicon.n_words
    assert [lexicon.text(word) for word in (words[0], words[2])] == ["中国银行行长", "我"]


@given(st.lists(st.tuples(st.integers(-5, 50), st.integers(0, 4)), max_size=8))
def test_ragged_arange_joins_ranges(ranges: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in ranges], dtype=np.int64)
    counts = np.array([count for _, count in ranges], dtype=np.int64)
    values, owners = ragged_arange(starts, counts)
    pairs = [(start + i, row) for row, (start, n) in enumerate(ranges) for i in range(n)]
    assert list(zip(values.tolist(), owners.tolist(), strict=True)) == pairs


def test_lexicon_tells_which_array_is_wrong(tiny_folder: Path) -> None:
    arrays = Artifact.open(tiny_folder).arrays("lexicon")
    with pytest.raises(LexiconError, match="array 'hanzi' is missing"):
        Lexicon({name: array for name, array in arrays.items() if name != "hanzi"})
    with pytest.raises(LexiconError, match=r"array 'hanzi' is int64 of shape .*expected uint32"):
        Lexicon({**arrays, "hanzi": arrays["hanzi"].astype(np.int64)})
    with pytest.raises(LexiconError, match="word_hanzi goes up to 65535"):
        Lexicon({**arrays, "word_hanzi": np.full_like(arrays["word_hanzi"], 65535)})
    assert Lexicon({**arrays, "further": np.zeros(3)}).n_words
