"""Show what a model looks at when it chooses a hanzi: attention maps, as arrays and as pictures.

For an encoder–decoder that is the cross attention of the (last) decoder layer along its best
conversion, for an encoder the self-attention of its last layer. Attention says where a layer reads,
not what decides (Jain and Wallace 2019, arXiv 1902.10186): a picture to look at, no proof.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary, PairTable, ScorerInput
from yinzi_train.dataset.report_plots import find_hanzi_font, needing_matplotlib
from yinzi_train.model.attention import attend, split_heads
from yinzi_train.model.constrained_search import LITERAL, convert, input_batch
from yinzi_train.model.conversion_model import ConversionModel
from yinzi_train.model.encoder import ConversionEncoder, EncoderLayer
from yinzi_train.model.sequence_to_sequence import Seq2SeqModel

__all__ = ["AttentionMaps", "attention_maps", "plot_attention", "save_attention"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """What was looked at for each hanzi.

    Attributes:
        weights: float32 [n_heads, n_targets, n_sources], rows sum to 1; one head for recurrent
            families.
        targets: the hanzi chosen at each place; what was typed where none was chosen.
        target_pinyin: what was typed there.
        sources: left context and typed places, as the `InputVocabulary` spells them.
    """

    weights: NDArray[np.float32]
    targets: tuple[str, ...]
    target_pinyin: tuple[str, ...]
    sources: tuple[str, ...]


@torch.no_grad()
def attention_maps(
    model: ConversionModel, given: ScorerInput, *, vocab: InputVocabulary, pairs: PairTable
) -> AttentionMaps:
    """Return the attention maps of the best conversion of an input.

    Raises:
        ConfigError: the input has no places or does not fit; see `convert`.
    """
    if not len(given.input_ids):
        raise ConfigError("the input has no places: give at least one syllable")
    best = convert(model, [given], pairs=pairs, vocab=vocab, n_best=1)[0][0]
    n_context = len(given.context)
    batch = input_batch([given], vocab=vocab, pairs=pairs, config=model.config)
    batch["targets"][0, n_context:] = torch.tensor(best.pair_ids)
    was_training = model.training
    model.eval()
    try:
        with torch.autocast("cpu", enabled=False):
            if isinstance(model, Seq2SeqModel):
                weights = model.attention_weights(batch)
            elif isinstance(model, ConversionEncoder) and len(model.layers):
                weights = _self_attention(model, batch)
            else:
                raise ConfigError(f"this {type(model).__name__} has no attention to show")
    finally:
        model.train(was_training)
    typed = [vocab.spell(int(input_id)) for input_id in given.input_ids]
    context = [vocab.spell(int(input_id)) for input_id in given.context]
    return AttentionMaps(
        weights[:, n_context:].numpy().astype(np.float32),
        tuple(
            letters if hanzi == LITERAL else hanzi
            for letters, hanzi in zip(typed, best.text, strict=True)
        ),
        tuple(typed),
        (*context, *typed),
    )


def _self_attention(model: ConversionEncoder, batch: dict[str, Tensor]) -> Tensor:
    """Return the weights of the last layer: float [heads, length, length]."""
    seen: list[tuple[Tensor, Tensor]] = []

    def remember(module: torch.nn.Module, arguments: Any) -> None:
        del module
        seen.append(arguments)

    last = model.layers[-1]
    assert isinstance(last, EncoderLayer)
    hook = last.register_forward_pre_hook(remember)
    try:
        model.encode(batch)
    finally:
        hook.remove()
    hidden, bias = seen[0]
    parts = last.query_key_value(last.attention_norm(hidden)).chunk(3, dim=-1)
    query, key = (split_heads(part, last.n_heads) for part in parts[:2])
    return attend(query, key, bias)


def save_attention(maps: AttentionMaps, path: Path) -> None:
    """Write maps as .npz: arrays `weights`, `targets`, `target_pinyin` and `sources`.

    Raises:
        ConfigError: the name does not end in .npz.
    """
    if path.suffix != ".npz":
        raise ConfigError(f"{str(path)!r}: attention maps are written to a file named .npz")
    np.savez_compressed(
        path,
        weights=maps.weights,
        targets=np.array(maps.targets),
        target_pinyin=np.array(maps.target_pinyin),
        sources=np.array(maps.sources),
    )


def plot_attention(maps: AttentionMaps, path: Path, *, hanzi_font: str | None = None) -> None:
    """Draw maps as PNG, a panel for each head: typed pinyin across, hanzi downward.

    Without a font that has hanzi, places of hanzi are labelled with their pinyin, or with a code
    point in the left context; the title says so, and a log message.

    Args:
        maps: what to draw.
        path: the picture.
        hanzi_font: name of an installed font with hanzi; by default one that is found.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with needing_matplotlib():
        import matplotlib
        from matplotlib.figure import Figure
    font = hanzi_font or find_hanzi_font()
    rows, columns, title = maps.targets, maps.sources, "attention: hanzi down, pinyin across"
    if font is None:
        _log.warning("no font with hanzi is installed: %s is labelled with pinyin", path.name)
        title = "attention: hanzi down (as pinyin: no font has them), pinyin across"
        rows = maps.target_pinyin
        columns = tuple(
            name if name.isascii() else " ".join(f"U+{ord(char):04X}" for char in name)
            for name in columns
        )
    n_heads, n_targets, n_sources = maps.weights.shape
    style: Any = {"font.family": [name for name in ("DejaVu Sans", font) if name], "font.size": 8}
    with matplotlib.rc_context(style):
        size = n_heads * (1.2 + 0.3 * n_sources), 1.6 + 0.3 * n_targets
        figure = Figure(figsize=size, dpi=100, layout="constrained")
        figure.suptitle(title)
        panels = figure.subplots(1, n_heads, squeeze=False)[0]
        for head, (axes, weights) in enumerate(zip(panels, maps.weights, strict=True)):
            axes.imshow(weights, vmin=0, vmax=1, cmap="Blues")
            axes.set_xticks(range(n_sources), columns, rotation=90)
            axes.set_yticks(range(n_targets), rows)
            if n_heads > 1:
                axes.set_title(f"head {head + 1}")
        figure.savefig(path, format="png", metadata={"Software": None})
