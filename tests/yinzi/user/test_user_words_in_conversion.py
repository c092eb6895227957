from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import yinzi
from tests.yinzi.decoding.test_fusion import make_scorer
from tests.yinzi.language_model.model_samples import AFFINITY, model_with_vectors, random_vectors
from tests.yinzi.tiny_lines import typed_lines
from yinzi.converter import Candidate, Converter
from yinzi.decoding import Decoder, DecoderOptions
from yinzi.errors import ConfigError, UserLexiconError
from yinzi.language_model import PAIR_FEATURES
from yinzi.user import CommittedPart, UserLexicon
from yinzi.user.features import word_features
from yinzi.user.options import UserOptions

NEW = ("翻摇", ("fan", "yao"))  # no word of the tiny lexicon


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserLexicon]:
    lexicon = UserLexicon(tmp_path / "user.sqlite3")
    yield lexicon
    lexicon.close()


@pytest.fixture(params=["plain", "fused"])
def known(request: pytest.FixtureRequest, converter: Converter, user: UserLexicon) -> Converter:
    """Return a converter with a user lexicon, with and without a neural model."""
    if request.param == "plain":
        return converter.with_user(user)
    scorer = make_scorer(without="翻")
    fused = yinzi.load(converter.artifact.folder)
    plain = fused.decoder
    fused.decoder = Decoder(
        plain.lexicon, plain.language_model, options=plain.options, scorer=scorer
    )
    return fused.with_user(user)


def texts(candidates: list[Candidate]) -> list[str]:
    return [candidate.text for candidate in candidates]


def exact(candidates: list[Candidate]) -> list[Candidate]:
    return [replace(one, logprob=round(one.logprob, 2)) for one in candidates]


def test_an_empty_user_lexicon_changes_nothing(converter: Converter, user: UserLexicon) -> None:
    lines = typed_lines(30)
    assert converter.with_user(user).convert_batch(lines) == converter.convert_batch(lines)


def test_added_words_come_first(known: Converter, user: UserLexicon) -> None:
    assert known.convert("fanyao")[0].text != NEW[0]
    user.add(*NEW)
    best = known.convert("fanyao")[0]
    assert (best.text, best.syllables) == NEW
    assert known.convert("wo mai fan yao")[0].text.endswith(NEW[0])


@pytest.mark.parametrize("typed", ["fy", "fany", "fyao", "fan4yao4"])
def test_added_words_are_found_however_they_are_typed(
    known: Converter, user: UserLexicon, typed: str
) -> None:
    user.add(*NEW)
    assert NEW[0] in texts(known.candidates(typed))


def test_a_user_word_can_hold_hanzi_that_the_lexicon_lacks(
    known: Converter, user: UserLexicon
) -> None:
    user.add("璟药", ["fan", "yao"])
    assert "璟药" in texts(known.convert("fanyao"))
    assert "我璟药" in texts(known.convert("wofanyao"))
    user.add("药璟", ["yao", "fan"])
    assert "药璟好" in texts(known.convert("yaofanhao"))


def test_a_user_word_may_be_longer_than_those_of_the_lexicon(
    known: Converter, user: UserLexicon
) -> None:
    text = "药饭" * 5
    user.add(text, ("yao", "fan") * 5)
    typing = known.type_keys()
    found: list[Candidate] = []
    for end in range(1, len("yaofan" * 5) + 1):
        found = typing.update(("yaofan" * 5)[:end])
    assert found[0].text == text
    assert exact(found) == exact(known.candidates("yaofan" * 5))


def test_a_built_in_word_in_another_reading(known: Converter, user: UserLexicon) -> None:
    user.add("机票", ["yao", "fan"])
    assert "机票" in texts(known.convert("yaofan"))


def test_words_removed_from_the_file_are_gone(known: Converter, user: UserLexicon) -> None:
    before = known.convert("fanyao")
    user.add(*NEW)
    assert known.convert("fanyao") != before
    user.clear()
    assert exact(known.convert("fanyao")) == exact(before)


