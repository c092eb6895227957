from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi.decoding.naive_decoder import NaiveDecoder
from tests.yinzi.language_model.model_samples import AFFINITY, model_with_vectors, random_vectors
from tests.yinzi.table_scorer import TableScorer
from tests.yinzi.tiny_lexicon import read_entries
from yinzi.converter import Converter
from yinzi.decoding import (
    FEATURES,
    BeamOptions,
    Decoder,
    DecoderOptions,
    Decoding,
    FusionOptions,
    LatticeOptions,
    explain,
    feature_weights,
)
from yinzi.decoding.fusion import settled_path
from yinzi.decoding.word_pairs import WordPairs
from yinzi.errors import ConfigError
from yinzi.language_model import PAIR_FEATURES
from yinzi.pinyin import SYLLABLES, SyllableGraph
from yinzi.scoring import InputVocabulary, PairTable, ScorerInput, context_ids

WEIGHT = 0.7
PRIOR_WEIGHT = -0.3
WIDE = DecoderOptions(
    lattice=LatticeOptions(max_words=10_000, max_states=1_000_000),
    beam=BeamOptions(beam_width=1000),
    fused_beam=BeamOptions(
        beam_width=1000, encoder_weight=WEIGHT, prior_weight=PRIOR_WEIGHT, word_logprob=-0.4
    ),
    fusion=FusionOptions(
        max_margin=1e9,
        whole_margin=1e9,
        unfinished_beam_width=1000,
        abbreviated_beam_width=1000,
        path_beam_width=1000,
        max_paths=50,
    ),
)
UNKNOWN = "好"


def make_pairs(*, without: str = "") -> PairTable:
    """Return all pairs of the tiny word list, but those of some hanzi."""
    pairs = {
        (SYLLABLES.index(syllable), ord(char))
        for entry in read_entries()
        for char, syllable in zip(entry.word, entry.syllables, strict=True)
        if char not in without
    }
    syllables, codes = zip(*sorted(pairs), strict=True)
    counts = np.arange(len(codes)) * 7 % 50
    return PairTable(np.array(syllables, dtype=np.int16), np.array(codes, dtype=np.uint32), counts)


def make_scorer(*, without: str = "", scale: float = 3.0) -> TableScorer:
    hanzi = "".join(sorted({char for entry in read_entries() for char in entry.word}))
    return TableScorer(InputVocabulary(hanzi), make_pairs(without=without), scale=scale)


@pytest.fixture
def scorer() -> TableScorer:
    return make_scorer(without=UNKNOWN)


@pytest.fixture
def fused(converter: Converter, scorer: TableScorer) -> Decoder:
    plain = converter.decoder
    return Decoder(plain.lexicon, plain.language_model, options=WIDE, scorer=scorer)


def decode(
    decoder: Decoder, typed: str, left_context: str = "", *, uses_scorer: bool = True
) -> Decoding:
    graph = SyllableGraph.from_text(typed, decoder.options.graph)
    return decoder.decode([graph], [decoder.left_context(left_context)], uses_scorer=uses_scorer)


def is_hanzi_only(text: str) -> bool:
    """Tell whether nothing passed through, as syllables do that the tiny word list cannot read."""
    return not any(char.isascii() for char in text)


def added_logprob(scorer: TableScorer, typed: str, text: str, left_context: str = "") -> float:
    """Return what the model adds to a text of full syllables, looked up hanzi by hanzi."""
    path = settled_path(SyllableGraph.from_text(typed), np.ones(len(SYLLABLES), dtype=np.bool_))
    assert path is not None
    context = context_ids(scorer.vocab, left_context)
    ids = scorer.vocab.ids_of_ranges(path.syllable_lo, path.syllable_hi)
    asked = ScorerInput(ids, path.tone, context)
    total = 0.0
    counts = scorer.pairs.counts + 1
    for place, char in enumerate(text):
        syllable = int(path.syllable_lo[place])
        pair = int(scorer.pairs.ids(np.array([syllable]), np.array([ord(char)]))[0])
        low, high = scorer.bounds(asked, place)
        if pair < 0:
            total += WEIGHT * WIDE.fusion.unknown_logprob
        else:
            prior = np.log(counts[pair] / counts[low:high].sum())
            total += WEIGHT * scorer.slice_at(asked, place)[pair - low] + PRIOR_WEIGHT * prior
    return total


