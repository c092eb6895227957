"""Describe the models: one frozen set of sizes for each family, kept in a checkpoint's config."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

from yinzi.errors import ConfigError

__all__ = [
    "BackboneConfig",
    "BertConfig",
    "ConversionConfig",
    "EncoderConfig",
    "GptConfig",
    "RecurrentConfig",
    "T5Config",
    "TransformerConfig",
]


class ConversionConfig(PretrainedConfig):
    """What all families share.

    Attributes:
        n_inputs: ids of the `InputVocabulary` before its hanzi: syllables, prefixes, specials.
        n_hanzi: hanzi of the `InputVocabulary`, which stand behind these.
        n_pairs: pairs of the `PairVocabulary`.
        vocabulary: sha256 over both vocabularies; models and data of different ones do not fit.
        hidden_size: width of the model.
        dropout: 0 to below 1.
        label_smoothing: share of the target that is spread over its slice, 0 to below 1.
        hanzi_size: width of the embedding of hanzi of the left context.
        ngram_orders: lengths of the syllable n-grams, each at least 2; none leaves them out.
        ngram_rows: rows of their hashed table.
        ngram_size: width of a row.
    """

    model_type = "yinzi"

    n_inputs: int = 0
    n_hanzi: int = 0
    n_pairs: int = 0
    vocabulary: str = ""
    hidden_size: int = 320
    dropout: float = 0.0
    label_smoothing: float = 0.0
    hanzi_size: int = 64
    ngram_orders: list[int] | tuple[int, ...] = ()
    ngram_rows: int = 262_144
    ngram_size: int = 28

    def check(self) -> None:
        """Check ranges and clashes.

        Raises:
            ConfigError: a size does not fit; it names the key.
        """
        for name in ("n_inputs", "n_pairs", "hidden_size", "hanzi_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} is {getattr(self, name)}: expected at least 1")
        for name in ("dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(
                    f"model.{name} is {getattr(self, name)}: expected 0 up to, not with, 1"
                )
        if any(order < 2 for order in self.ngram_orders):
            raise ConfigError(
                f"model.ngram_orders is {list(self.ngram_orders)}: expected lengths of at least 2"
            )
        if self.ngram_orders and self.ngram_rows < 2:
            raise ConfigError(f"model.ngram_rows is {self.ngram_rows}: expected at least 2")


class EncoderConfig(ConversionConfig):
    """Sizes of the encoder, the default model; see `ConversionEncoder`.

    Attributes:
        n_layers: Transformer layers.
        n_heads: attention heads; they divide `hidden_size`.
        feed_forward_size: width inside the feed-forward parts.
        max_distance: distances between places that attention tells apart.
    """

    model_type = "yinzi_encoder"

    n_layers: int = 3
    n_heads: int = 5
    feed_forward_size: int = 1280
    ngram_orders: list[int] | tuple[int, ...] = (2, 3)
    max_distance: int = 48

    def check(self) -> None:
        """Check ranges and clashes; see `ConversionConfig.check`."""
        super().check()
        if self.n_heads < 1 or self.hidden_size % self.n_heads:
            raise ConfigError(
                f"model.hidden_size is {self.hidden_size} and model.n_heads {self.n_heads}: "
                "expected a multiple of the heads"
            )


class TransformerConfig(EncoderConfig):
    """Sizes of the Transformer encoder and decoder; see `TransformerSeq2Seq`.

    Attributes:
        n_layers: layers of the encoder.
        n_decoder_layers: layers of the decoder, at least 1.
        pair_size: width of the embedding of the hanzi chosen before.
    """

    model_type = "yinzi_transformer"

    n_layers: int = 2
    n_decoder_layers: int = 2
    pair_size: int = 128
    ngram_orders: list[int] | tuple[int, ...] = ()

    def check(self) -> None:
        """Check ranges and clashes; see `ConversionConfig.check`."""
        super().check()
        for name in ("n_decoder_layers", "pair_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} is {getattr(self, name)}: expected at least 1")


class RecurrentConfig(ConversionConfig):
    """Sizes of the recurrent encoder and decoder; see `RecurrentSeq2Seq`.

    Attributes:
        cell: "lstm" or "gru".
        attention: "additive" (Bahdanau et al. 2015) or "dot" (scaled dot product).
        hidden_size: width of the model, even: each direction of the encoder has one half.
        n_layers: bidirectional layers of the encoder, at least 1.
        n_decoder_layers: layers of the decoder, at least 1.
        attention_size: width in which places are compared.
        pair_size: width of the embedding of the hanzi chosen before.
    """

    model_type = "yinzi_recurrent"

    cell: str = "lstm"
    attention: str = "additive"
    hidden_size: int = 512
    n_layers: int = 2
    n_decoder_layers: int = 1
    attention_size: int = 128
    pair_size: int = 128

    def check(self) -> None:
        """Check ranges and clashes; see `ConversionConfig.check`."""
        super().check()
        for name, known in (("cell", ("lstm", "gru")), ("attention", ("additive", "dot"))):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"model.{name} is {getattr(self, name)!r}: expected one of {list(known)}"
                )
        for name in ("n_layers", "n_decoder_layers", "attention_size", "pair_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} is {getattr(self, name)}: expected at least 1")
        if self.hidden_size % 2:
            raise ConfigError(f"model.hidden_size is {self.hidden_size}: expected an even number")


class BackboneConfig(ConversionConfig):
    """What the families on a pretrained model share; see `BackboneModel`.

    Attributes:
        backbone: folder of a model in the layout of transformers, or its name on the hub.
        from_scratch: take its architecture alone, with new weights.
        architecture: its own config, kept so that a checkpoint needs no backbone to be opened.
        hidden_size: width of what its output layer reads.
        embedding_size: width of its input embeddings.
        n_table: hanzi of both vocabularies together.
        max_positions: places that it can tell apart; 0 for any number.
    """

    model_type = "yinzi_backbone"

    backbone: str = ""
    from_scratch: bool = False
    architecture: dict[str, Any] | None = None
    embedding_size: int = 0
    n_table: int = 0
    max_positions: int = 0

    def check(self) -> None:
        """Check ranges and clashes; see `ConversionConfig.check`."""
        super().check()
        if not self.backbone:
            raise ConfigError(
                "model.backbone is empty: give the folder of a pretrained model (as "
                '"build/bert/final") or its name on the hub'
            )


class BertConfig(BackboneConfig):
    """Sizes of the family on a masked language model; see `BertModel`."""

    model_type = "yinzi_bert"


class GptConfig(BackboneConfig):
    """Sizes of the family on a causal language model; see `GptModel`.

    Attributes:
        conditioning: "aligned": each place is given its syllable beside the hanzi before it;
            "prompt": all syllables stand before the first hanzi.
        lookahead: places after its own whose syllables a place is given, for "aligned" only.
    """

    model_type = "yinzi_gpt"

    conditioning: str = "aligned"
    lookahead: int = 4

    def check(self) -> None:
        """Check ranges and clashes; see `ConversionConfig.check`."""
        super().check()
        if self.conditioning not in {"aligned", "prompt"}:
            raise ConfigError(
                f"model.conditioning is {self.conditioning!r}: expected 'aligned' or 'prompt'"
            )
        if self.lookahead < 0:
            raise ConfigError(f"model.lookahead is {self.lookahead}: expected 0 or more")


class T5Config(BackboneConfig):
    """Sizes of the family on a text-to-text model; see `T5Model`."""

    model_type = "yinzi_t5"
