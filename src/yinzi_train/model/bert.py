"""Convert in one pass with a masked language model (Devlin et al. 2019, arXiv 1810.04805).

Every place is a mask that says how it is read: the vector of the mask token plus that of the
syllable. Hanzi of the left context stand as they are. The backbone fills all masks at once.
"""

from __future__ import annotations

from torch import Tensor

from yinzi_train.model.backbone import Pretrained
from yinzi_train.model.backbone_model import BackboneModel
from yinzi_train.model.configuration import BertConfig
from yinzi_train.model.packed_segments import positions_of, same_segment

__all__ = ["BertModel"]


class BertModel(BackboneModel):
    """The family on BERT, RoBERTa, ELECTRA and their kin."""

    config_class = BertConfig
    is_one_pass = True
    family = "bert"
    config: BertConfig

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float [batch, length, size]; places of one segment see one another."""
        segments = batch["segments"]
        embedded = self.embedding(batch["input_ids"], batch["input_tones"])
        # Texts that such models are pretrained on have a token before their first hanzi.
        positions = positions_of(segments) + 1
        hidden: Tensor = self.run(embedded, same_segment(segments), positions).logits
        return hidden

    def input_start(self, pretrained: Pretrained, means: Tensor, center: Tensor) -> Tensor:
        """Start a syllable as a mask that leans to its hanzi; see `BackboneModel.input_start`."""
        token = pretrained.tokenizer.mask_token_id
        return means if token is None else means - center + pretrained.inputs[token]
