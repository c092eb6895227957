from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.yinzi_train.model.model_samples import (
    EVERY,
    OWN,
    PAIRS,
    SIZES,
    STEPWISE,
    VOCAB,
    packed,
    random_samples,
    settings_of,
    tiny_model,
)
from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi_train.dataset.collator import IGNORED
from yinzi_train.model import families
from yinzi_train.model.families import (
    build_model,
    load_checkpoint,
    save_checkpoint,
    vocabulary_digest,
)


@pytest.mark.parametrize(
    "family", [pytest.param(one, marks=[pytest.mark.slow] * (one == "t5")) for one in EVERY]
)
def test_each_family_overfits_a_batch(family: str) -> None:
    torch.manual_seed(0)
    model = build_model(*settings_of(family), VOCAB, PAIRS).train()
    batch = packed(random_samples(10), model, length=32)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    n_right, n_targets = 0, 1
    for _ in range(150):
        with torch.autocast("cpu", torch.bfloat16):
            output = model(**batch)
        n_right, n_targets = int(output.n_right), int(output.n_targets)
        if n_right == n_targets:
            break
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert n_targets > 40
    assert n_right / n_targets >= 0.99


@pytest.mark.parametrize("family", [*EVERY, "lstm-dot", "gru-additive", "lstm-ngrams"])
def test_packed_inputs_are_as_if_alone(family: str) -> None:
    name, _, change = family.rpartition("-") if family.startswith(("l", "gr")) else (family, "", "")
    name = name or family
    changes: dict[str, Any] = {"ngram_orders": [2], "ngram_rows": 64} if change == "ngrams" else {}
    if change in ("dot", "additive"):
        changes["attention"] = change
    model = tiny_model(name, **changes)
    samples = random_samples(20, seed=3)
    batch = packed(samples, model, length=40)
    assert batch["segments"].shape[0] < 10
    with torch.no_grad():
        together = model(**batch).hidden
        for number, sample in enumerate(samples):
            is_mine = batch["segments"] == number
            alone = packed([sample], model, length=len(sample.targets))
            hidden = model(**alone).hidden[alone["segments"] >= 0]
            torch.testing.assert_close(together[is_mine], hidden, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", EVERY)
def test_gradients_stay_in_their_segment(family: str) -> None:
    model = tiny_model(family)
    samples = random_samples(8, seed=4)
    batch = packed(samples, model, length=40)
    seen: list[torch.Tensor] = []
    hook = model.embedding.register_forward_hook(_keep_gradient(seen))
    hidden = model(**batch).hidden
    assert not hidden.requires_grad  # what is given out is cut off
    hidden = model.encode(batch)
    hook.remove()
    mine = batch["segments"] == 5
    hidden[mine].sum().backward()
    touched = seen[-1].grad.abs().sum(-1) > 0
    assert touched[mine].all()
    assert not touched[~mine].any()


def _keep_gradient(seen: list[torch.Tensor]) -> Any:
    def keep(module: torch.nn.Module, arguments: Any, result: Any) -> None:
        del module, arguments
        # Encoder–decoders embed places alone and with their n-grams; here both are one tensor.
        embedded = result[1] if isinstance(result, tuple) else result
        if embedded.requires_grad:
            embedded.retain_grad()
            seen.append(embedded)

    return keep


@pytest.mark.parametrize("family", STEPWISE)
def test_decoders_see_no_later_target(family: str) -> None:
    model = tiny_model(family)
    sample = max(random_samples(20, seed=5), key=lambda s: len(s.targets))
    batch = packed([sample], model, length=len(sample.targets))
    places = [index for index, target in enumerate(sample.targets) if target >= 0]
    with torch.no_grad():
        before = model.encode(batch)[0]
        for place in places[:-1]:
            other = {name: values.clone() for name, values in batch.items()}
            other["targets"][0, place] = (sample.targets[place] + 1) % len(PAIRS)
            after = model.encode(other)[0]
            same = (before - after).abs().amax(-1) < 1e-6
            assert same[: place + 1].all()
            assert not same[place + 1]


@pytest.mark.parametrize("family", EVERY)
def test_lines_of_blanks_cost_nothing(family: str) -> None:
    model = tiny_model(family).train()
    batch = packed(random_samples(3), model, length=32)
    batch["segments"].fill_(-1)
    batch["targets"].fill_(IGNORED)
    output = model(**batch)
    output.loss.backward()
    assert (float(output.loss.detach()), int(output.n_targets)) == (0.0, 0)


def test_other_settings_make_other_models() -> None:
    model = tiny_model("lstm", dropout=0.5, label_smoothing=0.1).train()
    batch = packed(random_samples(4), model, length=32)
    losses = {float(model(**batch).loss.detach()) for _ in range(3)}
    assert len(losses) == 3
    model.eval()
    assert float(model(**batch).loss.detach()) == float(model(**batch).loss.detach())


@pytest.mark.parametrize(
    ("family", "table", "message"),
    [
        ("rnn", {}, "family 'rnn': expected one of"),
        ("lstm", {"cell": "gru"}, "unknown key 'model.cell'"),
        ("lstm", {"n_layer": 2}, "did you mean 'model.n_layers'"),
        ("encoder", {"n_pairs": 3}, "unknown key 'model.n_pairs'"),
        ("encoder", {"n_layers": 1.5}, "model.n_layers is 1.5: expected a whole number"),
        ("encoder", {"n_layers": True}, "expected a whole number"),
        ("encoder", {"dropout": 1}, "model.dropout is 1"),
        ("encoder", {"ngram_orders": 2}, "expected a list of whole numbers"),
        ("encoder", {"ngram_orders": [1]}, "lengths of at least 2"),
        ("encoder", {"hidden_size": 33, "n_heads": 2}, "a multiple of the heads"),
        ("transformer", {"n_decoder_layers": 0}, "n_decoder_layers is 0"),
        ("gru", {"attention": "hard"}, "model.attention is 'hard'"),
        ("gru", {"hidden_size": 31}, "expected an even number"),
        ("gru", {"n_layers": 0}, "model.n_layers is 0"),
    ],
)
def test_settings_are_checked(family: str, table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model(family, table, VOCAB, PAIRS)


def test_sizes_come_from_the_vocabularies() -> None:
    model = build_model("gru", SIZES["gru"], VOCAB, PAIRS)
    config = model.config
    assert (config.n_hanzi, config.n_pairs) == (len(VOCAB.hanzi), len(PAIRS))
    assert config.vocabulary == vocabulary_digest(VOCAB, PAIRS)
    expected = torch.log(torch.from_numpy(PAIRS.counts).float() + 1)
    torch.testing.assert_close(model.pair_layer.bias.detach(), expected)


@pytest.mark.parametrize("family", OWN)
def test_tables_of_ngrams_start_near_zero(family: str) -> None:
    torch.manual_seed(0)
    model = build_model(family, {**SIZES[family], "ngram_orders": [2, 3]}, VOCAB, PAIRS)
    named = dict(model.named_parameters())
    tables = [values for name, values in named.items() if name.endswith("ngrams.table.weight")]
    assert [round(float(table.detach().std()), 2) for table in tables] == [0.02]


@pytest.mark.parametrize("family", EVERY)
def test_checkpoints_are_read_back(family: str, tmp_path: Path) -> None:
    model = tiny_model(family)
    save_checkpoint(model, VOCAB, PAIRS, tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    found = load_checkpoint(tmp_path / "one")
    assert type(found.model) is type(model)
    assert found.vocab == VOCAB
    assert np.array_equal(found.pairs.counts, PAIRS.counts)
    batch = packed(random_samples(5), model, length=32)
    with torch.no_grad():
        assert torch.equal(model(**batch).hidden, found.model(**batch).hidden)


def test_vocabularies_may_lie_elsewhere(tmp_path: Path) -> None:
    save_checkpoint(tiny_model("gru"), VOCAB, PAIRS, tmp_path / "one")
    beside = tmp_path / "vocabularies"
    beside.mkdir()
    for path in (tmp_path / "one").glob("*_vocabulary.json"):
        path.rename(beside / path.name)
    with pytest.raises(ConfigError, match="input_vocabulary"):
        load_checkpoint(tmp_path / "one")
    assert load_checkpoint(tmp_path / "one", vocabularies=beside).vocab == VOCAB


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors", "input_vocabulary.json", "pair_vocabulary.json"],
)
@pytest.mark.parametrize("kept", [None, 0, 0.6], ids=["missing", "empty", "cut short"])
def test_damaged_checkpoints_are_refused(name: str, kept: float | None, tmp_path: Path) -> None:
    save_checkpoint(tiny_model("lstm"), VOCAB, PAIRS, tmp_path / "one")
    path = tmp_path / "one" / name
    content = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ConfigError, match=name.removesuffix(".safetensors")):
        load_checkpoint(tmp_path / "one")


def test_checkpoints_of_other_vocabularies_are_refused(tmp_path: Path) -> None:
    model = tiny_model("encoder")
    folder = tmp_path / "one"
    save_checkpoint(model, VOCAB, PAIRS, folder)
    other = InputVocabulary("好你吗妈马长")
    with pytest.raises(ConfigError, match="the model to be saved was trained with"):
        save_checkpoint(model, other, PAIRS, folder)
    other.save(folder / "input_vocabulary.json")
    with pytest.raises(ConfigError, match="was trained with vocabularies"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model_type", "bert", "of type 'bert'"),
        ("hidden_size", 64, "does not fit config.json"),
        ("n_heads", "two", "describes no model|n_heads"),
        ("n_heads", 3, "n_heads 3"),
    ],
)
def test_edited_configs_are_refused(key: str, value: Any, message: str, tmp_path: Path) -> None:
    save_checkpoint(tiny_model("transformer"), VOCAB, PAIRS, tmp_path / "one")
    path = tmp_path / "one" / "config.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**table, key: value}), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_checkpoint(tmp_path / "one")


def test_the_last_checkpoint_survives_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "one"
    save_checkpoint(tiny_model("gru", seed=1), VOCAB, PAIRS, folder)
    kept = (folder / "model.safetensors").read_bytes()

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(families.InputVocabulary, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tiny_model("gru", seed=2), VOCAB, PAIRS, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (folder / "model.safetensors").read_bytes() == kept
    save_checkpoint(tiny_model("gru", seed=2), VOCAB, PAIRS, folder)
    assert (folder / "model.safetensors").read_bytes() != kept


def test_no_foreign_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(ConfigError, match="is no checkpoint"):
        save_checkpoint(tiny_model("gru"), VOCAB, PAIRS, tmp_path)
    assert (tmp_path / "letter.txt").exists()