def test_forgotten_words_are_not_offered(known: Converter, user: UserLexicon) -> None:
    assert known.convert("nihao")[0].text == "你好"
    user.forget("你好", ["ni", "hao"])
    assert "你好" not in texts(known.candidates("nihao"))
    user.restore("你好", ["ni", "hao"])
    assert known.convert("nihao")[0].text == "你好"


def test_a_text_appears_once(known: Converter, user: UserLexicon) -> None:
    user.add(*NEW)
    user.add("买机票", ["mai", "ji", "piao"])
    for typed in ("fanyao", "fy", "womaijipiao", "mjp"):
        found = texts(known.candidates(typed))
        assert len(found) == len(set(found))


def test_typing_gives_what_converting_gives(known: Converter, user: UserLexicon) -> None:
    user.add(*NEW)
    user.add("我先要", ["wo", "xian", "yao"])
    user.forget("方案", ["fang", "an"])
    for line in [*typed_lines(3), "woxianyaofanyao", "fangan", "xian"]:
        typing = known.type_keys()
        for end in range(1, len(line) + 1):
            assert exact(typing.update(line[:end])) == exact(known.candidates(line[:end]))


def test_a_batch_gives_what_single_lines_give(known: Converter, user: UserLexicon) -> None:
    user.add(*NEW)
    user.learn([CommittedPart("票", ("piao",), False)])
    lines = ["wo mai fan yao", "fy", "nihao", "fan1yao4", ""]
    together = known.convert_batch(lines)
    assert [exact(one) for one in together] == [exact(known.convert(line)) for line in lines]


def test_a_change_while_typing_is_seen(known: Converter, user: UserLexicon) -> None:
    typing = known.type_keys()
    typing.update("fan")
    user.add(*NEW)
    assert typing.update("fanyao")[0].text == NEW[0]


def test_one_commit_lifts_a_word_by_little(converter: Converter, user: UserLexicon) -> None:
    known = converter.with_user(user)
    before = {one.text: one.logprob for one in converter.convert("piao", n_best=5)}
    user.learn([CommittedPart("飘", ("piao",), False)], cut=known.cut)
    after = {one.text: one.logprob for one in known.convert("piao", n_best=5)}
    most = known.decoder.options.user.commit_logprob
    assert 0 < after["飘"] - before["飘"] <= most + 1e-3
    assert after["票"] == pytest.approx(before["票"])


def test_the_more_frequent_choice_stays_before_the_more_recent(
    converter: Converter, user: UserLexicon
) -> None:
    known = converter.with_user(user)
    assert known.learner is not None
    for text in ("几", "几", "几", "几", "鸡"):
        known.learner.learn([CommittedPart(text, ("ji",), False)])
    found = texts(known.convert("ji"))
    assert found[0] == "几"
    assert "鸡" in found


def test_a_choice_counts_more_after_the_same_word(converter: Converter, user: UserLexicon) -> None:
    known = converter.with_user(user)
    for _ in range(3):
        user.learn(
            [CommittedPart("我", ("wo",)), CommittedPart("卖票", ("mai", "piao"), False)],
            cut=known.cut,
        )
    table = known.decoder.user.current() if known.decoder.user else None
    assert table is not None
    row = np.array([table.texts.index("卖")])
    weak = np.full((1, 1), -3.0, dtype=np.float32)
    me = known.decoder.context_words("我")[1]
    you = known.decoder.context_words("你")[1]
    after_me, after_you = (
        float(table.added_logprob(row, weak, np.array([[word]], dtype=np.int32))[0, 0])
        for word in (me, you)
    )
    assert after_me > after_you > 0


def test_learned_words_are_offered_and_can_be_taken_back(
    known: Converter, user: UserLexicon
) -> None:
    assert known.learner is not None
    before = known.candidates("fanyao")
    assert NEW[0] not in texts(known.candidates("fany"))
    known.learner.learn(
        [CommittedPart("翻", ("fan",), False), CommittedPart("摇", ("yao",), False)]
    )
    assert NEW[0] in texts(known.candidates("fany"))
    known.learner.unlearn()
    assert exact(known.candidates("fanyao")) == exact(before)
    known.learner.forget(*NEW)
    assert NEW[0] not in texts(known.candidates("fanyao"))


