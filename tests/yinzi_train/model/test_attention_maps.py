from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.yinzi_train.model.model_samples import (
    OWN,
    PAIRS,
    VOCAB,
    given,
    packed,
    random_samples,
    tiny_model,
)
from yinzi.errors import ConfigError
from yinzi_train.model import attention_plots
from yinzi_train.model.attention_plots import attention_maps, plot_attention, save_attention
from yinzi_train.model.constrained_search import convert

TYPED = given("zh hao A ma", "你好")
N_HEADS = {"encoder": 2, "transformer": 2, "lstm": 1, "gru": 1}


@pytest.mark.parametrize("family", OWN)
def test_maps_are_distributions_over_the_source(family: str) -> None:
    model = tiny_model(family)
    maps = attention_maps(model, TYPED, vocab=VOCAB, pairs=PAIRS)
    assert maps.weights.shape == (N_HEADS[family], 4, 6)
    assert maps.weights.dtype == np.float32
    np.testing.assert_allclose(maps.weights.sum(-1), 1, atol=1e-5)
    assert maps.weights.std() > 1e-3
    text = convert(model, [TYPED], pairs=PAIRS, vocab=VOCAB)[0][0].text
    assert maps.targets == (text[0], text[1], "WORD", text[3])
    assert maps.sources == ("你", "好", "zh-", "hao", "WORD", "ma")
    assert maps.target_pinyin == maps.sources[2:]


def test_maps_of_an_encoder_are_those_of_its_last_layer() -> None:
    model = tiny_model("encoder")
    seen = []
    last = model.layers[-1]
    hook = last.attention_output.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    values = []
    other = last.query_key_value.register_forward_hook(lambda *call: values.append(call[2]))
    maps = attention_maps(model, TYPED, vocab=VOCAB, pairs=PAIRS)
    hook.remove()
    other.remove()
    value = values[-1].chunk(3, dim=-1)[2].view(6, 2, 16)
    mixed = np.einsum("hts,shd->thd", maps.weights, value.numpy()).reshape(4, 32)
    np.testing.assert_allclose(mixed, seen[-1][0, 2:].numpy(), atol=1e-5)


def test_cross_attention_stays_in_its_segment() -> None:
    model = tiny_model("transformer")
    batch = packed(random_samples(8, seed=2), model, length=40)
    with torch.no_grad():
        weights = model.attention_weights(batch).view(len(batch["segments"]), 2, 40, 40)
    is_apart = batch["segments"][:, None, :, None] != batch["segments"][:, None, None]
    assert not weights.masked_select(is_apart).any()
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


@pytest.mark.parametrize("family", ["lstm", "gru"])
def test_recurrent_attention_stays_in_its_segment(family: str) -> None:
    model = tiny_model(family)
    batch = packed(random_samples(8, seed=2), model, length=40)
    seen: list[torch.Tensor] = []
    hook = model.attention.register_forward_hook(lambda *call: seen.append(call[2]))
    lengths: list[torch.Tensor] = []
    before = model.attention.register_forward_pre_hook(lambda _, given: lengths.append(given[2]))
    with torch.no_grad():
        model.encode(batch)
    hook.remove()
    before.remove()
    assert len(seen) > 1
    for weights, mask in zip(seen, lengths, strict=True):
        n_places = (mask == 0).sum(-1)  # [rows, 1]
        assert not weights[(mask < 0).expand_as(weights) & (n_places > 0)[..., None]].any()
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert sum(int((mask == 0).sum()) for mask in lengths) == int((batch["segments"] >= 0).sum())


def test_maps_are_saved(tmp_path: Path) -> None:
    maps = attention_maps(tiny_model("lstm"), TYPED, vocab=VOCAB, pairs=PAIRS)
    save_attention(maps, tmp_path / "map.npz")
    with np.load(tmp_path / "map.npz") as found:
        assert np.array_equal(found["weights"], maps.weights)
        assert found["targets"].tolist() == list(maps.targets)
        assert found["sources"].tolist() == list(maps.sources)
    with pytest.raises(ConfigError, match=r"named \.npz"):
        save_attention(maps, tmp_path / "map.npy")


@pytest.mark.parametrize("family", ["transformer", "gru"])
def test_maps_are_drawn_without_a_font_for_hanzi(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attention_plots, "find_hanzi_font", lambda: None)
    maps = attention_maps(tiny_model(family), TYPED, vocab=VOCAB, pairs=PAIRS)
    with caplog.at_level(logging.WARNING):
        plot_attention(maps, tmp_path / "map.png")
    assert "no font with hanzi" in caplog.text
    picture = (tmp_path / "map.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    turned = replace(maps, weights=maps.weights[:, ::-1])
    plot_attention(turned, tmp_path / "turned.png")
    assert (tmp_path / "turned.png").read_bytes() != picture


def test_a_font_gives_the_labels(tmp_path: Path) -> None:
    # No font with hanzi need be installed: what is drawn here has none.
    maps = attention_maps(tiny_model("gru"), given("ma ni"), vocab=VOCAB, pairs=PAIRS)
    latin = replace(maps, targets=("m", "n"))
    plot_attention(latin, tmp_path / "font.png", hanzi_font="DejaVu Serif")
    assert (tmp_path / "font.png").stat().st_size > 1000


def test_there_must_be_something_to_look_at() -> None:
    with pytest.raises(ConfigError, match="no places"):
        attention_maps(tiny_model("gru"), given(""), vocab=VOCAB, pairs=PAIRS)


def test_every_family_of_our_own_has_maps() -> None:
    assert set(N_HEADS) == set(OWN)


def test_backbones_have_none() -> None:
    with pytest.raises(ConfigError, match="BertModel has no attention to show"):
        attention_maps(tiny_model("bert"), TYPED, vocab=VOCAB, pairs=PAIRS)
