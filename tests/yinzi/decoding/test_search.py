from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi.decoding.naive_decoder import NaiveDecoder
from tests.yinzi.language_model.model_samples import AFFINITY, model_with_vectors, random_vectors
from yinzi.converter import Converter
from yinzi.decoding import BeamOptions, Decoder, DecoderOptions, LatticeOptions
from yinzi.errors import ConfigError
from yinzi.pinyin import GraphOptions, SyllableGraph

WIDE = DecoderOptions(
    lattice=LatticeOptions(max_words=10_000, max_states=1_000_000),
    beam=BeamOptions(beam_width=1000),
)
OPTIONS = {
    "default": WIDE,
    "no_sentence_end": replace(WIDE, beam=replace(WIDE.beam, end_logprob_weight=0.0)),
    "fewer_words": replace(
        WIDE, beam=replace(WIDE.beam, word_logprob=-1.5, end_logprob_weight=0.5)
    ),
    "other_penalties": replace(
        WIDE,
        graph=GraphOptions(initial_logprob=-3.0, incomplete_logprob=-3.5, slack=2.0),
        lattice=replace(WIDE.lattice, tone_logprob=-0.5),
    ),
}
TOLERANCE = 1e-3


def make_pair(decoder: Decoder, options: DecoderOptions) -> tuple[Decoder, NaiveDecoder]:
    lexicon = decoder.lexicon
    words = [lexicon.text(word) for word in range(lexicon.n_words)]
    fast = Decoder(lexicon, decoder.language_model, options=options)
    return fast, NaiveDecoder(words, decoder.language_model, options)


def assert_same_texts(
    fast: Decoder, naive: NaiveDecoder, typed: str, left_context: str = ""
) -> None:
    graph = SyllableGraph.from_text(typed, fast.options.graph)
    decoding = fast.decode([graph], [fast.left_context(left_context)])
    found = decoding.hypotheses(0, 1000)
    expected = naive.texts(typed, left_context)
    if not graph.edges:
        assert not found
        return
    assert len(expected) < fast.options.beam.beam_width / 2, "too many texts for an exact search"
    assert {hypothesis.text for hypothesis in found} == set(expected)
    assert len(found) == len(expected)
    for hypothesis in found:
        assert hypothesis.logprob == pytest.approx(expected[hypothesis.text], abs=TOLERANCE)
    logprobs = [hypothesis.logprob for hypothesis in found]
    assert logprobs == sorted(logprobs, reverse=True)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  '",
        "xian",
        "xi'an",
        "fangan",
        "nihao",
        "ni3hao3",
        "ni3hao4",
        "xian4",
        "ni hǎo",
        "lv",
        "lüe",
        "lu:e",
        "nver",
        "dianr",
        "ng",
        "m",
        "nh",
        "zh",
        "zho",
        "zhong g",
        "yinhangh",
        "jp",
        "vv",
        "ni5yi",
        "ni 5 hao",
        "ni!hao",
        "我yao",
        "yao 票 ge",
        "ni𠀀hao",
        "OK ni",
        "ni\nhao",
        " ni v",
        "v 5 ni",
        "biang",
        "ni biang! wo",
        "o",
        "ou",
        "oo ni",
    ],
)
def test_wide_beam_equals_brute_force(
    decoder: Decoder, typed: str, options: DecoderOptions
) -> None:
    assert_same_texts(*make_pair(decoder, options), typed)


@pytest.mark.parametrize(
    "left_context", ["我", "我要", "中国银行", "票，", "A", "鑫", "我鑫", "鑫买"]
)
@pytest.mark.parametrize("typed", ["xian", "mai", "jp", "ni 5 hao", "5ge", "我yao"])
def test_wide_beam_equals_brute_force_after_left_context(
    decoder: Decoder, typed: str, left_context: str
) -> None:
    assert_same_texts(*make_pair(decoder, WIDE), typed, left_context)


SPELLED = ["wo", "mai", "ji", "piao", "xi", "an", "xian", "fang", "lve", "nv3", "er2", "x", "zh"]
PIECES = st.sampled_from([*SPELLED, "ho", "ng", "o", "ceng", "'", " ", "5", "!", "我", "买票", "Q"])


@given(st.lists(PIECES, max_size=3).map("".join), st.sampled_from(["", "我", "我要", "西安 "]))
@settings(max_examples=40, deadline=None)
def test_wide_beam_equals_brute_force_on_any_line(
    decoder: Decoder, typed: str, left_context: str
) -> None:
    fast, naive = make_pair(decoder, WIDE)
    if len(naive.texts(typed, left_context)) < 300:
        assert_same_texts(fast, naive, typed, left_context)


@pytest.fixture(scope="module")
def with_vectors(converter: Converter) -> Decoder:
    """A decoder that has vectors of two thirds of its words."""
    vectors = random_vectors(converter.decoder.lexicon.n_words + 2)
    language_model = model_with_vectors(converter.artifact, vectors)
    return Decoder(converter.decoder.lexicon, language_model, options=WIDE)


@pytest.mark.parametrize("left_context", ["", "我要", "鑫买", "票，"])
@pytest.mark.parametrize(
    "typed", ["", "xian", "fangan", "woyao", "nihao ma", "zg", "ni 5 hao", "我yao", "ni biang! wo"]
)
def test_wide_beam_equals_brute_force_with_word_vectors(
    with_vectors: Decoder, typed: str, left_context: str
) -> None:
    fast, naive = make_pair(with_vectors, replace(WIDE, beam=replace(WIDE.beam, **vars(AFFINITY))))
    assert_same_texts(fast, naive, typed, left_context)


