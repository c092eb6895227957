"""Rebuild a model that can be trained from the int8 encoder of an artifact.

An artifact has no checkpoint: its weights are codes in an ONNX graph. Codes times scales are the
weights that the encoder computes with, so the rebuilt model scores as the shipped one does but for
the rounding of what flows between layers; exported again, it has the same codes. What training
would need beyond that (optimizer, averaged weights) is not in an artifact and starts anew.

One thing cannot be read back: the scales of the columns of the two narrow tables (hanzi, n-grams)
are folded into the layer that widens them. Only the product counts for the result; for training
the columns of that layer get the spread that they had in trained encoders, which is twice that of
a new layer (measured: 0.29 of 64 inputs, 0.16 of 140).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from yinzi.artifact import Artifact
from yinzi.errors import ArtifactError
from yinzi.scoring.encoder import ENCODER_ARRAYS, ENCODER_GRAPH, SECTION, Encoder
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.model import ConversionEncoder, EncoderConfig
from yinzi_train.model.families import Checkpoint, vocabulary_digest

__all__ = ["checkpoint_from_artifact", "is_artifact"]

_ZERO_CODE: Final = 128
_WIDE_SPREAD: Final = 2.0
_MANIFEST: Final = "manifest.json"


def is_artifact(folder: Path) -> bool:
    """Tell whether a folder is an artifact rather than a checkpoint."""
    return (folder / _MANIFEST).is_file()


def checkpoint_from_artifact(folder: Path) -> Checkpoint:
    """Return the encoder of an artifact as a model that can be trained, with its vocabularies.

    `yinzi_train.model.families.save_checkpoint` writes it as a folder.

    Args:
        folder: of the artifact, such as `yinzi.artifact.resolve_artifact` gives.

    Raises:
        ArtifactError: there is no artifact, it has no encoder, or its graph is none that
            `yinzi_train.compression` has written.
    """
    artifact = Artifact.open(folder)
    label = f"artifact {artifact.manifest.name!r}"
    if SECTION not in artifact.manifest.parameters:
        raise ArtifactError(
            f"{label} has no encoder to begin with: give one that has, or a checkpoint of "
            "`yinzi-train train`"
        )
    encoder = Encoder.from_artifact(artifact)  # checks vocabulary and arrays
    arrays = artifact.arrays(SECTION, dtypes=ENCODER_ARRAYS)
    pairs = PairVocabulary(
        arrays["pair_syllables"], arrays["pair_hanzi"], arrays["pair_counts"].astype(np.int64)
    )
    path = artifact.folder / SECTION / ENCODER_GRAPH
    try:
        constants = {
            value.name: numpy_helper.to_array(value)
            for value in onnx.load(str(path)).graph.initializer
        }
        weights = _Codes(constants, arrays).state()
        config = _config(weights, encoder)
        config.vocabulary = vocabulary_digest(encoder.vocab, pairs)
        config.check()
        model = ConversionEncoder(config)
        model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    except (OSError, DecodeError, KeyError, ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"{label}: {str(path)!r} cannot be made a model again ({error!r}): it is damaged, or "
            "no int8 graph of this version; fetch the artifact again, or give a checkpoint"
        ) from error
    return Checkpoint(model.eval(), encoder.vocab, pairs)


class _Codes:
    """Makes weights of codes; `checkpoint_from_artifact` is its only user."""

    def __init__(self, constants: dict[str, NDArray[Any]], arrays: dict[str, NDArray[Any]]) -> None:
        self._constants = constants
        self._arrays = arrays

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return all weights by the names of `ConversionEncoder`, float32."""
        constants = self._constants
        inputs = constants["embedding.inputs"] * constants["embedding.inputs.scales"]
        n_layers = len({name.split(".")[1] for name in constants if name.startswith("layers.")})
        found = {
            "embedding.inputs.weight": inputs[:-1],  # the last row stands for "no input"
            "embedding.tones.weight": constants["embedding.tones"],
            "position_bias": constants["position_bias"],
            "norm.weight": constants["norm.weight"],
            "norm.bias": constants["norm.bias"],
            "pair_layer.weight": self._arrays["pair_weight"] * self._arrays["pair_scales"][:, None],
            "pair_layer.bias": self._arrays["pair_bias"],
            **self._narrow_tables(),
        }
        for index in range(n_layers):
            found |= self._layer(f"layers.{index}", n_heads=len(constants["position_bias"]))
        return {name: np.array(value, dtype=np.float32, order="C") for name, value in found.items()}

    def _layer(self, name: str, *, n_heads: int) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for norm in ("attention_norm", "feed_forward_norm"):
            for part in ("weight", "bias"):
                found[f"{name}.{norm}.{part}"] = self._constants[f"{name}.{norm}.{part}"]
        for linear in ("attention_output", "feed_forward_input", "feed_forward_output"):
            found[f"{name}.{linear}.weight"] = self._product(f"{name}.{linear}")
            found[f"{name}.{linear}.bias"] = self._constants[f"{name}.{linear}.bias"]
        joined = f"{name}.query_key_value"
        parts = [f"{joined}.{part}" for part in ("query", "key", "value")]
        size = len(self._constants[f"{parts[0]}.bias"])
        factors = np.ones(3 * size, dtype=np.float32)
        factors[:size] = (size // n_heads) ** 0.5  # the graph has queries scaled down
        weight = np.concatenate([self._product(part) for part in parts])
        bias = np.concatenate([self._constants[f"{part}.bias"] for part in parts])
        found[f"{joined}.weight"] = weight * factors[:, None]
        found[f"{joined}.bias"] = bias * factors
        return found

    def _product(self, name: str) -> NDArray[np.float32]:
        """Return float32 [out, in], the weight of a product."""
        codes, scales = self._constants[f"{name}.weight"], self._constants[f"{name}.scales"]
        weight: NDArray[np.float32] = codes.T.astype(np.float32) * scales[:, None]
        return weight

    def _narrow_tables(self) -> dict[str, NDArray[Any]]:
        """Return both tables and the layers that widen them."""
        hanzi = self._table("hanzi_rows")
        joined = self._product("embedding.widen")  # [size, widths side by side]
        n_hanzi = hanzi.shape[1]
        table, widen = _spread(hanzi, joined[:, :n_hanzi])
        found: dict[str, NDArray[Any]] = {
            "embedding.hanzi.weight": table,
            "embedding.widen.weight": widen,
        }
        if "table of ngram_rows" in self._constants:
            table, project = _spread(self._table("ngram_rows"), joined[:, n_hanzi:])
            found["ngrams.table.weight"] = table
            found["ngrams.project.weight"] = project
            found["ngrams.project.bias"] = self._constants["embedding.widen.bias"]
        return found

    def _table(self, ids: str) -> NDArray[np.float32]:
        """Return the codes of a narrow table, its scales left out."""
        codes = self._constants[f"table of {ids}"].astype(np.float32)
        codes -= _ZERO_CODE
        return codes


def _spread(
    table: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Move scales between the columns of a table and of what widens it; the product stays.

    Args:
        table: float32 [n_rows, width].
        weight: float32 [size, n × width], for n rows side by side.
    """
    size, width = len(weight), table.shape[1]
    apart = weight.reshape(size, -1, width)
    found = np.sqrt((apart**2).mean(axis=(0, 1)))  # [width]
    wanted = _WIDE_SPREAD * weight.shape[1] ** -0.5
    factors = np.where(found > 0, wanted / np.maximum(found, 1e-30), 1.0).astype(np.float32)
    return table / factors, (apart * factors).reshape(size, -1)


def _config(weights: dict[str, NDArray[np.float32]], encoder: Encoder) -> EncoderConfig:
    """Return the sizes that the weights tell of."""
    n_heads, n_distances = weights["position_bias"].shape
    n_pairs, hidden_size = weights["pair_layer.weight"].shape
    inner = weights.get("layers.0.feed_forward_input.bias", np.zeros(1))
    ngrams = weights.get("ngrams.table.weight", np.zeros((2, 1)))
    return EncoderConfig(
        n_inputs=len(weights["embedding.inputs.weight"]),
        n_hanzi=len(weights["embedding.hanzi.weight"]) - 1,
        n_pairs=n_pairs,
        hidden_size=hidden_size,
        hanzi_size=weights["embedding.hanzi.weight"].shape[1],
        ngram_orders=list(encoder.options.ngram_orders),
        ngram_rows=encoder.options.ngram_rows,
        ngram_size=ngrams.shape[1],
        n_layers=sum(name.endswith(".attention_norm.bias") for name in weights),
        n_heads=n_heads,
        feed_forward_size=len(inner),
        max_distance=(n_distances - 1) // 2,
    )
