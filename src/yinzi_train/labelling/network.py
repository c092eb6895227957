"""Run g2pM's polyphone network over many sentences at once.

The network (Park and Lee 2020, arXiv 2004.03136, section 3) is a one-layer bidirectional LSTM over
the characters of a sentence, then two dense layers at each polyphone. g2pM runs it sentence by
sentence in float64, some 20 thousand characters a second. Here all sentences of a block advance in
lockstep in float32, about 1 million:

- embedding and input weights are multiplied once, when the network is loaded: a character is a row;
- logistic functions are written as tanh, so that one call serves the four gates of a step;
- the forward half stops at the last polyphone of a sentence, the backward half at the first;
- of the last layer only the rows of a hanzi's own readings are computed.

None of this changes a result beyond rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.lexicon import ragged_arange
from yinzi_train.labelling.network_files import NetworkFiles

__all__ = ["PolyphoneNetwork"]

_HIDDEN: Final = 32
_GATES: Final = 4 * _HIDDEN
SEQUENCES_PER_BLOCK: Final = 1024
_UNKNOWN, _START, _END = "<UNK>", "시", "끝"  # what the network was trained with


class PolyphoneNetwork:
    """The recurrent network of g2pM with its weights laid out for batches.

    Attributes:
        n_classes: number of readings that the last layer tells apart.
    """

    def __init__(self, files: NetworkFiles) -> None:
        parameters = files.parameters
        self.n_classes = len(parameters["logit_layer.2.bias"])
        self._characters = np.full(0x110000, files.character_ids[_UNKNOWN], dtype=np.int16)
        for character, row in files.character_ids.items():
            if len(character) == 1:
                self._characters[ord(character)] = row
        self._start, self._end = files.character_ids[_START], files.character_ids[_END]
        self._halves = (
            _Half(parameters, "", direction=1),
            _Half(parameters, "_reverse", direction=-1),
        )
        # The halves return twice the hidden state; see `_Half`.
        self._dense = np.ascontiguousarray(parameters["logit_layer.0.weight"].T * np.float32(0.5))
        self._dense_bias = parameters["logit_layer.0.bias"]
        self._class_rows = parameters["logit_layer.2.weight"]
        self._class_bias = parameters["logit_layer.2.bias"]

    def hidden(
        self,
        codes: NDArray[np.uint32],
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        targets: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return the state before the last layer at chosen characters of chosen sentences.

        Args:
            codes: uint32 [n_codes], code points of a text.
            starts: int64 [n_sentences], first position of each sentence in `codes`, rising.
            lengths: int64 [n_sentences], characters in each.
            targets: int64 [n_targets], positions in `codes`, rising, each inside a sentence.

        Returns:
            float32 [n_targets, 32].
        """
        if not len(targets):
            return np.zeros((0, _HIDDEN), dtype=np.float32)
        of_target = np.searchsorted(starts, targets, side="right") - 1
        first_target = np.flatnonzero(np.append(True, of_target[1:] != of_target[:-1]))
        last_target = np.append(first_target[1:], len(targets)) - 1
        chosen = of_target[first_target]  # sentences with a target
        starts, lengths = starts[chosen], lengths[chosen]
        of_target = np.repeat(np.arange(len(chosen)), last_target - first_target + 1)

        positions, _ = ragged_arange(starts - 1, lengths + 2)
        rows = self._characters[codes[np.clip(positions, 0, len(codes) - 1)]]
        ends = np.cumsum(lengths + 2) - 1
        begins = ends - (lengths + 1)
        rows[begins], rows[ends] = self._start, self._end
        at = begins[of_target] + 1 + targets - starts[of_target]

        forward, backward = self._halves
        n_forward = at[last_target] - begins + 1  # no further than the last target
        n_backward = ends - at[first_target] + 1
        states = np.concatenate(
            [
                forward.run(
                    rows,
                    begins=begins,
                    n_steps=n_forward,
                    steps=at - begins[of_target],
                    sequences=of_target,
                ),
                backward.run(
                    rows,
                    begins=ends,
                    n_steps=n_backward,
                    steps=ends[of_target] - at,
                    sequences=of_target,
                ),
            ],
            axis=1,
        )  # [n_targets, 64]
        dense: NDArray[np.float32] = states @ self._dense
        dense += self._dense_bias
        np.maximum(dense, 0.0, out=dense)
        return dense

    def logits(
        self, hidden: NDArray[np.float32], classes: NDArray[np.integer] | None = None
    ) -> NDArray[np.float32]:
        """Return the outputs of the network, as unnormalised log probabilities.

        Args:
            hidden: float32 [n_targets, 32], from `hidden`.
            classes: [n_targets, n_readings], outputs that are wanted; -1 fills a row up. None
                gives all.

        Returns:
            float32 [n_targets, n_readings] or [n_targets, n_classes]; -inf for -1.
        """
        if classes is None:
            full: NDArray[np.float32] = hidden @ self._class_rows.T + self._class_bias
            return full
        found = np.empty(classes.shape, dtype=np.float32)
        for column in range(classes.shape[1]):
            chosen = classes[:, column]
            rows = self._class_rows[chosen]  # [n_targets, 32]
            np.einsum("ij,ij->i", hidden, rows, out=found[:, column])
            found[:, column] += self._class_bias[chosen]
        found[classes < 0] = -np.inf
        return found