def test_explanation_adds_up_with_a_user(known: Converter, user: UserLexicon) -> None:
    user.add(*NEW)
    user.add("你好", ["ni", "hao"])
    for line in ("womaifanyao", "nihao", "fy"):
        explanation = known.explain(line, n_best=5)
        for one in explanation.candidates:
            total = sum(explanation.weights[name] * one.features[name] for name in one.features)
            assert total == pytest.approx(one.logprob, abs=1e-2)
            assert "".join(word.text for word in one.words) == one.text
    assert explanation.candidates[0].features["user"] > 0


def test_explanation_adds_up_with_a_user_and_word_vectors(
    converter: Converter, user: UserLexicon
) -> None:
    user.add(*NEW)
    user.add("你好", ["ni", "hao"])
    lexicon, options = converter.decoder.lexicon, converter.decoder.options
    model = model_with_vectors(converter.artifact, random_vectors(lexicon.n_words + 2))
    options = replace(options, beam=replace(options.beam, **vars(AFFINITY)))
    both = yinzi.load(converter.artifact.folder)
    both.decoder = Decoder(lexicon, model, options=options)
    for line in ("womaifanyao", "nihao", "fanyaowoyao"):
        explanation = both.with_user(user).explain(line, n_best=5)
        for one in explanation.candidates:
            total = sum(explanation.weights[name] * one.features[name] for name in one.features)
            assert total == pytest.approx(one.logprob, abs=1e-2)
        best = explanation.candidates[0].features
        assert best["user"] > 0
        assert any(best[name] for name in PAIR_FEATURES)


def test_a_short_cut_is_worth_what_its_parts_are(converter: Converter) -> None:
    decoder = converter.decoder
    found = word_features(
        ["我要买", "我"],
        [("wo", "yao", "mai"), ("wo",)],
        decoder.lexicon,
        decoder.language_model,
        decoder.segmenter,
    )
    ids = decoder.segmenter.segment_run("我要买")
    bos = decoder.language_model.bos_id
    whole = decoder.language_model.sentence_logprob(ids)
    eos = decoder.language_model.logprobs(
        ids[-2:-1], ids[-1:], np.array([decoder.language_model.eos_id])
    )
    first = decoder.language_model.logprobs(np.array([-1]), np.array([bos]), ids[:1])
    # The second word cannot know of the sentence start: that is what a short cut gives up.
    second = decoder.language_model.logprobs(np.array([bos]), ids[:1], ids[1:2])
    alone = decoder.language_model.logprobs(np.array([-1]), ids[:1], ids[1:2])
    expected = whole - float(eos[0]) - float(first[0]) - float(second[0]) + float(alone[0])
    assert found.inner_logprob.tolist() == pytest.approx([expected, 0.0], abs=1e-4)
    assert found.n_parts.tolist() == [3, 1]
    assert found.entry[0] == -1
    assert decoder.lexicon.text(int(decoder.lexicon.entry_word[found.entry[1]])) == "我"


def test_a_file_that_cannot_be_read_leaves_typing_alone(
    known: Converter,
    user: UserLexicon,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    user.add(*NEW)
    before = known.convert("fanyao")

    def fail(*_: int) -> None:
        raise UserLexiconError("the disk is gone")

    monkeypatch.setattr(user, "changes", fail)
    with caplog.at_level(logging.WARNING):
        assert exact(known.convert("fanyao")) == exact(before)
        known.convert("nihao")
    assert [record.getMessage() for record in caplog.records] == [
        "the disk is gone; what was read of it before is still used"
    ]


def test_long_input_with_a_user(known: Converter, user: UserLexicon) -> None:
    user.add(*NEW)
    found = known.convert("fanyao" * 80)
    assert NEW[0] in found[0].text


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"user.word_share is 0"):
        UserOptions(word_share=0)
    assert DecoderOptions.from_parameters({"user": {"max_words": 3}}).user.max_words == 3