@pytest.mark.parametrize(
    "typed", ["ni hao", "xi an", "zhong guo", "ni3 hao3", "fang an", "wo yao mai"]
)
@pytest.mark.parametrize("left_context", ["", "你好", "你好，"])
def test_fused_search_adds_the_models_exactly(
    fused: Decoder, scorer: TableScorer, typed: str, left_context: str
) -> None:
    lexicon = fused.lexicon
    words = [lexicon.text(word) for word in range(lexicon.n_words)]
    alone = replace(WIDE, beam=replace(WIDE.fused_beam))
    naive = NaiveDecoder(words, fused.language_model, alone)
    n_syllables = len(typed.split())
    expected = {
        text: logprob + added_logprob(scorer, typed, text, left_context)
        for text, logprob in naive.texts(typed, left_context).items()
        if is_hanzi_only(text) and len(text) == n_syllables
    }
    settled = replace(WIDE, fusion=replace(WIDE.fusion, whole_margin=0.0))
    fused.options = settled
    found = decode(fused, typed, left_context).hypotheses(0, 1000)
    found = [hypothesis for hypothesis in found if is_hanzi_only(hypothesis.text)]
    assert {hypothesis.text for hypothesis in found} == set(expected)
    for hypothesis in found:
        assert hypothesis.logprob == pytest.approx(expected[hypothesis.text], abs=1e-3)


LINES = ["xian", "xianfangan", "woyaomaijipiao", "zg", "n hao", "wymjp", "zhonggr", "ABC ni hao 3"]


@pytest.mark.parametrize("typed", LINES)
def test_features_times_weights_are_the_logprob(fused: Decoder, typed: str) -> None:
    decoding = decode(fused, typed)
    weights = feature_weights(decoding.options)
    explained = explain(decoding, 0, 20)
    assert explained
    for one in explained:
        assert not any(one.features[name] for name in PAIR_FEATURES)
        total = sum(weights[name] * value for name, value in one.features.items())
        assert one.logprob == pytest.approx(total, abs=1e-3)
        shown = "".join(word.text for word in one.words)
        assert shown.replace(" ", "") == one.text.replace(" ", "")
        of_words = sum(word.encoder for word in one.words)
        assert one.features["encoder"] == pytest.approx(of_words, abs=1e-4)


def test_features_of_word_vectors_count_with_their_weights(
    converter: Converter, scorer: TableScorer
) -> None:
    lexicon = converter.decoder.lexicon
    model = model_with_vectors(converter.artifact, random_vectors(lexicon.n_words + 2, seed=1))
    options = replace(WIDE, fused_beam=replace(WIDE.fused_beam, **vars(AFFINITY)))
    decoder = Decoder(lexicon, model, options=options, scorer=scorer)
    seen = set()
    for typed in LINES:
        decoding = decode(decoder, typed, "我要")
        weights = feature_weights(decoding.options)
        assert set(weights) == set(FEATURES)
        for one in explain(decoding, 0, 20):
            total = sum(weights[name] * value for name, value in one.features.items())
            assert one.logprob == pytest.approx(total, abs=1e-3)
            seen |= {name for name in PAIR_FEATURES if one.features[name]}
            n_pairs = one.features["new_pairs"] + one.features["unknown_pairs"]
            assert 0 <= n_pairs <= len(one.words)
    assert seen == set(PAIR_FEATURES)


@pytest.mark.parametrize("typed", ["xian", "fangan", "xianfangan"])
def test_texts_of_every_path_are_found(fused: Decoder, typed: str) -> None:
    alone = {h.text for h in decode(fused, typed, uses_scorer=False).hypotheses(0, 1000)}
    together = {h.text for h in decode(fused, typed).hypotheses(0, 1000)}
    assert together == alone


def test_one_path_allowed_leaves_the_others_out(converter: Converter) -> None:
    plain = converter.decoder
    options = replace(WIDE, fusion=replace(WIDE.fusion, max_paths=1))
    narrow = Decoder(plain.lexicon, plain.language_model, options=options, scorer=make_scorer())
    lengths = {len(h.text) for h in decode(narrow, "xian").hypotheses(0, 1000)}
    assert len(lengths) == 1


