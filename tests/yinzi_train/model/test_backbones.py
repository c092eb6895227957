from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from tests.yinzi_train.model.backbone_samples import (
    SPECIALS,
    backbone,
    character_tokenizer,
    write_backbone,
)
from tests.yinzi_train.model.model_samples import (
    ON_BACKBONES,
    PAIRS,
    VOCAB,
    given,
    packed,
    random_samples,
    settings_of,
    tiny_model,
)
from yinzi.errors import ConfigError
from yinzi.pinyin import syllable_id
from yinzi_train.model import ConversionModel
from yinzi_train.model.backbone_model import BackboneModel
from yinzi_train.model.constrained_search import convert, input_batch
from yinzi_train.model.families import (
    build_model,
    check_model_settings,
    load_checkpoint,
    save_checkpoint,
)
from yinzi_train.model.restricted_softmax import restricted_logprobs
from yinzi_train.model.slice_logprobs import slice_logprobs
from yinzi_train.model.torch_scorer import TorchScorer

HANZI = "".join(sorted(set(PAIRS.texts())))
KINDS = [("bert", "roberta"), ("bert", "electra"), ("gpt", "llama"), ("gpt", "qwen2")]
PROMPTED = ("gpt-prompt", "llama")


@pytest.fixture(autouse=True)
def quiet() -> None:
    from yinzi_train.training.processes import quiet_libraries

    quiet_libraries()


def built(family: str, kind: str, **settings: Any) -> BackboneModel:
    torch.manual_seed(0)
    model = build_model(family, {"backbone": str(backbone(kind, HANZI)), **settings}, VOCAB, PAIRS)
    assert isinstance(model, BackboneModel)
    return model.eval()


def hidden_of(model: ConversionModel, samples: Any, length: int = 40) -> torch.Tensor:
    batch = packed(samples, model, length=length)
    with torch.no_grad():
        hidden = model(**batch).hidden
    assert isinstance(hidden, torch.Tensor)
    return hidden


@pytest.mark.parametrize(("family", "kind"), [*KINDS, PROMPTED])
def test_other_architectures_keep_segments_apart(family: str, kind: str) -> None:
    model = tiny_model(family, kind=kind)
    samples = random_samples(12, seed=3)
    batch = packed(samples, model, length=40)
    with torch.no_grad():
        together = model(**batch).hidden
        for number, sample in enumerate(samples):
            alone = packed([sample], model, length=len(sample.targets))
            hidden = model(**alone).hidden[alone["segments"] >= 0]
            mine = together[batch["segments"] == number]
            torch.testing.assert_close(mine, hidden, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("family", "kind"), [*KINDS, PROMPTED])
def test_other_architectures_convert_as_they_score(family: str, kind: str) -> None:
    model = tiny_model(family, kind=kind, seed=3)
    typed = given("zh hao ma", "你好")
    (found,) = convert(model, [typed], pairs=PAIRS, vocab=VOCAB, n_best=3, beam_width=30)
    assert len(found) == 3
    for conversion in found:
        batch = input_batch([typed], vocab=VOCAB, pairs=PAIRS, config=model.config)
        batch["targets"][0, 2:] = torch.tensor(conversion.pair_ids)
        taught = slice_logprobs(model, batch)
        at = taught.starts[:-1] + batch["targets"][0, 2:] - batch["pair_low"][0, 2:]
        total = float(taught.logprobs[at].sum())
        assert conversion.logprob == pytest.approx(total, abs=1e-3)


def test_a_masked_language_model_is_its_own_output_layer() -> None:
    model = built("bert", "bert")
    source = AutoModelForMaskedLM.from_pretrained(backbone("bert", HANZI)).eval()
    ids = torch.tensor([[VOCAB.hanzi_id(char) for char in "你好吗"]])
    batch = {
        "input_ids": ids,
        "input_tones": torch.zeros_like(ids),
        "segments": torch.zeros_like(ids),
    }
    tokens = torch.tensor([[len(SPECIALS) + 1 + HANZI.index(char) for char in "你好吗"]])
    with torch.no_grad():
        hidden = model.encode(batch)
        expected = source(input_ids=tokens, position_ids=torch.tensor([[1, 2, 3]])).logits
        logits = hidden @ model.pair_layer.weight.T + model.pair_layer.bias
        shares = torch.log(torch.from_numpy(PAIRS.reading_shares).float())
    of_pair = [len(SPECIALS) + 1 + HANZI.index(char) for char in PAIRS.texts()]
    torch.testing.assert_close(logits - shares, expected[..., of_pair], rtol=1e-3, atol=1e-3)


