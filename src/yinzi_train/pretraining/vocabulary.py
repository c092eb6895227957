"""Number characters: one id for each hanzi, letter, digit and mark, in the Hugging Face layout.

A tokenizer of this kind cuts a text into its characters and knows nothing of words. While a model
is trained, texts are numbered by a table of all code points instead, some fifty times faster; both
give the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError
from yinzi.text import hanzi_mask
from yinzi_train.pretraining.config import TextVocabularyOptions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["CharacterCounts", "TextVocabulary", "make_tokenizer"]

N_SENTINELS: Final = 100
"""Names for spans left out, as T5 has."""
_N_CODES: Final = 0x110000
_SPECIALS: Final = {
    "bert": {
        **{"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"},
        **{"sep_token": "[SEP]", "mask_token": "[MASK]"},
    },
    "gpt": {
        **{"pad_token": "<pad>", "unk_token": "<unk>"},
        **{"bos_token": "<s>", "eos_token": "</s>"},
    },
    "t5": {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
}
_TEMPLATES: Final = {"bert": "[CLS] $A [SEP]", "gpt": "<s> $A </s>", "t5": "$A </s>"}
_PAIR_TEMPLATES: Final = {
    "bert": "[CLS] $A [SEP] $B:1 [SEP]:1",
    "gpt": "<s> $A </s> $B </s>",
    "t5": "$A </s> $B </s>",
}


class CharacterCounts:
    """Count the characters of texts."""

    def __init__(self) -> None:
        self._counts = np.zeros(_N_CODES, dtype=np.int64)

    def add(self, texts: Iterable[str]) -> None:
        """Count some more."""
        codes = _codes("".join(texts))
        self._counts[: int(codes.max(initial=0)) + 1] += np.bincount(codes)

    def chosen(self, options: TextVocabularyOptions) -> list[str]:
        """Return the characters that get an id: hanzi, then others, each by falling count.

        >>> counts = CharacterCounts()
        >>> counts.add(["天天好。", "好天"])
        >>> counts.chosen(TextVocabularyOptions(min_count=1))
        ['天', '好', '。']

        Raises:
            ConfigError: no hanzi is frequent enough.
        """
        codes = np.flatnonzero(self._counts >= options.min_count)
        codes = codes[np.argsort(-self._counts[codes], kind="stable")]
        is_hanzi = hanzi_mask(codes.astype(np.uint32))
        hanzi, others = codes[is_hanzi][: options.n_hanzi], codes[~is_hanzi][: options.n_others]
        if not len(hanzi):
            raise ConfigError(
                f"no hanzi occurs {options.min_count} times in the train split: set "
                "vocabulary.min_count lower"
            )
        return [chr(code) for code in np.concatenate((hanzi, others))]

    def share_of(self, characters: Iterable[str]) -> float:
        """Return the share of all counted characters that are among some."""
        codes = _codes("".join(set(characters)))
        return float(self._counts[codes].sum() / max(1, self._counts.sum()))


def make_tokenizer(characters: Sequence[str], family: str) -> PreTrainedTokenizerBase:
    """Return a tokenizer for a family of models, its special tokens first.

    >>> tokenizer = make_tokenizer(["天", "好", "a"], "bert")
    >>> tokenizer("天a好").input_ids, tokenizer.decode([5, 7, 6])
    ([2, 5, 7, 6, 3], '天a好')

    Args:
        characters: one character each, all different.
        family: "bert", "gpt" or "t5".
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    specials = _SPECIALS[family]
    sentinels = [f"<extra_id_{n}>" for n in range(N_SENTINELS)] if family == "t5" else []
    tokens = [*specials.values(), *sentinels, *characters]
    ids = {token: number for number, token in enumerate(tokens)}
    backend = Tokenizer(models.WordLevel(ids, unk_token=specials["unk_token"]))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    backend.decoder = decoders.Fuse()
    backend.post_processor = TemplateProcessing(
        single=_TEMPLATES[family],
        pair=_PAIR_TEMPLATES[family],
        special_tokens=[(token, ids[token]) for token in specials.values()],
    )
    backend.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in [*specials.values()]]
    )
    names = ["input_ids", "attention_mask"]
    if family == "bert":
        names.insert(1, "token_type_ids")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_input_names=names,
        clean_up_tokenization_spaces=False,
        **specials,
        **({"extra_special_tokens": sentinels} if sentinels else {}),
    )


@dataclass(frozen=True, eq=False)
class TextVocabulary:
    """Number the characters of texts as a tokenizer does.

    Attributes:
        tokenizer: what is saved with the model.
    """

    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls, folder: Path) -> TextVocabulary:
        """Read the tokenizer of a folder.

        Raises:
            ConfigError: there is none, or it has no tokens that a model needs.
        """
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"cannot read a tokenizer from {str(folder)!r}: {reason}") from error
        vocab = cls(tokenizer)
        if tokenizer.unk_token_id is None or not len(vocab.suffix):
            raise ConfigError(
                f"the tokenizer of {str(folder)!r} has no token for the unknown or for the end: "
                "expected one as of BERT, or one made by yinzi-train pretrain"
            )
        return vocab

    def __len__(self) -> int:
        return len(self.tokenizer)

    @property
    def pad_id(self) -> int:
        """Id of places without a character; that of the end if the tokenizer has none."""
        found = self.tokenizer.pad_token_id
        return int(self.suffix[-1]) if found is None else int(found)

    @property
    def unknown_id(self) -> int:
        """Id of characters that have none."""
        return int(self.tokenizer.unk_token_id)

    @cached_property
    def prefix(self) -> NDArray[np.int64]:
        """What stands before each sentence."""
        return _known(self.tokenizer.cls_token_id, self.tokenizer.bos_token_id)

    @cached_property
    def suffix(self) -> NDArray[np.int64]:
        """What stands behind each sentence."""
        return _known(self.tokenizer.sep_token_id, self.tokenizer.eos_token_id)

    @cached_property
    def characters(self) -> dict[str, int]:
        """Ids of all single characters."""
        return {token: i for token, i in self.tokenizer.get_vocab().items() if len(token) == 1}

    @cached_property
    def character_ids(self) -> NDArray[np.int64]:
        """All ids that are characters, rising."""
        return np.array(sorted(self.characters.values()), dtype=np.int64)

    @cached_property
    def sentinel_ids(self) -> NDArray[np.int64]:
        """Ids of the names for spans left out; none for tokenizers without."""
        vocab = self.tokenizer.get_vocab()
        names = [f"<extra_id_{number}>" for number in range(N_SENTINELS)]
        return np.array([vocab[name] for name in names if name in vocab], dtype=np.int64)

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the id of each character, without anything before or behind."""
        return self._table[_codes(text)]

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        table = np.full(_N_CODES, self.unknown_id, dtype=np.int64)
        for character, number in self.characters.items():
            table[ord(character)] = number
        return table


def _known(*ids: int | None) -> NDArray[np.int64]:
    """Return the first id that is there, alone; nothing if none is."""
    return np.array([one for one in ids if one is not None][:1], dtype=np.int64)


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
