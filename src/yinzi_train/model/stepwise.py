"""Tell what a search needs of a model that chooses hanzi one after another."""

from __future__ import annotations

from torch import Tensor

from yinzi_train.model.conversion_model import ConversionModel

__all__ = ["StepwiseModel"]


class StepwiseModel(ConversionModel):
    """Base of the families that choose hanzi one after another.

    In training all places are decoded at once from the true hanzi (teacher forcing): `encode`
    needs the `targets` of the batch. In use a model goes place by place: `begin`, then `step`.
    Tensors of the source and of the state have one row for each sequence that is decoded, so a
    search reorders a state by picking rows.
    """

    def begin(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Encode inputs, one a line from its first place on.

        Returns:
            The source, which all steps read, and the state before the first place.
        """
        raise NotImplementedError

    def step(
        self,
        source: dict[str, Tensor],
        state: dict[str, Tensor],
        *,
        place: int,
        previous: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Decode one place.

        Args:
            source: of `begin`.
            state: after the place before.
            place: index, from 0 and rising by 1.
            previous: int64 [rows], pairs chosen at the place before; below 0 where none was.

        Returns:
            float [rows, size], what the output layer reads; and the state after this place.
        """
        raise NotImplementedError
