"""Find what a pretrained model knows of each hanzi: a row of its embedding tables.

A tokenizer of characters has one id a hanzi. One that works on bytes writes many hanzi as two or
three tokens: such a hanzi starts from their mean. Hanzi that a tokenizer does not know start from
the mean of all hanzi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from yinzi.errors import ConfigError

__all__ = ["KNOWN_SHARE", "HanziTokens", "find_tokens"]

KNOWN_SHARE: Final = 0.5
"""A backbone that knows fewer of the hanzi was not made for Chinese."""

_WORD_STARTS: Final = ("▁", "Ġ")
"""Tokens that some tokenizers put before a text; they say nothing of a hanzi."""


@dataclass(frozen=True, eq=False)
class HanziTokens:
    """Tokens of hanzi.

    Attributes:
        ids: for each hanzi its token ids, none if it is unknown.
    """

    ids: Sequence[Sequence[int]]

    @property
    def n_known(self) -> int:
        """Hanzi that have tokens."""
        return sum(bool(ids) for ids in self.ids)

    def mean_rows(self, table: Tensor) -> Tensor:
        """Return float [n_hanzi, ...]: the mean of the rows of each hanzi's tokens.

        Args:
            table: float [n_tokens, ...].
        """
        table = table.detach().float()
        row = torch.tensor([index for index, ids in enumerate(self.ids) for _ in ids])
        token = torch.tensor([one for ids in self.ids for one in ids])
        found = table.new_zeros(len(self.ids), *table.shape[1:])
        found.index_add_(0, row, table[token])
        n_tokens = torch.tensor([len(ids) for ids in self.ids])
        shape = (-1, *(1,) * (table.dim() - 1))
        found /= n_tokens.clamp(min=1).view(shape)
        found[n_tokens == 0] = found[n_tokens > 0].mean(0)
        return found


def find_tokens(tokenizer: Any, hanzi: Sequence[str], *, n_rows: int, label: str) -> HanziTokens:
    """Return the tokens of hanzi.

    Args:
        tokenizer: of transformers.
        hanzi: one character each.
        n_rows: rows of the model's embedding table.
        label: names the backbone in errors.

    Raises:
        ConfigError: too few of the hanzi are known, or tokens have no row.
    """
    unknown = tokenizer.unk_token_id
    starts = {one for one in tokenizer.convert_tokens_to_ids(list(_WORD_STARTS)) if one is not None}
    whole = tokenizer.convert_tokens_to_ids(list(hanzi))
    split = tokenizer(list(hanzi), add_special_tokens=False)["input_ids"]
    ids: list[list[int]] = []
    for one, parts in zip(whole, split, strict=True):
        if one is not None and one != unknown:
            ids.append([one])
        elif unknown is not None and unknown in parts:
            ids.append([])
        else:
            ids.append([part for part in parts if part not in starts])
    tokens = HanziTokens(ids)
    if hanzi and tokens.n_known < KNOWN_SHARE * len(hanzi):
        missing = "".join(char for char, found in zip(hanzi, ids, strict=True) if not found)
        raise ConfigError(
            f"{label} knows {tokens.n_known} of the {len(hanzi)} hanzi of the vocabularies (not "
            f"{missing[:5]!r}…), expected at least {KNOWN_SHARE:.0%}: take a backbone for Chinese "
            "with its own tokenizer, or set model.from_scratch = true to use its architecture only"
        )
    highest = max((one for found in ids for one in found), default=-1)
    if highest >= n_rows:
        raise ConfigError(
            f"{label} has a tokenizer with token {highest} and embeddings of {n_rows} tokens: "
            "tokenizer and weights do not belong together"
        )
    return tokens
