"""Make what an adapted artifact has besides its base: new words and the model of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.converter import Converter
from yinzi.decoding import Decoder, DecoderOptions
from yinzi.errors import ConfigError
from yinzi.language_model import AdaptedLanguageModel, LanguageModel, WordParts
from yinzi.lexicon import Lexicon, Segmenter
from yinzi.scoring import Scorer
from yinzi_train.adaptation.domain_model import build_domain_model, segment_texts, word_parts
from yinzi_train.adaptation.labelled_runs import labelled_runs
from yinzi_train.adaptation.new_words import NewWord, find_new_words
from yinzi_train.adaptation.options import AdaptationOptions
from yinzi_train.labelling import Labeller
from yinzi_train.lexicon.extension import extend_lexicon

__all__ = ["Base", "Domain", "build_domain", "scaled_options", "with_domain"]


@dataclass(frozen=True, eq=False)
class Base:
    """The artifact that is adapted, opened.

    Attributes:
        converter: of the artifact.
        lexicon: its words.
        model: its language model.
        labeller: gives readings by them.
        words: all words of the lexicon.
    """

    converter: Converter
    lexicon: Lexicon
    model: LanguageModel
    labeller: Labeller
    words: frozenset[str]

    @classmethod
    def of(cls, converter: Converter) -> Base:
        """Open the parts of a converter.

        Raises:
            ConfigError: the artifact was adapted already.
        """
        decoder = converter.decoder
        if not isinstance(decoder.language_model, LanguageModel):
            raise ConfigError(
                f"artifact {converter.artifact.manifest.name!r} is adapted already: adapt its base "
                "to all the texts together"
            )
        lexicon, model = decoder.lexicon, decoder.language_model
        return cls(
            converter,
            lexicon,
            model,
            Labeller(lexicon, model.unigram_logprobs),
            frozenset(lexicon.texts(np.arange(lexicon.n_words))),
        )


@dataclass(frozen=True, eq=False)
class Domain:
    """New words and the model of a domain.

    Attributes:
        new_words: the most frequent first.
        lexicon_arrays: of the extended lexicon.
        lexicon: the same, opened.
        parts: what the new words are to the base.
        model: n-grams of the domain, with the ids of the extended lexicon.
        model_arrays: its tables.
        parameters: of its tables.
        segmenter: cuts text into words of the extended lexicon.
    """

    new_words: Sequence[NewWord]
    lexicon_arrays: dict[str, NDArray[Any]]
    lexicon: Lexicon
    parts: WordParts
    model: LanguageModel
    model_arrays: dict[str, NDArray[Any]]
    parameters: dict[str, Any]
    segmenter: Segmenter

    def mixed(self, base: Base, weights: NDArray[np.float32]) -> AdaptedLanguageModel:
        """Return the mixture with the base's model."""
        return AdaptedLanguageModel(base.model, self.model, self.parts, weights=weights)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the artifact's section ``domain``."""
        parts = self.parts
        return {
            **self.model_arrays,
            "new_words": parts.words,
            "new_first": parts.first,
            "new_last": parts.last,
            "new_before_last": parts.before_last,
            "new_inner_logprob": parts.inner_logprob,
        }


def build_domain(
    base: Base, texts: Sequence[str], options: AdaptationOptions, *, folder: Path
) -> Domain:
    """Find new words in texts and count their n-grams.

    Args:
        base: what is adapted.
        texts: sentences.
        options: what to do.
        folder: for the arrays; made here.
    """
    segmenter = base.converter.decoder.segmenter
    lengths = base.lexicon.lengths(np.arange(base.lexicon.n_words))
    new_words: list[NewWord] = []
    n_hanzi = 1
    if options.uses_new_words:
        runs = labelled_runs(texts, base.labeller, segmenter, lengths)
        n_hanzi = max(1, sum(len(run.text) for run in runs))
        known_hanzi = {text for text in base.words if len(text) == 1}
        new_words = [
            word
            for word in find_new_words(runs, base.words, options.new_words)
            if known_hanzi.issuperset(word.text)
        ]
    extended = extend_lexicon(
        base.converter.artifact.arrays("lexicon"),
        [word.text for word in new_words],
        [word.syllables for word in new_words],
        [word.tones for word in new_words],
    )
    lexicon = Lexicon(extended.arrays)
    parts = word_parts(
        [word.text for word in new_words],
        extended.new_words,
        lexicon=base.lexicon,
        model=base.model,
        segmenter=segmenter,
    )
    is_new = np.zeros(lexicon.n_words, dtype=np.bool_)
    is_new[parts.words] = True
    floor = np.empty(lexicon.n_words, dtype=np.float32)
    floor[~is_new] = base.model.unigram_logprobs[: base.lexicon.n_words]
    floor[parts.words] = base.model.unigram_logprobs[parts.first] + parts.inner_logprob
    shares = floor.copy()
    counts = np.array([word.count for word in new_words], dtype=np.float64)
    shares[extended.new_words] = np.log(counts / n_hanzi)
    extended_segmenter = lexicon.segmenter(shares)
    folder.mkdir(parents=True)
    parameters = build_domain_model(
        segment_texts(texts, extended_segmenter), folder, floor_logprobs=floor
    )
    arrays = {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
    return Domain(
        new_words,
        extended.arrays,
        lexicon,
        parts,
        LanguageModel(arrays, parameters),
        arrays,
        parameters,
        extended_segmenter,
    )


def with_domain(
    base: Base,
    domain: Domain | None,
    weights: NDArray[np.float32] | None,
    *,
    encoder_share: float = 1.0,
    scorer: Scorer | None = None,
) -> Converter:
    """Return the converter of the base with a domain, and another share of the encoder's weight.

    Args:
        base: what is adapted.
        domain: new words and model; None leaves the base's.
        weights: of the mixture.
        encoder_share: of the weights of the encoder and of its prior.
        scorer: an encoder; None for that of the base.
    """
    decoder = base.converter.decoder
    converter = copy(base.converter)
    model = base.model if domain is None or weights is None else domain.mixed(base, weights)
    converter.decoder = Decoder(
        base.lexicon if domain is None else domain.lexicon,
        model,
        options=scaled_options(decoder.options, encoder_share),
        scorer=decoder.scorer if scorer is None else scorer,
    )
    return converter


def scaled_options(options: DecoderOptions, encoder_share: float) -> DecoderOptions:
    """Return options with a share of the weights of the encoder."""
    beam = options.fused_beam
    return replace(
        options,
        fused_beam=replace(
            beam,
            encoder_weight=round(beam.encoder_weight * encoder_share, 4),
            prior_weight=round(beam.prior_weight * encoder_share, 4),
        ),
    )
