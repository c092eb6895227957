"""Sharpen an encoder on candidate lists: make the decoder's sum prefer what was written.

Cross-entropy asks for the right hanzi at each place, whether or not the language model knows it
too. Here the loss is that of the whole decoder: the softmax over the candidates of a list, of the
weighted sum that ranks them, in which all but the encoder is fixed (conditional maximum likelihood
over n-best lists, a form of maximum mutual information training: Bahl et al. 1986; Och 2002, ACL
P02-1038; Prabhavalkar et al. 2018, arXiv 1712.01818). So the encoder learns where it can turn the
tables.

Candidates of a list differ at few places, and the normalizer of a place is the same for all of
them: only the logits of what differs are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yinzi.scoring import InputVocabulary, context_ids
from yinzi_train.dataset.collator import IGNORED
from yinzi_train.model import ConversionModel
from yinzi_train.n_best import NBestLists
from yinzi_train.training.finetuning_options import NBestOptions
from yinzi_train.training.stream import BatchStream

__all__ = ["ListPacker", "ListedStream", "NBestLoss", "measure_lists", "n_best_loss"]

Arrays = dict[str, NDArray[Any]]

_PREFIX: Final = "list_"
_MEASURED_AT_ONCE: Final = 500


@dataclass(frozen=True, eq=False)
class ListPacker:
    """Make arrays of a model's batch from candidate lists.

    Attributes:
        lists: all of them.
        vocab: of the model.
        log_counts: float64 [n_pairs], natural log of how frequent each pair is.
        pack: lays runs into lines; `list_place` has to be among its further arrays.
        options: of the loss.
    """

    lists: NBestLists
    vocab: InputVocabulary
    log_counts: NDArray[np.float64]
    pack: Callable[[Arrays], Arrays]
    options: NBestOptions

    @cached_property
    def held_out(self) -> NDArray[np.int64]:
        """int64 [held_out], lists that are not trained on: some of each source."""
        return np.arange(self.options.held_out) * len(self.lists) // self.options.held_out

    @cached_property
    def trained(self) -> NDArray[np.int64]:
        """int64, all other lists."""
        return np.setdiff1d(np.arange(len(self.lists)), self.held_out)

    def __call__(self, numbers: NDArray[np.integer]) -> Arrays:
        """Return the runs of some lists in lines, without targets, and what the loss is made of.

        Returns:
            What `pack_inputs` does; and `list_places` int64 [n_terms], of the lines laid end to
            end; `list_pairs` int64 [n_terms]; `list_weights` float32 [n_terms], of the logits;
            `list_candidates` int64 [n_terms]; `list_logprobs` float32 [n_candidates], all that is
            fixed, natural log; `list_numbers` int64 [n_candidates], from 0; `list_right` int64
            [n_lists], candidates; `list_shares` float32 [n_lists], of each list in the mean loss.
        """
        batch = self.lists.batch(numbers)
        sizes = np.diff(batch.run_starts)
        contexts = [context_ids(self.vocab, text) for text in batch.contexts]
        n_before = np.array([len(ids) for ids in contexts])
        row = np.repeat(np.arange(len(sizes)), sizes)
        column = n_before[row] + np.arange(len(row)) - batch.run_starts[row]
        shape = (len(sizes), int((n_before + sizes).max()))
        values = {
            "input_ids": self.vocab.ids_of_ranges(batch.low, batch.high),
            "syllable_lo": batch.low,
            "syllable_hi": batch.high,
            "segments": np.zeros(len(row), dtype=np.int64),
            "list_place": np.arange(len(row)),
        }
        fills = {"segments": -1, "list_place": IGNORED}
        arrays: Arrays = {
            name: np.full(shape, fills.get(name, 0), dtype=np.int64) for name in values
        }
        for name, value in values.items():
            arrays[name][row, column] = value
        for line, ids in enumerate(contexts):
            arrays["input_ids"][line, : len(ids)] = ids
            arrays["segments"][line, : len(ids)] = 0
        arrays["input_tones"] = np.zeros(shape, dtype=np.int64)
        arrays["targets"] = np.full(shape, IGNORED, dtype=np.int64)
        arrays["weights"] = np.zeros(shape, dtype=np.float32)
        packed = self.pack(arrays)
        place_of = np.empty(len(row), dtype=np.int64)
        laid = packed.pop("list_place").reshape(-1)
        at = np.flatnonzero(laid >= 0)
        place_of[laid[at]] = at
        is_full = batch.high - batch.low == 1
        factor = np.where(is_full, 1.0, self.lists.abbreviated_factor)[batch.term_place]
        scale = self.lists.temperature
        fixed = scale * self.options.language_model_weight * batch.logprobs.astype(np.float64)
        prior = scale * self.lists.prior_weight * factor * self.log_counts[batch.term_pair]
        np.add.at(fixed, batch.term_candidate, prior)
        counts = np.diff(batch.list_starts)
        return {
            **packed,
            "list_places": place_of[batch.term_place],
            "list_pairs": batch.term_pair,
            "list_weights": (scale * self.lists.encoder_weight * factor).astype(np.float32),
            "list_candidates": batch.term_candidate,
            "list_logprobs": fixed.astype(np.float32),
            "list_numbers": np.repeat(np.arange(len(counts)), counts),
            "list_right": batch.right,
            "list_shares": batch.weights / batch.weights.sum(),
        }


@dataclass(frozen=True, eq=False)
class NBestLoss:
    """What a model makes of lists.

    Attributes:
        loss: weighted mean over the lists, natural log.
        accuracy: weighted share of the lists whose right candidate comes first.
    """

    loss: Tensor
    accuracy: Tensor


def n_best_loss(model: ConversionModel, hidden: Tensor, batch: Mapping[str, Any]) -> NBestLoss:
    """Return how unlikely the right candidates are among those of their lists.

    Args:
        model: whose output layer is used.
        hidden: float [batch, length, size].
        batch: with the arrays of `ListPacker`.
    """
    layer = model.pair_layer
    with torch.autocast(hidden.device.type, enabled=False):
        rows = hidden.reshape(-1, hidden.shape[-1]).float()
        # Many candidates have the same hanzi at a place: each logit is computed once.
        key = batch["list_places"] * len(layer.bias) + batch["list_pairs"]
        distinct, which = torch.unique(key, return_inverse=True)
        place, pair = distinct // len(layer.bias), distinct % len(layer.bias)
        logits = (rows[place] * layer.weight[pair]).sum(dim=1) + layer.bias[pair]
        terms = batch["list_weights"] * logits[which]
        sums = batch["list_logprobs"].index_add(0, batch["list_candidates"], terms)
        right, numbers = sums[batch["list_right"]], batch["list_numbers"]
        n_lists = len(right)
        best = torch.full((n_lists,), -torch.inf, device=sums.device).scatter_reduce(
            0, numbers, sums.detach(), "amax"
        )
        shares = torch.zeros_like(best).index_add(0, numbers, torch.exp(sums - best[numbers]))
        weights = batch["list_shares"]
        loss = (weights * (torch.log(shares) + best - right)).sum()
    return NBestLoss(loss, (weights * (right.detach() >= best)).sum())


class ListedStream(BatchStream):
    """Batches of another stream, each with some candidate lists.

    Which ones depends on seed and number of the batch alone, so that a resumed run goes on with
    those that are next. Processes take turns.
    """

    def __init__(
        self,
        own: BatchStream,
        packer: ListPacker,
        *,
        seed: int,
        rank: int,
        n_ranks: int,
    ) -> None:
        self._own = own
        self._packer = packer
        self._seed = seed
        self._rank = rank
        self._n_ranks = n_ranks
        self._order: tuple[int, NDArray[np.int64]] | None = None

    @property
    def n_batches(self) -> int:  # type: ignore[override] # read from the stream
        """Batches yielded so far, those before the start included."""
        return self._own.n_batches

    def state(self, n_batches: int) -> dict[str, int]:
        """Return what `restore` needs to go on behind the n-th batch."""
        return self._own.state(n_batches)

    def restore(self, state: dict[str, int]) -> None:
        """Go on where a state says; for the next iteration."""
        self._own.restore(state)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for batch in self._own:
            packed = self._packer(self._numbers(self._own.n_batches - 1))
            listed = {name: torch.from_numpy(array) for name, array in packed.items()}
            n_before = batch["input_ids"].numel()
            joined = {name: value for name, value in listed.items() if name.startswith(_PREFIX)}
            joined["list_places"] = joined["list_places"] + n_before
            n_lines = len(listed["input_ids"])
            for name, value in batch.items():
                more = listed.get(name)
                if more is None:  # targets of another task
                    more = torch.full((n_lines, *value.shape[1:]), IGNORED, dtype=value.dtype)
                joined[name] = torch.cat((value, more.to(value.dtype)))
            yield joined

    def _numbers(self, index: int) -> NDArray[np.int64]:
        """Return the lists of a batch: each epoch has an order of its own, a batch a stretch."""
        lists = self._packer.trained
        size = min(self._packer.options.lists_per_batch, len(lists))
        epoch, start = divmod((index * self._n_ranks + self._rank) * size, len(lists))
        if self._order is None or self._order[0] != epoch:
            order = np.random.default_rng((self._seed, epoch)).permutation(lists)
            self._order = epoch, order
        return self._order[1][np.arange(start, start + size) % len(lists)]


@torch.no_grad()
def measure_lists(
    model: ConversionModel, packer: ListPacker, *, precision: str
) -> dict[str, float]:
    """Return `list_loss` and `list_accuracy` of the lists that are held out.

    They are the mean loss, natural log, and how often the right candidate comes first, weighted.

    Args:
        model: in evaluation mode.
        packer: of the lists.
        precision: "bf16" or "fp32".
    """
    numbers = packer.held_out
    loss, accuracy, weight = 0.0, 0.0, 0.0
    for first in range(0, len(numbers), _MEASURED_AT_ONCE):
        some = numbers[first : first + _MEASURED_AT_ONCE]
        batch = {name: torch.from_numpy(array) for name, array in packer(some).items()}
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            hidden = model.encode(batch)
        found = n_best_loss(model, hidden, batch)
        part = float(packer.lists.weights[some].sum())
        loss += float(found.loss) * part
        accuracy += float(found.accuracy) * part
        weight += part
    return {"list_loss": loss / weight, "list_accuracy": accuracy / weight}
