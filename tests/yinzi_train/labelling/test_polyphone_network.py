from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.yinzi_train.labelling.polyphone_sentences import SENTENCES
from yinzi.errors import ConfigError
from yinzi_train.labelling import network
from yinzi_train.labelling.network import PolyphoneNetwork
from yinzi_train.labelling.network_files import NetworkFiles, read_network_files
from yinzi_train.labelling.reference import load_g2pm


def polyphone_positions(
    texts: list[str], files: NetworkFiles
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return codes, starts and lengths of the texts, and where their polyphones are."""
    joined = "\n".join(texts)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    targets = [i for i, char in enumerate(joined) if len(files.readings.get(char, ())) > 1]
    codes = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
    return codes, starts, lengths, np.array(targets, dtype=np.int64)


def test_batch_gives_what_g2pm_gives_sentence_by_sentence(network_files: NetworkFiles) -> None:
    g2pm = load_g2pm()
    expected = [
        name
        for text in SENTENCES
        for char, name in zip(text, g2pm(text, char_split=True) if text else [], strict=True)
        if len(network_files.readings.get(char, ())) > 1
    ]
    polyphones = PolyphoneNetwork(network_files)
    hidden = polyphones.hidden(*polyphone_positions(SENTENCES, network_files))
    names = {index: name for name, index in network_files.class_ids.items()}
    best = polyphones.logits(hidden).argmax(axis=1)
    assert [names[index] for index in best.tolist()] == expected
    assert len(expected) > 100


def test_batches_change_nothing(
    network_files: NetworkFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    polyphones = PolyphoneNetwork(network_files)
    arguments = polyphone_positions(SENTENCES, network_files)
    together = polyphones.hidden(*arguments)
    monkeypatch.setattr(network, "SEQUENCES_PER_BLOCK", 3)
    np.testing.assert_allclose(polyphones.hidden(*arguments), together, rtol=0, atol=1e-4)


def test_chosen_outputs_equal_all_outputs(network_files: NetworkFiles) -> None:
    polyphones = PolyphoneNetwork(network_files)
    hidden = polyphones.hidden(*polyphone_positions(SENTENCES[:3], network_files))
    classes = np.tile(np.array([5, 0, -1], dtype=np.int16), (len(hidden), 1))
    chosen = polyphones.logits(hidden, classes)
    np.testing.assert_allclose(chosen[:, :2], polyphones.logits(hidden)[:, [5, 0]], atol=1e-3)
    assert np.isneginf(chosen[:, 2]).all()


def test_no_polyphone_gives_an_empty_result(network_files: NetworkFiles) -> None:
    polyphones = PolyphoneNetwork(network_files)
    assert polyphones.hidden(*polyphone_positions(["", "abc"], network_files)).shape == (0, 32)


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("1 + 1",))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps(Attack()), "eval is not allowed"),
        (pickle.dumps(Path("x")), "is not allowed"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({"embedding.weight": 3}), "embedding.weight has shape"),
        (b"", "cannot read"),
        (b"\x80\x04garbage", "cannot read"),
    ],
    ids=["code", "object", "list", "no-array", "empty", "damaged"],
)
def test_foreign_pickle_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "np_ckpt.pkl").write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        read_network_files(tmp_path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"np_ckpt\.pkl"):
        read_network_files(tmp_path)
