from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from yinzi.errors import ConfigError
from yinzi_train.pretraining.config import (
    CorruptionOptions,
    LineOptions,
    ModelOptions,
    TextVocabularyOptions,
)
from yinzi_train.pretraining.lines import (
    IGNORED,
    causal_batch,
    fill_lines,
    masked_batch,
    span_batch,
)
from yinzi_train.pretraining.model import PretrainingModel, make_language_model
from yinzi_train.pretraining.vocabulary import CharacterCounts, TextVocabulary, make_tokenizer

TEXTS = ["天气很好。", "我要买3张票 OK？", "学", "龘他们都很高兴，去北京a", ""]


def vocabulary(family: str) -> TextVocabulary:
    counts = CharacterCounts()
    counts.add(text.replace("龘", "") for text in TEXTS)
    return TextVocabulary(make_tokenizer(counts.chosen(TextVocabularyOptions(min_count=1)), family))


@pytest.mark.parametrize("family", ["bert", "gpt", "t5"])
@pytest.mark.parametrize("text", [*TEXTS, "\n", "天\t气", "𠀀天", "A B", "é"])
def test_saved_tokenizer_numbers_as_training_does(family: str, text: str, tmp_path: Path) -> None:
    vocab = vocabulary(family)
    vocab.tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    expected = [*vocab.prefix, *vocab.encode(text), *vocab.suffix]
    assert loaded(text).input_ids == expected
    known = "".join(c for c in text if c in vocab.characters)
    assert loaded.decode(loaded(known).input_ids, skip_special_tokens=True) == known
    assert TextVocabulary.load(tmp_path).tokenizer.get_vocab() == vocab.tokenizer.get_vocab()


def test_each_hanzi_has_one_id_and_frequent_ones_come_first() -> None:
    counts = CharacterCounts()
    counts.add(["好好好天天地", "。。，a"])
    assert counts.chosen(TextVocabularyOptions(min_count=1)) == [*"好天地", *"。a，"]
    assert counts.chosen(TextVocabularyOptions(n_hanzi=1, n_others=1, min_count=2)) == ["好", "。"]
    assert counts.share_of("好地") == pytest.approx(0.4)
    with pytest.raises(ConfigError, match=r"no hanzi occurs 9 times.*min_count lower"):
        counts.chosen(TextVocabularyOptions(min_count=9))


def test_lines_hold_every_character_once_and_long_sentences_in_parts() -> None:
    vocab = vocabulary("bert")
    lines = fill_lines([*TEXTS, "天气" * 20], vocab, LineOptions(length=16, multiple=4))
    assert lines["input_ids"].shape[1] == 16
    assert lines["input_ids"].shape[0] % 4 == 0
    is_text = np.isin(lines["input_ids"], [*vocab.character_ids, vocab.unknown_id])
    assert is_text.sum() == sum(map(len, TEXTS)) + 40
    assert (lines["input_ids"][lines["segments"] < 0] == vocab.pad_id).all()
    for number in range(lines["segments"].max() + 1):
        places = lines["position_ids"][lines["segments"] == number]
        assert places.tolist() == list(range(len(places)))


@pytest.mark.parametrize("family", ["bert", "gpt"])
def test_sentence_in_a_line_is_read_as_if_it_were_alone(family: str) -> None:
    vocab = vocabulary(family)
    torch.manual_seed(0)
    options = ModelOptions(family, 16, 2, n_heads=2, feed_forward_size=32, max_positions=32)
    model = PretrainingModel(make_language_model(options, vocab)).eval()
    texts = TEXTS[:3]
    lines = fill_lines(texts, vocab, LineOptions(length=32, multiple=1))
    assert len(lines["input_ids"]) == 1
    hidden = model._hidden({name: torch.from_numpy(array) for name, array in lines.items()})
    for number, text in enumerate(texts):
        ids = torch.tensor([vocab.tokenizer(text).input_ids])
        alone = model.language_model.base_model(ids).last_hidden_state[0]
        assert torch.allclose(hidden[0, lines["segments"][0] == number], alone, atol=1e-5)


