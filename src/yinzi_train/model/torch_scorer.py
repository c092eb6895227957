"""Score inputs with a model in training, as the shipped encoder does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary, PairTable, ScoredInputs, ScorerInput
from yinzi.scoring.input_lines import InputLines, LineOptions, score_inputs
from yinzi.scoring.pair_layer import PairLayer
from yinzi_train.model.conversion_model import ConversionModel

__all__ = ["TorchScorer"]


class TorchScorer:
    """A `yinzi.scoring.Scorer` around a model of one pass, for evaluation while it is trained.

    It reads the weights of the model at each call, so it follows the training. Evaluation is in
    float32, on the threads that torch has.

    Thread safety: `score` is safe from many threads as long as the model is not trained meanwhile.

    Attributes:
        vocab: what its inputs are numbered by.
        pairs: what it chooses from.
        model: the model.

    Raises:
        ConfigError: the model chooses hanzi one after another.
    """

    def __init__(self, model: ConversionModel, vocab: InputVocabulary, pairs: PairTable) -> None:
        if not model.is_one_pass:
            raise ConfigError(
                f"a {type(model).__name__} chooses hanzi one after another: only models of one "
                "pass (families encoder and bert) can score a lattice"
            )
        self.vocab = vocab
        self.pairs = pairs
        self.model = model

    @torch.no_grad()
    def score(self, inputs: Sequence[ScorerInput]) -> ScoredInputs:
        """Score inputs together; see `Scorer.score`."""
        config, layer = self.model.config, self.model.pair_layer
        weight = layer.weight.detach().float().numpy()
        was_training = self.model.training
        self.model.eval()
        try:
            return score_inputs(
                inputs,
                vocab=self.vocab,
                pairs=self.pairs,
                layer=PairLayer(
                    weight,
                    np.ones(len(weight), dtype=np.float32),
                    layer.bias.detach().float().numpy(),
                ),
                run_lines=self._run_lines,
                options=LineOptions(tuple(config.ngram_orders), config.ngram_rows),
            )
        finally:
            self.model.train(was_training)

    def _run_lines(self, lines: InputLines) -> NDArray[np.float32]:
        batch = {
            "input_ids": lines.input_ids,
            "input_tones": lines.input_tones,
            "segments": lines.segments,
            "ngram_ids": lines.ngram_ids,
        }
        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        hidden: NDArray[np.float32] = self.model.encode(tensors).float().numpy()
        return hidden