def test_hopeless_words_leave_the_lattice(converter: Converter) -> None:
    plain, scorer = converter.decoder, make_scorer()

    def texts(margin: float) -> set[str]:
        options = replace(WIDE, fusion=replace(WIDE.fusion, max_margin=margin))
        pruned = Decoder(plain.lexicon, plain.language_model, options=options, scorer=scorer)
        return {h.text for h in decode(pruned, "shi").hypotheses(0, 1000)}

    unigrams = plain.language_model.unigram_logprobs
    words = {plain.lexicon.text(word): word for word in range(plain.lexicon.n_words)}
    wide = Decoder(plain.lexicon, plain.language_model, options=WIDE, scorer=scorer)
    totals = {
        one.text: WEIGHT * one.features["encoder"]
        + PRIOR_WEIGHT * one.features["encoder_prior"]
        + one.features["penalties"]
        + unigrams[words[one.text]]
        for one in explain(decode(wide, "shi"), 0, 1000)
    }
    ranked = sorted(totals, key=lambda text: -totals[text])
    assert len(ranked) > 3
    for n_kept in range(1, len(ranked)):
        best, worst, next_worst = (totals[ranked[i]] for i in (0, n_kept - 1, n_kept))
        margin = best - (worst + next_worst) / 2
        assert texts(margin) == set(ranked[:n_kept])


def test_hanzi_that_the_model_does_not_know_get_the_set_logprob(fused: Decoder) -> None:
    (word,) = explain(decode(fused, "hao"), 0, 1)[0].words
    found = {one.text: one for one in explain(decode(fused, "hao"), 0, 50)}
    assert found[UNKNOWN].features["encoder"] == pytest.approx(WIDE.fusion.unknown_logprob)
    assert word.encoder <= 0


def test_syllables_without_any_known_hanzi_are_searched(converter: Converter) -> None:
    plain, scorer = converter.decoder, make_scorer(without="好号")
    both = Decoder(plain.lexicon, plain.language_model, options=WIDE, scorer=scorer)
    decoding = decode(both, "hao")
    assert decoding.path_scores is not None
    assert {"好", "号"} <= {h.text for h in decoding.hypotheses(0, 100)}


def test_initials_are_one_slice_for_all_their_syllables(fused: Decoder) -> None:
    decoding = decode(fused, "z")
    assert decoding.path_scores is not None
    total = np.exp(decoding.path_scores.scored.logprobs).sum()
    assert total == pytest.approx(1.0, abs=1e-5)
    assert {"中", "长"} <= {h.text for h in decoding.hypotheses(0, 1000)}


