"""Measure how far a text is from the training text: one figure for each way of being different."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from yinzi_train.shift.divergence import Divergence, compare_counts
from yinzi_train.shift.errors import ShiftError
from yinzi_train.shift.profile import WordDistribution
from yinzi_train.shift.run_counts import RunCounts

__all__ = ["MEASURES", "Measure", "TextMeasures", "measure_text", "ratios"]


@dataclass(frozen=True)
class Measure:
    """One way of being different.

    Attributes:
        name: in JSON.
        title: for people.
        is_share: shown in percent.
        is_two_sided: unusual in both directions; of the others, larger is farther.
        digits: behind the point.
    """

    name: str
    title: str
    is_share: bool = True
    is_two_sided: bool = False
    digits: int = 1

    def show(self, value: float) -> str:
        """Write a value for people.

        >>> MEASURES["unknown_hanzi"].show(0.0123), MEASURES["miu_length"].show(8.04)
        ('1.23%', '8.0')
        """
        return f"{value:.{self.digits}%}" if self.is_share else f"{value:,.{self.digits}f}"


MEASURES: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure("unknown_hanzi", "hanzi that no word of the lexicon has", digits=2),
        Measure("unread_hanzi", "hanzi without a reading of their own", digits=2),
        Measure("single_hanzi", "hanzi outside words of two or more"),
        Measure("rare_hanzi", "hanzi in words that are not common in training"),
        Measure("homophone_hanzi", "hanzi in words that are not the likeliest of their reading"),
        Measure("perplexity_hanzi", "perplexity per hanzi", is_share=False),
        Measure("perplexity_word", "perplexity per word", is_share=False, digits=0),
        Measure("unseen_pairs", "pairs of words that training has not seen"),
        Measure("unseen_triples", "triples of words that training has not seen"),
        Measure("word_divergence", "divergence of words", is_share=False, digits=3),
        Measure("syllable_divergence", "divergence of syllables", is_share=False, digits=3),
        Measure("miu_length", "hanzi in a run", is_share=False, is_two_sided=True),
    )
}


@dataclass(frozen=True)
class TextMeasures:
    """Measures of one text.

    Attributes:
        values: by name, as in `MEASURES`.
        words: how far its words are from those of the training text.
        syllables: the same of its syllables.
        order_shares: share of words for which the language model knows the word alone, the pair
            with the word before, and the triple with both words before; adds up to 1.
    """

    values: Mapping[str, float]
    words: Divergence
    syllables: Divergence
    order_shares: tuple[float, float, float]


def ratios(totals: Mapping[str, float]) -> dict[str, float]:
    """Return the measures that are ratios of sums over runs; all but the divergences.

    >>> totals = dict.fromkeys(("unknown_hanzi", "unread_hanzi", "rare_hanzi"), 0.0)
    >>> totals |= {"homophone_hanzi": 1, "following_words": 2, "bigram_words": 1, "runs": 1}
    >>> totals |= {"third_words": 1, "trigram_words": 0, "single_hanzi": 1, "hanzi": 5}
    >>> totals |= {"known_hanzi": 5, "words": 3, "logprob": -5 * math.log(64)}
    >>> found = ratios(totals)
    >>> round(found["perplexity_hanzi"], 6), found["single_hanzi"], found["unseen_pairs"]
    (64.0, 0.2, 0.5)

    Args:
        totals: sums by name, as in `run_counts.COLUMNS`.
    """
    hanzi = totals["hanzi"]
    shares = ("unknown_hanzi", "unread_hanzi", "single_hanzi", "rare_hanzi", "homophone_hanzi")
    return {
        **{name: totals[name] / hanzi for name in shares},
        "perplexity_hanzi": _perplexity(totals, "known_hanzi"),
        "perplexity_word": _perplexity(totals, "words"),
        "unseen_pairs": 1 - totals["bigram_words"] / max(1.0, totals["following_words"]),
        "unseen_triples": 1 - totals["trigram_words"] / max(1.0, totals["third_words"]),
        "miu_length": hanzi / totals["runs"],
    }


def measure_text(counts: RunCounts, distribution: WordDistribution) -> TextMeasures:
    """Measure a text that was counted.

    Raises:
        ShiftError: no word of the lexicon is in it.
    """
    totals = counts.totals
    if not totals["words"]:
        raise ShiftError(
            f"none of the {totals['hanzi']:,.0f} hanzi is in the lexicon of the artifact: nothing "
            "can be said of such a text; is it Chinese, and is it the right artifact?"
        )
    word_counts = counts.word_counts()
    words = compare_counts(distribution.class_counts(word_counts), distribution.classes)
    syllable_counts = distribution.syllable_counts(word_counts).astype(int)
    syllables = compare_counts(syllable_counts, distribution.syllables)
    values = ratios(totals)
    values["word_divergence"] = words.corrected
    values["syllable_divergence"] = syllables.corrected
    triples = totals["trigram_words"] / totals["words"]
    pairs = (totals["bigram_words"] - totals["trigram_words"]) / totals["words"]
    return TextMeasures(
        {name: values[name] for name in MEASURES},
        words,
        syllables,
        (1 - pairs - triples, pairs, triples),
    )


def _perplexity(totals: Mapping[str, float], unit: str) -> float:
    return math.exp(min(-totals["logprob"] / totals[unit], 700.0)) if totals[unit] else math.inf
