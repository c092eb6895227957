from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinzi.lexicon.segmentation import MAX_RUN_LENGTH, Segmenter

UNKNOWN = -25.0
HANZI = "北京大学生"

# Quarters add up without rounding, so that logprobs may be compared exactly.
lexicons = st.dictionaries(
    st.text(HANZI, min_size=1, max_size=8), st.integers(-80, -4).map(lambda n: n / 4), min_size=1
)
runs = st.text(HANZI + "口", min_size=1, max_size=10)


def naive_segmentations(run: str) -> list[list[str]]:
    """Return all ways to cut a run."""
    cuts = itertools.product([False, True], repeat=len(run) - 1)
    found = []
    for is_cut in cuts:
        ends = [i + 1 for i, here in enumerate(is_cut) if here] + [len(run)]
        found.append([run[a:b] for a, b in itertools.pairwise([0, *ends])])
    return found


def logprob_of(words: list[str], lexicon: dict[str, float]) -> float:
    logprobs = [lexicon.get(word, UNKNOWN if len(word) == 1 else -np.inf) for word in words]
    return float(sum(logprobs))


def segmenter_of(lexicon: dict[str, float]) -> Segmenter:
    return Segmenter.from_words(
        list(lexicon), np.array(list(lexicon.values()), dtype=np.float32), filter_bits=8
    )


def words_of(run: str, ids: list[int], lexicon: dict[str, float]) -> list[str]:
    """Read ids as words; an unknown one takes a hanzi of the run."""
    words, position = [], 0
    for word_id in ids:
        word = list(lexicon)[word_id] if word_id < len(lexicon) else run[position]
        words.append(word)
        position += len(word)
    return words


@given(lexicons, runs)
def test_segment_run_is_the_best_of_all_cuts(lexicon: dict[str, float], run: str) -> None:
    ids = segmenter_of(lexicon).segment_run(run).tolist()
    words = words_of(run, ids, lexicon)
    assert "".join(words) == run
    unknown = [word for word, word_id in zip(words, ids, strict=True) if word_id == len(lexicon)]
    assert not set(unknown) & set(lexicon)
    best = max(logprob_of(cut, lexicon) for cut in naive_segmentations(run))
    assert logprob_of(words, lexicon) == best


@given(lexicons, st.lists(runs, max_size=12))
def test_many_runs_give_what_each_gives_alone(lexicon: dict[str, float], many: list[str]) -> None:
    segmenter = segmenter_of(lexicon)
    lengths = np.array([len(run) for run in many], dtype=np.int64)
    codes = np.frombuffer("".join(many).encode("utf-32-le"), dtype=np.uint32)
    ids, n_tokens = segmenter.segment(codes, np.cumsum(lengths) - lengths, lengths)
    parts = np.split(ids, np.cumsum(n_tokens)[:-1]) if len(n_tokens) else []
    alone = [segmenter.segment_run(run).tolist() for run in many]
    assert sorted(part.tolist() for part in parts) == sorted(alone)


@pytest.mark.parametrize("n_hanzi", [MAX_RUN_LENGTH, MAX_RUN_LENGTH + 1, 5 * MAX_RUN_LENGTH + 7])
def test_long_runs_are_cut_into_pieces_and_nothing_is_lost(n_hanzi: int) -> None:
    segmenter = segmenter_of({"北": -4.0, "京": -4.0, "北京": -6.0})
    run = ("北京" * n_hanzi)[:n_hanzi]
    codes = np.frombuffer(run.encode("utf-32-le"), dtype=np.uint32)
    ids, n_tokens = segmenter.segment(codes, np.array([0]), np.array([n_hanzi]))
    assert len(n_tokens) == -(-n_hanzi // MAX_RUN_LENGTH)
    assert sum(2 if word_id == 2 else 1 for word_id in ids.tolist()) == n_hanzi
    assert sorted(segmenter.segment_run(run).tolist()) == sorted(ids.tolist())


def test_hanzi_outside_the_lexicon_are_unknown() -> None:
    segmenter = segmenter_of({"北京": -4.0})
    assert segmenter.segment_run("口北京𠀀").tolist() == [1, 0, 1]


def test_no_text_has_no_words() -> None:
    segmenter = segmenter_of({"北京": -4.0})
    assert segmenter.segment_run("").tolist() == []
    nothing = np.zeros(0, dtype=np.int64)
    ids, n_tokens = segmenter.segment(np.zeros(0, np.uint32), nothing, nothing)
    assert len(ids) == len(n_tokens) == 0


@pytest.mark.parametrize(
    "words", [["北", "北"], ["北京大学生北京大学"]], ids=["twice", "nine hanzi"]
)
def test_bad_words_are_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="words"):
        Segmenter.from_words(words, np.zeros(len(words), dtype=np.float32))