def test_numbers_of_hanzi_are_added_to_their_scores(converter: Converter) -> None:
    plain = converter.decoder
    features = []
    for table in ({}, {"好": 1.5, "龘": 3.0}):
        options = replace(WIDE, fusion=replace(WIDE.fusion, hanzi_logprobs=table))
        both = Decoder(plain.lexicon, plain.language_model, options=options, scorer=make_scorer())
        found = explain(decode(both, "ni hao"), 0, 1000)
        features.append({one.text: one.features["encoder"] for one in found})
    before, after = features
    assert before.keys() == after.keys()
    assert {"你好"} < set(before)
    for text, value in before.items():
        assert after[text] == pytest.approx(value + 1.5 * text.count("好"), abs=1e-4)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"你好": 1.0}, "'你好': 1.0: expected one hanzi and a finite number"),
        ({"好": float("nan")}, "'好': nan: expected one hanzi"),
        (["好"], r"is \['好'\]: expected numbers by hanzi"),
    ],
)
def test_numbers_of_hanzi_are_checked(table: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FusionOptions(hanzi_logprobs=table)


def test_search_is_as_wide_as_the_most_abbreviated_line(converter: Converter) -> None:
    plain = converter.decoder
    options = DecoderOptions(fusion=FusionOptions(abbreviated_beam_width=31))
    both = Decoder(plain.lexicon, plain.language_model, options=options, scorer=make_scorer())
    graphs = {text: SyllableGraph.from_text(text) for text in ("nihao", "nih", "nhao")}
    widths = {
        texts: both.decode(
            [graphs[text] for text in texts], [both.left_context("")] * len(texts)
        ).options.beam_width
        for texts in (("nihao",), ("nih",), ("nhao",), ("nhao", "nihao", "nih"))
    }
    assert list(widths.values()) == [12, 20, 31, 31]


def test_scores_of_abbreviated_places_count_less(converter: Converter) -> None:
    plain = converter.decoder
    scores = {}
    for factor in (1.0, 0.25):
        options = replace(WIDE, fusion=replace(WIDE.fusion, abbreviated_factor=factor))
        both = Decoder(plain.lexicon, plain.language_model, options=options, scorer=make_scorer())
        scores[factor] = {one.text: one.features for one in explain(decode(both, "z"), 0, 1000)}
    for text, features in scores[1.0].items():
        for name in ("encoder", "encoder_prior"):
            assert scores[0.25][text][name] == pytest.approx(features[name] / 4, abs=1e-4)


def test_text_that_passes_through_has_no_score(fused: Decoder) -> None:
    (best, *_) = explain(decode(fused, "ABC ni hao"), 0, 5)
    assert best.words[0].text.strip() == "ABC"
    assert best.words[0].encoder == 0


@pytest.mark.parametrize("typed", ["", "  ", "ABC", "123 !"])
def test_lines_without_pinyin_do_not_ask_the_model(
    fused: Decoder, scorer: TableScorer, typed: str
) -> None:
    alone = [h.text for h in decode(fused, typed, uses_scorer=False).hypotheses(0, 5)]
    assert [h.text for h in decode(fused, typed).hypotheses(0, 5)] == alone


@settings(max_examples=25)
@given(st.lists(st.sampled_from([*LINES, "ni hao", "", "shi", "z g"]), min_size=2, max_size=6))
def test_batch_gives_what_lines_alone_give(converter: Converter, lines: list[str]) -> None:
    plain = converter.decoder
    both = Decoder(plain.lexicon, plain.language_model, options=WIDE, scorer=make_scorer())
    graphs = [SyllableGraph.from_text(line) for line in lines]
    batch = both.decode(graphs, [both.left_context("")] * len(lines))
    for index, line in enumerate(lines):
        alone = decode(both, line).hypotheses(0, 20)
        together = batch.hypotheses(index, 20)
        assert [h.text for h in together] == [h.text for h in alone]
        assert [h.logprob for h in together] == pytest.approx([h.logprob for h in alone])


@settings(max_examples=25)
@given(st.text(alphabet="xianfgzho '3A", max_size=10))
def test_typing_gives_what_the_whole_line_gives(converter: Converter, typed: str) -> None:
    plain = converter.decoder
    options = replace(WIDE, fusion=FusionOptions(), fused_beam=BeamOptions(), beam=BeamOptions())
    both = Decoder(plain.lexicon, plain.language_model, options=options, scorer=make_scorer())
    decoding = decode(both, "")
    for end in [*range(len(typed) + 1), max(0, len(typed) - 2)]:
        graph = SyllableGraph.from_text(typed[:end])
        decoding = both.extend(decoding, graph, both.left_context(""))
        expected = decode(both, typed[:end]).hypotheses(0, 5)
        found = decoding.hypotheses(0, 5)
        assert [(h.text, h.logprob) for h in found] == [(h.text, h.logprob) for h in expected]


def test_words_for_the_first_letters_are_ranked_with_the_model(fused: Decoder) -> None:
    graph = SyllableGraph.from_text("shi shi")
    context = fused.left_context("")
    scores = decode(fused, "shi shi").path_scores
    assert scores is not None
    alone = fused.prefix_words(graph, context, limit=100)
    scored = fused.prefix_words(graph, context, limit=100, path_scores=scores)
    assert {word.text for word in alone} == {word.text for word in scored}
    assert [word.text for word in alone] != [word.text for word in scored]
    lattice = fused._lattice([graph], only_start=graph.start)
    assert len(
        scores.of_nodes(
            lattice, fused._word_pairs, fused.options.fusion, beam=fused.options.fused_beam
        )
    ) == len(lattice.start)


def test_word_pairs_spell_every_entry(fused: Decoder, scorer: TableScorer) -> None:
    pairs = WordPairs(fused.lexicon, make_pairs()).of_entries
    lexicon = fused.lexicon
    for node in range(1, lexicon.n_nodes):
        for entry in range(lexicon.node_entry[node], lexicon.node_entry[node + 1]):
            word = lexicon.text(int(lexicon.entry_word[entry]))
            ids = pairs[entry][: len(word)]
            table = make_pairs()
            assert "".join(chr(table.hanzi[i]) for i in ids) == word
            assert tuple(table.syllables[i] for i in ids) == lexicon.node_syllables(node)
            assert (pairs[entry][len(word) :] == -2).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_paths", 0),
        ("path_beam_width", 0),
        ("unfinished_beam_width", 0),
        ("max_margin", 0.0),
        ("abbreviated_factor", 1.5),
    ],
)
def test_options_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        FusionOptions(**{name: value})