def test_a_causal_language_model_goes_on_with_the_left_context() -> None:
    model = built("gpt", "gpt2", lookahead=0)
    source = AutoModelForCausalLM.from_pretrained(backbone("gpt2", HANZI)).eval()
    with torch.no_grad():  # without what is typed, it is the language model itself
        model.typed.weight.zero_()
        ids = torch.tensor([[VOCAB.hanzi_id(char) for char in "你好吗"]])
        zeros = torch.zeros_like(ids)
        batch = {"input_ids": ids, "input_tones": zeros, "segments": zeros, "targets": zeros - 100}
        hidden = model.encode(batch)
        tokens = torch.tensor([[2, *(len(SPECIALS) + 1 + HANZI.index(char) for char in "你好")]])
        expected = source(input_ids=tokens).logits
    of_pair = [len(SPECIALS) + 1 + HANZI.index(char) for char in PAIRS.texts()]
    found = hidden @ model.pair_layer.weight.T
    torch.testing.assert_close(found, expected[..., of_pair], rtol=1e-3, atol=1e-3)


def test_syllables_start_from_the_hanzi_that_they_can_be() -> None:
    model = built("gpt", "gpt2")
    hanzi = model.embedding.hanzi.weight
    chars = [chr(code) for code in PAIRS.hanzi]
    of = {char: hanzi[model.embedding.hanzi_of_pair[i]] for i, char in enumerate(chars)}
    start = model.embedding.inputs.weight
    expected = (of["长"] * 10 + of["常"] * 9) / 19
    torch.testing.assert_close(start[syllable_id("chang")], expected)
    torch.testing.assert_close(start[syllable_id("ni")], of["你"])


