"""Choose the weights of an adaptation by what they convert right, within the loss allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yinzi.converter import Converter
from yinzi.evaluation import Row
from yinzi.scoring import Scorer
from yinzi_train.adaptation.comparison import convert_rows
from yinzi_train.adaptation.domain import Base, Domain, with_domain
from yinzi_train.adaptation.domain_model import segment_texts
from yinzi_train.adaptation.mixture import fit_mixture, guarded_weights, word_logprobs
from yinzi_train.adaptation.options import AdaptationOptions

__all__ = ["Choice", "choose_weights", "mean_accuracy"]

_SHARE_OF_LOSS: Final = 0.2
_LEAST_GAIN: Final = 0.005
"""What less weight of the encoder must gain in the domain; less than that may be chance."""


@dataclass(frozen=True)
class Choice:
    """Weights, and what they gave on the rows for tuning.

    Attributes:
        weights: float32 [4, 4] of the mixture; None without a domain model.
        encoder_share: of the weights of the encoder.
        uses_tuned_encoder: the tuned encoder is taken rather than the base's.
        general_weight: what general text counted in fitting; None where there was none.
        accuracy: MIU accuracy @1 on rows of the domain, plus a tenth of that @5.
        general_loss: points lost on general rows, 0 without any.
    """

    weights: NDArray[np.float32] | None
    encoder_share: float
    general_weight: float | None
    uses_tuned_encoder: bool = False
    accuracy: float = 0.0
    general_loss: float = 0.0


def choose_weights(
    base: Base,
    domain: Domain | None,
    *,
    texts: Sequence[str],
    rows: Sequence[Row],
    general: Mapping[str, Sequence[Row]],
    options: AdaptationOptions,
    scorer: Scorer | None = None,
    on_step: Callable[[int, int], None] = lambda n_done, n_total: None,
) -> Choice:
    """Fit mixtures with more and less general text, and keep the best that loses little elsewhere.

    A fifth of the loss that is allowed may be lost on the rows here: on other rows, chance adds to
    it, and what was chosen as the best of several tends to be worse there.

    Args:
        base: what is adapted.
        domain: new words and model; None leaves the base's.
        texts: sentences of the domain that the model was not counted on.
        rows: the same as rows.
        general: general rows by set.
        options: what to try.
        scorer: a tuned encoder, taken if it is better than that of the base; None for none.
        on_step: called with steps done and steps in all.
    """
    mixtures = _mixtures(base, domain, texts, general, options)
    shares = options.encoder_shares if base.converter.decoder.scorer is not None else ()
    n_steps, n_done = 1 + len(mixtures) + len(shares) + (scorer is not None), 0
    on_step(n_done, n_steps)
    before = mean_accuracy(base.converter, general)
    n_done += 1
    on_step(n_done, n_steps)

    def tried(choice: Choice) -> Choice:
        nonlocal n_done
        converter = with_domain(
            base,
            domain,
            choice.weights,
            encoder_share=choice.encoder_share,
            scorer=scorer if choice.uses_tuned_encoder else None,
        )
        metrics = convert_rows(converter, rows).metrics()
        accuracy = metrics["miu_accuracy@1"] + 0.1 * metrics["miu_accuracy@5"]
        loss = 100 * (before - mean_accuracy(converter, general))
        n_done += 1
        on_step(n_done, n_steps)
        return replace(choice, accuracy=accuracy, general_loss=loss)

    is_tuned = scorer is not None
    best = _best(
        [tried(Choice(weights, 1.0, given, is_tuned)) for given, weights in mixtures], options
    )
    tries = [best]
    for share in shares:
        less = tried(replace(best, encoder_share=share))
        if less.accuracy > best.accuracy + _LEAST_GAIN:
            tries.append(less)
    if is_tuned:
        tries.append(tried(replace(best, uses_tuned_encoder=False)))
    return _best(tries, options)


def mean_accuracy(converter: Converter, general: Mapping[str, Sequence[Row]]) -> float:
    """Return the mean MIU accuracy @1 of sets; 0 without any."""
    values = [
        convert_rows(converter, rows).metrics()["miu_accuracy@1"] for rows in general.values()
    ]
    return sum(values) / max(1, len(values))


def _best(tries: Sequence[Choice], options: AdaptationOptions) -> Choice:
    """Return the most accurate of those that lose little; else the one that loses least."""
    allowed = [one for one in tries if one.general_loss <= _SHARE_OF_LOSS * options.max_loss]
    if allowed:
        return max(allowed, key=lambda one: one.accuracy)
    return min(tries, key=lambda one: one.general_loss)


def _mixtures(
    base: Base,
    domain: Domain | None,
    texts: Sequence[str],
    general: Mapping[str, Sequence[Row]],
    options: AdaptationOptions,
) -> list[tuple[float | None, NDArray[np.float32] | None]]:
    if domain is None:
        return [(None, None)]
    model = domain.mixed(base, np.full((4, 4), 0.5, dtype=np.float32))
    of_domain = word_logprobs(model, segment_texts(texts, domain.segmenter))
    hanzi = [row.hanzi for rows in general.values() for row in rows]
    if not hanzi:
        return [(None, guarded_weights(fit_mixture(of_domain)))]
    of_general = word_logprobs(model, segment_texts(hanzi, domain.segmenter))
    return [
        (weight, fit_mixture(of_domain, of_general, general_weight=weight))
        for weight in options.general_weights
    ]
