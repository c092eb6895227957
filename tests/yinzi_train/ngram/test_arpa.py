from __future__ import annotations

import numpy as np
import pytest

from tests.yinzi_train.ngram.ngram_samples import count, zipf_sentences
from yinzi.errors import ArtifactError, ConfigError
from yinzi_train.ngram.arpa import read_arpa, write_arpa
from yinzi_train.ngram.kneser_ney import KneserNeyOptions, estimate

WORDS = ["我", "你", "不", "是", "好", "机票", "ü", "x"]
OPTIONS = KneserNeyOptions(discount_fallback=(0.5, 1.0, 1.5))

SMALL = r"""
\data\
ngram 1=4
ngram 2=2

\1-grams:
-1.5	<unk>
-99	<s>	-0.30103
-0.5	</s>
-0.25	我	-0.1

\2-grams:
-0.2	我 </s>
-0.1	<s> 我	0

\end\
"""


@pytest.fixture
def model():
    return estimate(count(zipf_sentences(n_sentences=80, n_words=8), 8), options=OPTIONS)


def test_reading_returns_what_was_written_bit_by_bit(model, tmp_path):
    path = tmp_path / "model.arpa"
    write_arpa(model, path, words=WORDS)
    read, words = read_arpa(path)
    assert words == WORDS
    for name, array in vars(model).items():
        np.testing.assert_array_equal(getattr(read, name), array)
        if name != "n_words":
            assert getattr(read, name).dtype == array.dtype


def test_words_fix_the_ids(model, tmp_path):
    path = tmp_path / "model.arpa"
    write_arpa(model, path, words=WORDS)
    read, words = read_arpa(path, words=WORDS[::-1])
    assert words == WORDS[::-1]
    expected = [*model.unigram_logprob[:8][::-1], *model.unigram_logprob[8:]]
    assert read.unigram_logprob.tolist() == expected
    rows = [(7 - first if first < 8 else first) for first in model.trigrams[:, 0]]
    assert sorted(rows) == read.trigrams[:, 0].tolist()


def test_files_of_other_tools_are_read(tmp_path):
    path = tmp_path / "other.arpa"
    path.write_text(SMALL.replace("\n", "\r\n"), encoding="utf-8", newline="")
    model, words = read_arpa(path)
    assert words == ["<unk>", "我"]
    assert model.bigrams.tolist() == [[1, 3], [2, 1]]
    np.testing.assert_allclose(np.exp(model.bigram_logprob), [10**-0.2, 10**-0.1], rtol=1e-6)
    assert model.unigram_backoff[model.bos_id] == pytest.approx(np.log(0.5), abs=1e-6)
    assert len(model.trigrams) == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", "line 2 is 'data'"),
        ("ngram 2=2", "ngram 3=2", "ngram 2="),
        ("ngram 2=2", "ngram 2=many", "ngram 2="),
        ("ngram 2=2", "ngram 2=3", "2 words"),
        ("ngram 2=2", "ngram 2=1", "expected '.*end"),
        ("\\end\\", "", "the end of the file"),
        ("-0.2\t我", "x\t我", "logprob"),
        ("我 </s>", "你 </s>", "'你' in a 2-gram is no unigram"),
        ("<s> 我", "我 </s>", "twice"),
        ("-0.5\t</s>", "-0.5\t好", "no unigram '</s>'"),
    ],
    ids=lambda text: text[:12],
)
def test_damaged_files_are_refused(old, new, message, tmp_path):
    path = tmp_path / "damaged.arpa"
    path.write_text(SMALL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ArtifactError, match=message):
        read_arpa(path)


@pytest.mark.parametrize("words", [["<unk>"], ["<unk>", "我", "你"], ["我", "我"]], ids=str)
def test_words_of_another_file_are_refused(words, tmp_path):
    path = tmp_path / "other.arpa"
    path.write_text(SMALL, encoding="utf-8")
    with pytest.raises(ConfigError, match="give every word"):
        read_arpa(path, words=words)


@pytest.mark.parametrize("word", ["", "a b", "a\n", "\u3000", "<s>", "</s>"], ids=repr)
def test_words_that_break_the_format_are_refused(word, model, tmp_path):
    with pytest.raises(ConfigError, match="word 7"):
        write_arpa(model, tmp_path / "model.arpa", words=[*WORDS[:7], word])


def test_a_word_too_few_is_refused(model, tmp_path):
    with pytest.raises(ConfigError, match="7 words given; the model has 8"):
        write_arpa(model, tmp_path / "model.arpa", words=WORDS[:7])