def test_hanzi_of_several_tokens_start_from_their_mean() -> None:
    folder = backbone("qwen2", HANZI)
    model = built("gpt", "qwen2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    table = AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().weight
    for char, n_tokens in (("你", 1), ("妈", 3)):
        tokens = tokenizer(char)["input_ids"]
        assert len(tokens) == n_tokens
        row = model.embedding.hanzi_of_input[VOCAB.hanzi_id(char)]
        torch.testing.assert_close(model.embedding.hanzi.weight[row], table[tokens].mean(0))


def test_new_weights_come_from_the_seed_alone(tmp_path: Path) -> None:
    folder = tmp_path / "architecture"
    folder.mkdir()
    shutil.copy(backbone("bert", HANZI) / "config.json", folder)  # neither weights nor tokenizer
    states = []
    for _ in range(2):
        torch.manual_seed(5)
        settings = {"backbone": str(folder), "from_scratch": True}
        states.append(build_model("bert", settings, VOCAB, PAIRS).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    used = built("bert", "bert").state_dict()
    name = "backbone.bert.encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(states[0][name], used[name])


@pytest.mark.parametrize("name", ON_BACKBONES)
def test_every_parameter_learns(name: str) -> None:
    model = tiny_model(name).train()
    model(**packed(random_samples(20), model, length=40)).loss.backward()
    without = [label for label, value in model.named_parameters() if value.grad is None]
    assert without == []  # as several processes need it
    assert len(model.backbone_layers()) == (4 if name == "t5" else 2)


def test_dropout_is_that_of_the_run() -> None:
    batch = packed(random_samples(4), tiny_model("bert"), length=32)
    for dropout, n_losses in ((0.0, 1), (0.3, 3)):
        model = built("bert", "bert", dropout=dropout).train()
        assert len({float(model(**batch).loss.detach()) for _ in range(3)}) == n_losses


@pytest.mark.parametrize(("family", "kind"), [("bert", "bert"), *KINDS, ("t5", "t5"), PROMPTED])
def test_checkpoints_need_no_backbone(family: str, kind: str, tmp_path: Path) -> None:
    folder = write_backbone(tmp_path / "backbone", kind, HANZI)
    family, _, conditioning = family.partition("-")
    settings: dict[str, Any] = {"backbone": str(folder), "dropout": 0.1}
    if conditioning:
        settings["conditioning"] = conditioning
    model = build_model(family, settings, VOCAB, PAIRS).eval()
    shutil.rmtree(folder)
    save_checkpoint(model, VOCAB, PAIRS, tmp_path / "one")
    save_checkpoint(load_checkpoint(tmp_path / "one").model, VOCAB, PAIRS, tmp_path / "two")
    found = load_checkpoint(tmp_path / "two").model
    samples = random_samples(5)
    assert torch.equal(hidden_of(model, samples), hidden_of(found, samples))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "two" / "tokenizer")
    assert tokenizer.decode(tokenizer("你好", add_special_tokens=False)["input_ids"]).strip()
    text = [sample.given for sample in samples]
    converted = [convert(m, text, pairs=PAIRS, vocab=VOCAB) for m in (model, found)]
    assert converted[0] == converted[1]


def test_masked_language_models_can_score_a_lattice() -> None:
    model = tiny_model("bert")
    scored = TorchScorer(model, VOCAB, PAIRS).score([given("ni hao ma", "妈"), given("zh")])
    for start, end in zip(scored.starts[:-1], scored.starts[1:], strict=True):
        assert float(np.exp(scored.logprobs[start:end]).sum()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ConfigError, match="GptModel chooses hanzi one after another"):
        TorchScorer(tiny_model("gpt"), VOCAB, PAIRS)


@pytest.mark.parametrize("name", ["encoder", "bert", "gpt", "gru"])
def test_teachers_tell_their_logprobs(name: str) -> None:
    model = tiny_model(name, dropout=0.2).train()
    batch = packed(random_samples(12), model, length=32)
    taught = slice_logprobs(model, batch)
    assert model.training
    targets = batch["targets"].reshape(-1)
    assert taught.places.tolist() == (targets >= 0).nonzero()[:, 0].tolist()
    sizes = (batch["pair_high"] - batch["pair_low"]).reshape(-1)[taught.places]
    assert taught.starts.diff().tolist() == sizes.tolist()
    sums = [part.exp().sum().item() for part in taught.logprobs.split(sizes.tolist())]
    assert sums == pytest.approx([1.0] * len(sums), abs=1e-5)
    model.eval()
    at = taught.starts[:-1] + targets[taught.places] - batch["pair_low"].reshape(-1)[taught.places]
    loss = -float(taught.logprobs[at].mean())
    assert loss == pytest.approx(float(model(**batch).loss.detach()), abs=1e-4)
    every = slice_logprobs(model, batch, all_places=True)
    assert set(taught.places.tolist()) < set(every.places.tolist())
    hidden = model.encode(batch).flatten(0, 1)[every.places]
    low, high = (batch[key].reshape(-1)[every.places] for key in ("pair_low", "pair_high"))
    layer = model.pair_layer
    expected, _ = restricted_logprobs(hidden, layer.weight, layer.bias, low=low, high=high)
    torch.testing.assert_close(every.logprobs, expected)


def altered(tmp_path: Path, kind: str, **changes: Any) -> str:
    folder = tmp_path / kind
    shutil.copytree(backbone(kind, HANZI), folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return str(folder)


@pytest.mark.parametrize(
    ("family", "kind", "message"),
    [
        (
            "bert",
            "gpt2",
            "type 'gpt2', which does not fit family 'bert': set model.family = \"gpt\"",
        ),
        ("gpt", "bert", 'set model.family = "bert"'),
        ("bert", "t5", 'set model.family = "t5"'),
        ("t5", "llama", 'set model.family = "gpt"'),
    ],
)
def test_the_family_must_fit_the_backbone(family: str, kind: str, message: str) -> None:
    settings = {"backbone": str(backbone(kind, HANZI))}
    for check in (
        lambda: check_model_settings(family, settings),
        lambda: build_model(family, settings, VOCAB, PAIRS),
    ):
        with pytest.raises(ConfigError, match=message):
            check()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "model.backbone is empty: give the folder"),
        ({"backbone": "./nowhere"}, "there is no such folder; make one with"),
        ({"backbone": "build/bert/final"}, "there is no such folder"),
        ({"backbone": 3}, "expected text in quotes"),
        ({"backbone": "x", "from_scratch": 1}, "expected true or false"),
        ({"backbone": "x", "conditioning": "none"}, "expected 'aligned' or 'prompt'"),
        ({"backbone": "x", "lookahead": -1}, "lookahead is -1"),
        ({"backbone": "x", "hidden_size": 3}, "unknown key 'model.hidden_size'"),
        ({"backbone": "x", "ngram_orders": [2]}, "unknown key 'model.ngram_orders'"),
    ],
)
def test_settings_of_backbones_are_checked(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_model_settings("gpt", table)
    with pytest.raises(ConfigError, match=message):
        build_model("gpt", table, VOCAB, PAIRS)


def test_folders_that_are_no_backbone(tmp_path: Path) -> None:
    def refused(message: str, folder: str, family: str = "bert") -> None:
        with pytest.raises(ConfigError, match=message):
            build_model(family, {"backbone": folder}, VOCAB, PAIRS)

    refused("has no config.json", str(tmp_path))
    refused("does not know", altered(tmp_path / "a", "bert", model_type="mystery"))
    folder = altered(tmp_path / "b", "bert")
    for path in Path(folder).glob("tokenizer*"):
        path.unlink()
    refused("has no tokenizer: put the tokenizer", folder)
    folder = altered(tmp_path / "c", "bert")
    (Path(folder) / "tokenizer.json").write_text("{")
    refused("cannot read the tokenizer", folder)
    folder = altered(tmp_path / "d", "bert")
    (Path(folder) / "model.safetensors").unlink()
    refused("cannot read the weights", folder)
    folder = altered(tmp_path / "e", "bert")
    content = (Path(folder) / "model.safetensors").read_bytes()
    (Path(folder) / "model.safetensors").write_bytes(content[:2000])
    refused("cannot read the weights", folder)
    folder = altered(tmp_path / "f", "bert")
    (Path(folder) / "config.json").write_text("{")
    refused("model.backbone", folder)


def test_backbones_without_hanzi_are_refused(tmp_path: Path) -> None:
    folder = write_backbone(tmp_path / "few", "bert", "你好吗")
    with pytest.raises(ConfigError, match=f"knows 3 of the {len(HANZI)} hanzi of .*from_scratch"):
        build_model("bert", {"backbone": str(folder)}, VOCAB, PAIRS)
    build_model("bert", {"backbone": str(folder), "from_scratch": True}, VOCAB, PAIRS)
    most = write_backbone(tmp_path / "most", "bert", HANZI[:-2])
    model = build_model("bert", {"backbone": str(most)}, VOCAB, PAIRS)
    assert torch.isfinite(model.embedding.hanzi.weight).all()


def test_tokenizers_of_other_models_are_refused(tmp_path: Path) -> None:
    folder = altered(tmp_path, "bert")
    character_tokenizer("一二三四五六七八九十" + HANZI).save_pretrained(folder)
    with pytest.raises(ConfigError, match="tokenizer and weights do not belong together"):
        build_model("bert", {"backbone": folder}, VOCAB, PAIRS)


def test_short_backbones_are_refused(tmp_path: Path) -> None:
    folder = altered(tmp_path, "gpt2", n_positions=32)
    with pytest.raises(ConfigError, match="tells 32 places apart"):
        build_model("gpt", {"backbone": folder, "from_scratch": True}, VOCAB, PAIRS)


def test_inputs_that_are_too_long_are_refused() -> None:
    model = built("gpt", "gpt2")
    model.position_ids(torch.arange(80)[None])
    with pytest.raises(ConfigError, match="tells 80 apart"):
        model.position_ids(torch.arange(81)[None])


def test_the_hub_may_be_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: Any, **options: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'\nmore")

    monkeypatch.setattr(AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(ConfigError, match="no folder here, and the hub did not give it: We could"):
        check_model_settings("bert", {"backbone": "someone/chinese-bert"})


def test_backbones_that_mix_segments_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BackboneModel, "mask", lambda self, seen, embedded: torch.zeros(seen.shape))
    with pytest.raises(ConfigError, match="does not keep inputs of one line apart"):
        build_model(*settings_of("bert"), VOCAB, PAIRS)