@pytest.mark.parametrize(
    ("role", "before", "option"),
    [("last", "买", "new_affinity"), ("skip", "我", "new_skip_affinity")],
    ids=["side by side", "two apart"],
)
def test_words_that_were_never_seen_together_win_by_their_vectors(
    converter: Converter, role: str, before: str, option: str
) -> None:
    """Of all words, only those that are expected to win have vectors that are not 0."""
    lexicon = converter.decoder.lexicon
    ids = {lexicon.text(word): word for word in range(lexicon.n_words)}
    vectors = random_vectors(lexicon.n_words + 2, share=1.0, n_parts=1)
    for name, array in vectors.items():
        if name.endswith("_codes"):
            array[:] = 0
        elif name.endswith("_centroids"):
            array[0, :2] = [[0, 0], [0, 1]]
    vectors[f"vector_{role}_codes"][ids[before]] = vectors["vector_next_codes"][ids["鸡"]] = 1
    decoder = Decoder(lexicon, model_with_vectors(converter.artifact, vectors), options=WIDE)

    def best(beam: BeamOptions) -> str:
        fast, _ = make_pair(decoder, replace(WIDE, beam=beam))
        graph = SyllableGraph.from_text("wo mai ji")
        return fast.decode([graph], [fast.left_context("")]).hypotheses(0, 1)[0].text

    plain = best(WIDE.beam)
    assert plain != "我买鸡"
    assert best(replace(WIDE.beam, **{option: 20.0})) == "我买鸡"
    assert best(replace(WIDE.beam, **{option: -20.0})) == plain
    stored = option.replace("new", "stored")
    assert best(replace(WIDE.beam, **{stored: 20.0})) == plain


@pytest.mark.parametrize("left_context", ["", "我", "我要"])
@pytest.mark.parametrize(
    "typed", ["xian", "fangan", "xi'an fang", "zhgyh", "nihao3", "zhongguo", "5ni", "yi4dian3r", ""]
)
def test_prefix_words_equal_brute_force(decoder: Decoder, typed: str, left_context: str) -> None:
    fast, naive = make_pair(decoder, WIDE)
    graph = SyllableGraph.from_text(typed, WIDE.graph)
    found = fast.prefix_words(graph, fast.left_context(left_context), limit=10_000)
    # A text that several stretches can be is offered with the longest only.
    expected: dict[str, tuple[int, float]] = {}
    for (end, text), logprob in naive.prefix_words(typed, left_context).items():
        expected[text] = max(expected.get(text, (0, 0.0)), (end, logprob))
    if typed.startswith("5"):
        expected = {}
    assert {word.text: word.end for word in found} == {t: end for t, (end, _) in expected.items()}
    for word in found:
        assert word.logprob == pytest.approx(expected[word.text][1], abs=TOLERANCE)
    order = [(-word.end, -word.logprob) for word in found]
    assert order == sorted(order)


def test_narrow_beam_finds_texts_of_the_brute_force_with_their_logprobs(decoder: Decoder) -> None:
    fast, naive = make_pair(decoder, DecoderOptions(beam=BeamOptions(beam_width=3)))
    graph = SyllableGraph.from_text("woyaomaijip")
    found = fast.decode([graph], [fast.left_context("")]).hypotheses(0, 10)
    expected = naive.texts("woyaomaijip")
    assert 1 <= len(found) <= 3
    for hypothesis in found:
        assert hypothesis.logprob <= expected[hypothesis.text] + TOLERANCE
    assert found[0].text == max(expected, key=expected.__getitem__)


def test_equal_texts_are_one_hypothesis_with_the_best_logprob(
    decoder: Decoder, converter: Converter
) -> None:
    typed = "zhong guo yin hang hang zhang"  # one word, two, … six
    _, naive = make_pair(decoder, WIDE)
    first = converter.convert(typed)[0]
    assert first.text == "中国银行行长"
    assert first.logprob == pytest.approx(naive.texts(typed)[first.text], abs=TOLERANCE)


def test_max_words_keeps_the_likeliest(decoder: Decoder) -> None:
    options = replace(WIDE, lattice=replace(WIDE.lattice, max_words=2))
    fast, _ = make_pair(decoder, options)
    graph = SyllableGraph.from_text("shi")
    found = fast.decode([graph], [fast.left_context("")]).hypotheses(0, 10)
    assert [hypothesis.text for hypothesis in found] == ["是", "时"]


def test_max_states_keeps_the_cheapest_readings(decoder: Decoder) -> None:
    options = replace(WIDE, lattice=replace(WIDE.lattice, max_states=1))
    fast, _ = make_pair(decoder, options)
    graph = SyllableGraph.from_text("xian")
    texts = [h.text for h in fast.decode([graph], [fast.left_context("")]).hypotheses(0, 10)]
    assert texts, "a line always has some text"


@pytest.mark.parametrize("width", [0, -1, 1001])
def test_beam_options_refuse_other_widths(width: int) -> None:
    with pytest.raises(ConfigError, match=f"beam_width is {width}: expected 1 to 1000"):
        BeamOptions(beam_width=width)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"bean": {}}, r"unknown decoder table 'bean'.*beam"),
        ({"beam": {"width": 3}}, r"unknown beam options \['width'\].*beam_width"),
        ({"graph": {"slack": -1}}, "slack"),
    ],
)
def test_options_from_parameters_refuse_the_unknown(
    parameters: dict[str, dict[str, int]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        DecoderOptions.from_parameters(parameters)
