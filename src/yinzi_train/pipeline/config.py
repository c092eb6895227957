"""Read the TOML file that describes one build, and check it before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from yinzi.decoding import DecoderOptions
from yinzi.errors import ConfigError
from yinzi_train.corpus.hanzi_runs import Fold
from yinzi_train.lexicon.build import LexiconOptions
from yinzi_train.ngram.kneser_ney import KneserNeyOptions
from yinzi_train.ngram.tables import TableOptions
from yinzi_train.ngram.word_vectors import VectorOptions
from yinzi_train.pipeline.options import build_options, check_sections, read_toml, unknown_key_error

__all__ = [
    "ArtifactOptions",
    "BuildConfig",
    "CountingOptions",
    "DomainWeights",
    "LanguageModelOptions",
    "corpus_domain",
    "read_config",
]

MIN_SHIPPED_COUNT: Final = 3
"""Word pairs and triples seen less often could give back passages of a text."""

_SECTIONS: Final = (
    "artifact",
    "lexicon",
    "counting",
    "weights",
    "language_model",
    "decoder",
)


@dataclass(frozen=True)
class ArtifactOptions:
    """What the artifact is called.

    Attributes:
        name: of the artifact and its folder: letters, digits, `.`, `_` and `-`.
        version: free text.
    """

    name: str
    version: str

    def __post_init__(self) -> None:
        is_plain = self.name.replace("-", "").replace("_", "").replace(".", "").isalnum()
        if not (is_plain and self.name.isascii() and not self.name.startswith(".")):
            raise ConfigError(
                f"artifact.name is {self.name!r}: expected letters, digits, '.', '_' and '-'"
            )


@dataclass(frozen=True)
class CountingOptions:
    """How text is segmented and counted.

    Attributes:
        pseudo_count: added to the count of every word when text is segmented; above 0.
        n_ranges: parts in which shards are merged, 1 to 64; more need less memory and give the
            same counts.
        left_out: lines that are not counted, as [index, count]: [0, 5] leaves out the first, the
            sixth and so on of each text. Such a language model makes candidate lists of text that
            is new to it; see `yinzi_train.n_best`.
    """

    pseudo_count: float = 0.5
    n_ranges: int = 8
    left_out: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.pseudo_count < math.inf:
            raise ConfigError(f"counting.pseudo_count is {self.pseudo_count}: expected above 0")
        if not 1 <= self.n_ranges <= 64:
            raise ConfigError(f"counting.n_ranges is {self.n_ranges}: expected 1 to 64")
        self.left_out_fold()

    def left_out_fold(self) -> Fold | None:
        """Return the lines that are not counted."""
        try:
            return None if self.left_out is None else Fold(*self.left_out)
        except ConfigError as error:
            raise ConfigError(f"counting.left_out: {error}") from error


@dataclass(frozen=True)
class DomainWeights:
    """How much an occurrence counts, by the text it stands in.

    Attributes:
        domains: weight ≥ 0 by domain, the part of a text's name before ``__``; 1.0 for others.
        sources: weight ≥ 0 by a text's name without its ending; goes before its domain's. Texts
            of weight 0 are left out of the language model.
    """

    domains: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, float] = field(default_factory=dict)

    def of(self, shard: str) -> float:
        """Return the weight of a text by the name of its shard.

        >>> DomainWeights({"chat": 2.0}, {"chat__skits": 0.5}).of("chat__jokes")
        2.0
        """
        return self.sources.get(shard, self.domains.get(corpus_domain(shard), 1.0))

    def by_shard(self, shards: Iterable[str]) -> dict[str, float]:
        """Return the weight of every shard.

        Raises:
            ConfigError: a weight is given for a domain or text that no shard is of.
        """
        shards = sorted(shards)
        domains = sorted({corpus_domain(shard) for shard in shards})
        for given, known, key in (
            (self.domains, domains, "weights"),
            (self.sources, shards, "weights.sources"),
        ):
            for name in given:
                if name not in known:
                    raise unknown_key_error(
                        f"{key}.{name}", [f"{key}.{other}" for other in known], "the corpora folder"
                    )
        weights = {shard: self.of(shard) for shard in shards}
        if not any(weights.values()):
            raise ConfigError("every text has weight 0: give some a weight above 0")
        return weights


@dataclass(frozen=True)
class LanguageModelOptions:
    """How the language model is estimated, pruned and written.

    Attributes:
        min_count: raw count that words, pairs and triples need to be stored; pairs and triples
            at least 3.
        n_ngrams: n-grams kept by relative entropy: pairs and triples together, or [pairs,
            triples]; without it none are pruned.
        discount_fallback: discounts for texts too small to estimate them, such as [0.5, 1.0, 1.5].
        tables: bits of the tables.
        vectors: of the most frequent words; none unless `vectors.n_words` is set.
    """

    min_count: tuple[int, int, int] = (1, 3, 3)
    n_ngrams: int | tuple[int, int] | None = None
    discount_fallback: tuple[float, float, float] | None = None
    tables: TableOptions = field(default_factory=TableOptions)
    vectors: VectorOptions = field(default_factory=VectorOptions)

    def __post_init__(self) -> None:
        if min(self.min_count[1:]) < MIN_SHIPPED_COUNT:
            raise ConfigError(
                f"min_count is {list(self.min_count)}: pairs and triples of words seen less than "
                f"{MIN_SHIPPED_COUNT} times must not ship, because passages of a text could be "
                f"read back from them; set it to at least [1, {MIN_SHIPPED_COUNT}, "
                f"{MIN_SHIPPED_COUNT}]"
            )
        numbers = self.n_ngrams if isinstance(self.n_ngrams, tuple) else (self.n_ngrams,)
        if any(number is not None and number < 1 for number in numbers):
            raise ConfigError(f"n_ngrams is {self.n_ngrams!r}: expected at least 1")
        self.kneser_ney()

    def kneser_ney(self) -> KneserNeyOptions:
        """Return what the estimator takes."""
        return KneserNeyOptions(min_count=self.min_count, discount_fallback=self.discount_fallback)


@dataclass(frozen=True)
class BuildConfig:
    """All settings of a build, one section a stage."""

    artifact: ArtifactOptions
    lexicon: LexiconOptions = field(default_factory=LexiconOptions)
    counting: CountingOptions = field(default_factory=CountingOptions)
    weights: DomainWeights = field(default_factory=DomainWeights)
    language_model: LanguageModelOptions = field(default_factory=LanguageModelOptions)
    decoder: DecoderOptions = field(default_factory=DecoderOptions)

    def to_dict(self) -> dict[str, Any]:
        """Return every setting, defaults included, as plain tables."""
        return asdict(self)


def corpus_domain(name: str) -> str:
    """Return the domain of a text by its name.

    >>> corpus_domain("chat__jokes.txt.xz")
    'chat'
    """
    return name.split(".", maxsplit=1)[0].split("__", maxsplit=1)[0]


def read_config(path: Path, *, overrides: Sequence[str] = ()) -> BuildConfig:
    """Read a build's TOML file.

    Args:
        path: the file.
        overrides: ``section.key=value`` each, the value in TOML: ``weights.chat=2``.

    Raises:
        ConfigError: the file cannot be read, or a key or value is not as it must be; names both.
    """
    tables = read_toml(path, overrides=overrides, example="weights.chat=2")
    label = path.name
    check_sections(tables, list(_SECTIONS), label)
    tables["weights"] = _read_weights(tables.get("weights", {}), label)
    if "artifact" not in tables:
        raise ConfigError(f"{label}: no [artifact]: add it with name and version")
    weights = tables.pop("weights")
    config = build_options(BuildConfig, tables, label=label, key="")
    return replace(config, weights=weights)


def _read_weights(table: Mapping[str, Any], label: str) -> DomainWeights:
    domains = {name: value for name, value in table.items() if name != "sources"}
    sources = table.get("sources", {})
    if not isinstance(sources, dict):
        raise ConfigError(f"{label}: weights.sources is {sources!r}, expected a table")
    for key, values in (("weights", domains), ("weights.sources", sources)):
        for name, value in values.items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 0 <= value < math.inf:
                raise ConfigError(f"{label}: {key}.{name} is {value!r}, expected a number ≥ 0")
    return DomainWeights(
        {name: float(value) for name, value in domains.items()},
        {name: float(value) for name, value in sources.items()},
    )
