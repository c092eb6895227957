from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.yinzi_train.labelling.polyphone_sentences import SENTENCES
from yinzi.lexicon import Lexicon
from yinzi.text import is_hanzi, miu_spans
from yinzi_train.labelling import DecisionOptions, Labeller, Labels
from yinzi_train.labelling import labeller as labeller_module
from yinzi_train.labelling.network_files import NetworkFiles
from yinzi_train.labelling.readings import Evidence, WordReadings, reading_of
from yinzi_train.labelling.reference import ReferenceLabeller


@pytest.fixture(scope="module")
def twin(lexicon: Lexicon, logprobs: np.ndarray) -> ReferenceLabeller:
    return ReferenceLabeller(lexicon, logprobs)


def pairs(labels: Labels) -> list[tuple[int, bool]]:
    """Return reading and doubt of each hanzi, as the slow twin gives them."""
    readings = np.where(labels.syllables < 0, -1, labels.syllables * 8 + labels.tones)
    return list(zip(readings.tolist(), labels.doubtful.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("银行行长", "yin2 hang2 hang2? zhang3"),
        ("我们了解", "wo3 men5 liao3? jie3"),
        ("这条最长的路", "zhe4 tiao2 zui4 chang2? de5? lu4"),
        ("一定，不是！", "yi1 ding4 | bu4 shi4"),
        ("来吧呀", "lai2 ba5 ya5"),
        ("", ""),
        ("OK", ""),
        ("\U0002ebf0", "_?"),
    ],
    ids=["part", "phrase", "composed", "sandhi", "particles", "empty", "no-hanzi", "unknown"],
)
def test_labels_of_a_text(labeller: Labeller, text: str, expected: str) -> None:
    assert labeller.label([text]).pinyin(0) == expected


def test_tone_marks_are_written(labeller: Labeller) -> None:
    assert labeller.label(["我们，来"]).pinyin(0, marks=True) == "wǒ men | lái"


def test_labels_equal_the_slow_twin(labeller: Labeller, twin: ReferenceLabeller) -> None:
    assert pairs(labeller.label(SENTENCES)) == [
        label for text in SENTENCES for label in twin.label(text)
    ]


HANZI = "我们了解银行长朝阳路最一定不是没来很路这条说得重乐只数都还着的地好㐀𠀀"


@given(st.lists(st.text(alphabet=HANZI + " ，a1\n\x00\ud800", max_size=90), max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_equals_the_slow_twin(
    labeller: Labeller, twin: ReferenceLabeller, texts: list[str]
) -> None:
    assert pairs(labeller.label(texts)) == [label for text in texts for label in twin.label(text)]


def test_arrays_describe_the_texts(labeller: Labeller) -> None:
    labels = labeller.label(SENTENCES)
    assert len(labels) == len(SENTENCES)
    for index, text in enumerate(SENTENCES):
        low, high = labels.offsets[index : index + 2]
        expected = [char for char in text if is_hanzi(char)]
        assert list(map(chr, labels.hanzi[low:high])) == expected
        first, last = labels.run_offsets[index : index + 2]
        runs = [end - start for start, end in miu_spans(text)]
        assert labels.run_lengths[first:last].tolist() == runs
    dtypes = [labels.syllables.dtype, labels.tones.dtype, labels.doubtful.dtype]
    assert dtypes == [np.int16, np.int8, np.bool_]


def test_doubtful_indices_count_within_their_text(labeller: Labeller) -> None:
    indices, offsets = labeller.label(["我", "", "银行行长", "这条路最长"]).doubtful_indices()
    assert indices.tolist() == [2, 4]
    assert offsets.tolist() == [0, 0, 0, 1, 2]


def test_no_texts_give_empty_labels(labeller: Labeller) -> None:
    labels = labeller.label([])
    assert (len(labels), len(labels.hanzi), labels.offsets.tolist()) == (0, 0, [0])


def test_blocks_change_nothing(labeller: Labeller, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = labeller.label(SENTENCES)
    monkeypatch.setattr(labeller_module, "CHARACTERS_PER_BLOCK", 20)
    parts = labeller.label(SENTENCES)
    for name in Labels.__dataclass_fields__:
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_version_names_data_and_options(
    labeller: Labeller, lexicon: Lexicon, logprobs: np.ndarray, network_files: NetworkFiles
) -> None:
    again = Labeller(lexicon, logprobs, files=network_files)
    other = Labeller(lexicon, logprobs, DecisionOptions(share_weight=0.0), files=network_files)
    assert again.version == labeller.version != other.version


def test_word_readings_are_those_of_the_lexicon(lexicon: Lexicon) -> None:
    words = WordReadings(lexicon, np.ones(0x110000, dtype=np.bool_), {})
    for word in range(lexicon.n_words):
        if set(lexicon.text(word)) & set("一不"):
            continue
        first = words.first[word]
        found = words.readings[first : first + words.lengths[word]].tolist()
        assert [divmod(reading, 8) for reading in found] == lexicon.main_reading(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("了解", [Evidence.PHRASE] * 2),
        ("朝阳", [Evidence.AMBIGUOUS] * 2),
        ("朝阳路", [Evidence.AMBIGUOUS] * 2 + [Evidence.COMPOSED]),
        ("银行行长", [Evidence.PHRASE] * 4),
        ("最长", [Evidence.COMPOSED] * 2),
        ("长", [Evidence.HANZI]),
    ],
)
def test_evidence_of_a_word(lexicon: Lexicon, word: str, expected: list[Evidence]) -> None:
    words = WordReadings(lexicon, np.ones(0x110000, dtype=np.bool_), {})
    index = lexicon.texts(np.arange(lexicon.n_words)).index(word)
    first = words.first[index]
    assert words.evidence[first : first + len(word)].tolist() == expected


def test_reading_of_knows_erhua_and_old_spellings() -> None:
    assert reading_of("r5") == reading_of("er5")
    assert reading_of("lu:4") == reading_of("lv4")
    assert reading_of("xx5") == reading_of("") == -1
