"""Counts of runs against a slow count of one run after another through the public interface."""

from __future__ import annotations

import numpy as np
import pytest

from yinzi.converter import Converter
from yinzi.evaluation import Row
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.measures import measure_text
from yinzi_train.shift.profile import WordDistribution
from yinzi_train.shift.run_counts import COLUMNS, RunCounter, first_choices
from yinzi_train.shift.sample import Sample

TEXTS = ["我要买一张去西安的机票，好吗？", "龘龘是什么字", "银行行长在银行门前行走。", "𠀀𠀁好"]


def column(counter: RunCounter, sample: Sample, name: str) -> list[float]:
    return counter.count(sample).table[:, COLUMNS.index(name)].tolist()


def test_words_and_logprobs_are_those_of_one_run_at_a_time(
    counter: RunCounter, converter: Converter
) -> None:
    long = "我们今天去公园玩" * 20
    sample = Sample.from_sentences(["我要买一张去西安的机票，好吗？", long, "再见"])
    counts = counter.count(sample)
    model, segmenter = converter.decoder.language_model, converter.decoder.segmenter
    for run, row in zip(sample.runs, counts.table, strict=True):
        total, n_words = 0.0, 0
        for start in range(0, len(run), 64):
            words = segmenter.segment_run(run[start : start + 64])
            n_words += len(words)
            end = np.array([model.eos_id])
            last = np.array(words[-2:]) if len(words) > 1 else np.array([model.bos_id, words[-1]])
            of_end = float(model.logprobs(last[:1], last[1:], end)[0])
            total += model.sentence_logprob(words) - of_end
        assert row[COLUMNS.index("words")] == n_words
        assert row[COLUMNS.index("logprob")] == pytest.approx(total, abs=1e-3)
    assert counts.table[:, 1].sum() == sample.n_hanzi
    assert counts.word_counts().sum() == counts.totals["words"]


def test_unknown_hanzi_are_told_apart(counter: RunCounter) -> None:
    sample = Sample.from_sentences(["𠀀𠀁好", "我们"])
    assert column(counter, sample, "unknown_hanzi") == [2, 0]
    assert column(counter, sample, "unread_hanzi") == [2, 0]
    assert column(counter, sample, "known_hanzi") == [1, 2]
    assert column(counter, sample, "single_hanzi") == [3, 0]


def test_unknown_hanzi_are_no_context(counter: RunCounter) -> None:
    alone = column(counter, Sample.from_sentences(["好"]), "logprob")
    behind = column(counter, Sample.from_sentences(["𠀀好"]), "logprob")
    assert behind == pytest.approx(alone)


def test_stored_pairs_are_found(counter: RunCounter) -> None:
    common, strange = Sample.from_sentences(["我们的"]), Sample.from_sentences(["葡萄导弹"])
    assert column(counter, common, "bigram_words") == [1]
    assert column(counter, strange, "following_words") == [1]
    assert column(counter, strange, "bigram_words") == [0]


def test_left_context_of_a_row_counts(counter: RunCounter) -> None:
    alone = Sample.from_rows([Row("a.0", "机票", "ji piao")])
    after = Sample.from_rows([Row("a.0", "机票", "ji piao", "我要买")])
    marked = Sample.from_rows([Row("a.0", "机票", "ji piao", "我要买，")])
    logprobs = [column(counter, sample, "logprob")[0] for sample in (alone, after, marked)]
    assert logprobs[1] > logprobs[0] == logprobs[2]


def test_first_choices_are_what_a_naive_search_finds(converter: Converter) -> None:
    lexicon, model = converter.decoder.lexicon, converter.decoder.language_model
    is_first = first_choices(lexicon, model.unigram_logprobs)
    root = np.zeros(1, np.int64)
    first, last = lexicon.children(root, np.zeros(1, np.int64), np.full(1, 500))
    for node in range(int(first[0]), int(last[0]), 37):
        low, high = lexicon.node_entry[node : node + 2]
        words = lexicon.entry_word[low:high]
        if not len(words):
            continue
        values = model.unigram_logprobs[words] + lexicon.entry_logprob[low:high]
        best = int(words[np.argmax(values)])
        common = words[lexicon.entry_logprob[low:high] > -0.01]
        assert is_first[best] or lexicon.entry_logprob[low + int(np.argmax(values))] < -0.01
        assert not any(is_first[w] for w in common if w != best and values.max() > values.min())


def test_order_of_sentences_changes_nothing(
    counter: RunCounter, distribution: WordDistribution
) -> None:
    one = measure_text(counter.count(Sample.from_sentences(TEXTS)), distribution)
    other = measure_text(counter.count(Sample.from_sentences(TEXTS[::-1])), distribution)
    assert one.values == pytest.approx(other.values)
    assert sum(one.order_shares) == pytest.approx(1)


def test_text_without_known_words_is_refused(
    counter: RunCounter, distribution: WordDistribution
) -> None:
    with pytest.raises(ShiftError, match="none of the 2 hanzi is in the lexicon"):
        measure_text(counter.count(Sample.from_sentences(["𠀀𠀁"])), distribution)


def test_part_of_a_sample_keeps_what_belongs_together() -> None:
    sample = Sample.from_sentences(["你好，世界", "abc", "再见", "一，二"])
    part = sample.take_sentences(np.array([0, 2]))
    assert part.runs == ("你好", "世界", "一", "二")
    assert part.sentences.tolist() == [0, 0, 1, 1]
    assert part.texts == ("你好，世界", "一，二")


def test_sample_without_hanzi_is_refused() -> None:
    with pytest.raises(ShiftError, match="no hanzi in the text"):
        Sample.from_sentences(["abc", ""])
