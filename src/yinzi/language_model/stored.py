"""Open the language model of an artifact: the base's, or one adapted to a domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from yinzi.artifact import Artifact
from yinzi.errors import ArtifactError
from yinzi.language_model.adapted import AdaptedLanguageModel, WordParts
from yinzi.language_model.model import LanguageModel
from yinzi.language_model.word_model import WordModel

__all__ = ["DOMAIN_SECTION", "read_language_model"]

DOMAIN_SECTION: Final = "domain"
"""Folder and parameters of an artifact that was adapted."""


def read_language_model(artifact: Artifact) -> WordModel:
    """Open the language model of an artifact.

    Raises:
        ArtifactError: something is missing or does not fit together.
    """
    base = LanguageModel(artifact.arrays("language_model"), artifact.parameters("language_model"))
    if DOMAIN_SECTION not in artifact.manifest.section_bytes():
        return base
    arrays = artifact.arrays(DOMAIN_SECTION)
    parameters = artifact.parameters(DOMAIN_SECTION)
    tables = parameters.get("language_model")
    if not isinstance(tables, Mapping):
        raise ArtifactError(
            f"artifact {artifact.manifest.name!r}: parameters of the domain model are {tables!r}, "
            "expected a table; the manifest is damaged or edited, adapt again"
        )
    domain = LanguageModel(arrays, tables)
    parts = WordParts.from_arrays(arrays, n_words=domain.n_words, n_base_words=base.n_words)
    try:
        weights = np.array(parameters.get("weights"), dtype=np.float32)
    except (TypeError, ValueError):
        weights = np.zeros(0, dtype=np.float32)
    return AdaptedLanguageModel(base, domain, parts, weights=weights)