def test_masking_hides_its_shares_of_characters_and_nothing_else() -> None:
    vocab = vocabulary("bert")
    lines = fill_lines(["天气很好我要买票" * 2] * 400, vocab, LineOptions(length=64))
    options = CorruptionOptions(share=0.2, mask_share=0.5)
    batch = masked_batch(lines, vocab, options, np.random.default_rng(0))
    assert batch is not None
    is_target = batch["targets"] != IGNORED
    places, targets = batch["places"][is_target], batch["targets"][is_target]
    assert len(batch["places"]) % 128 == 0
    assert (lines["input_ids"].flat[places] == targets).all()
    assert len(targets) / 6400 == pytest.approx(0.2, abs=0.02)
    shown = batch["input_ids"].flatten()
    assert np.mean(shown[places] == vocab.tokenizer.mask_token_id) == pytest.approx(0.5, abs=0.05)
    assert np.mean(shown[places] == targets) == pytest.approx(0.25, abs=0.06)
    others = np.ones(len(shown), dtype=bool)
    others[places] = False
    assert (shown[others] == lines["input_ids"].flatten()[others]).all()


def test_masking_without_a_character_gives_no_batch() -> None:
    vocab = vocabulary("bert")
    rng = np.random.default_rng(0)
    lines = fill_lines(["龘"], vocab, LineOptions(length=8))
    assert masked_batch(lines, vocab, CorruptionOptions(), rng) is None
    one = masked_batch(
        fill_lines(["天"], vocab, LineOptions(length=8)), vocab, CorruptionOptions(share=1e-9), rng
    )
    assert one is not None
    assert (one["targets"] != IGNORED).sum() == 1
    assert causal_batch(fill_lines([], vocab, LineOptions(length=8))) is None


def test_next_characters_are_those_of_the_same_sentence() -> None:
    vocab = vocabulary("gpt")
    lines = fill_lines(["天气", "很好。"], vocab, LineOptions(length=16, multiple=1))
    batch = causal_batch(lines)
    assert batch is not None
    pairs = zip(batch["places"], batch["targets"], strict=True)
    ids = lines["input_ids"][0]
    told = [vocab.tokenizer.decode([ids[p], t]) for p, t in pairs if t != IGNORED]
    assert told == ["<s>很", "很好", "好。", "。</s>", "<s>天", "天气", "气</s>"]


@pytest.mark.parametrize("share", [0.05, 0.15, 0.6, 0.99])
def test_spans_put_back_give_the_line(share: float) -> None:
    vocab = vocabulary("t5")
    lines = fill_lines([*TEXTS, "我"], vocab, LineOptions(length=32, multiple=1))
    options = CorruptionOptions(share=share)
    batch = span_batch(lines, vocab, options, np.random.default_rng(1))
    assert batch is not None
    for number, whole in enumerate(lines["input_ids"]):
        wanted = whole[lines["segments"][number] >= 0].tolist()
        spans: dict[int, list[int]] = {}
        for one in batch["targets"][number][batch["targets"][number] != IGNORED][:-1]:
            if one in vocab.sentinel_ids:
                spans[int(one)] = []
            else:
                spans[list(spans)[-1]].append(int(one))
        shown = batch["input_ids"][number][batch["attention_mask"][number] == 1]
        put_back = [part for one in shown for part in spans.get(int(one), [int(one)])]
        assert put_back == wanted
        assert sum(map(len, spans.values())) == max(
            1, min(round((len(wanted) - 1) * share), len(wanted) - 2)
        )
    before = batch["decoder_input_ids"]
    assert (before[:, 0] == vocab.pad_id).all()
    is_target = batch["targets"][:, :-1] != IGNORED
    assert (before[:, 1:][is_target] == batch["targets"][:, :-1][is_target]).all()