class _Half:
    """One direction of the network.

    A logistic gate is (1 + tanh(x / 2)) / 2: its weights are halved here and the outer half is put
    into what the gate multiplies, so hidden states are kept doubled.
    """

    def __init__(
        self, parameters: dict[str, NDArray[np.float32]], suffix: str, *, direction: int
    ) -> None:
        def ordered(array: NDArray[np.float32]) -> NDArray[np.float32]:
            i, f, g, o = np.split(array, 4)
            return np.concatenate([i * 0.5, f * 0.5, o * 0.5, g]).astype(np.float32)

        self._direction = direction
        bias = parameters[f"lstm.bias_ih_l0{suffix}"] + parameters[f"lstm.bias_hh_l0{suffix}"]
        inputs = parameters["embedding.weight"] @ parameters[f"lstm.weight_ih_l0{suffix}"].T + bias
        self._inputs = np.ascontiguousarray(ordered(inputs.T).T)  # [n_characters, 128]
        self._recurrent = np.ascontiguousarray(
            ordered(parameters[f"lstm.weight_hh_l0{suffix}"]).T * np.float32(0.5)
        )  # [32, 128]

    def run(
        self,
        rows: NDArray[np.int16],
        *,
        begins: NDArray[np.int64],
        n_steps: NDArray[np.int64],
        steps: NDArray[np.int64],
        sequences: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Read sequences of characters, and return the doubled states at chosen steps.

        Args:
            rows: int16 [n_rows], character rows of all sequences.
            begins: int64 [n_sequences], the row each starts with.
            n_steps: int64 [n_sequences], rows to read; at least 1.
            steps: int64 [n_targets], steps whose state is wanted, 0 for the first row.
            sequences: int64 [n_targets], the sequences they belong to.

        Returns:
            float32 [n_targets, 32].
        """
        states = np.empty((len(steps), _HIDDEN), dtype=np.float32)
        order = np.argsort(-n_steps, kind="stable")  # longest first: the active ones are a prefix
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        place = place[sequences]  # of the sequence of each target
        block = place // SEQUENCES_PER_BLOCK
        by_step = np.lexsort((steps, block))
        bounds = np.searchsorted(block[by_step], np.arange(len(order) // SEQUENCES_PER_BLOCK + 2))
        for index, first in enumerate(range(0, len(order), SEQUENCES_PER_BLOCK)):
            chosen = order[first : first + SEQUENCES_PER_BLOCK]
            targets = by_step[bounds[index] : bounds[index + 1]]
            wanted = np.searchsorted(steps[targets], np.arange(n_steps[chosen[0]] + 1))
            lines = place[targets] - first
            for step, hidden in enumerate(self._advance(rows, begins[chosen], n_steps[chosen])):
                low, high = wanted[step : step + 2]
                if high > low:
                    states[targets[low:high]] = hidden[lines[low:high]]
        return states

    def _advance(
        self, rows: NDArray[np.int16], begins: NDArray[np.int64], n_steps: NDArray[np.int64]
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the doubled states of sequences after each step; longest sequences first.

        What is yielded is overwritten by the next step, and shorter by the sequences that ended.
        """
        n, longest = len(begins), int(n_steps[0])
        n_active = np.searchsorted(-n_steps, -np.arange(longest), side="left")
        hidden = np.zeros((n, _HIDDEN), dtype=np.float32)
        cell = np.zeros((n, _HIDDEN), dtype=np.float32)
        from_rows = np.empty((n, _GATES), dtype=np.float32)
        from_hidden = np.empty((n, _GATES), dtype=np.float32)
        position = begins.copy()
        for step, m in enumerate(n_active.tolist()):
            gates, h, c = from_rows[:m], hidden[:m], cell[:m]
            np.take(self._inputs, rows[position[:m]], axis=0, out=gates, mode="clip")
            if step:
                gates += np.matmul(h, self._recurrent, out=from_hidden[:m])
            np.tanh(gates, out=gates)
            gates[:, : 3 * _HIDDEN] += 1.0  # twice the logistic gates: input, forget, output
            c *= gates[:, _HIDDEN : 2 * _HIDDEN]
            gates[:, :_HIDDEN] *= gates[:, 3 * _HIDDEN :]
            c += gates[:, :_HIDDEN]
            c *= 0.5
            np.tanh(c, out=h)
            h *= gates[:, 2 * _HIDDEN : 3 * _HIDDEN]
            yield h
            position[:m] += self._direction
