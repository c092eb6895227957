"""Compute what tells two vocabularies apart: models and inputs of different ones do not fit."""

from __future__ import annotations

import hashlib
import json

from yinzi.pinyin import SYLLABLES
from yinzi.scoring.input_vocabulary import InputVocabulary
from yinzi.scoring.pair_table import PairTable

__all__ = ["vocabulary_digest"]


def vocabulary_digest(vocab: InputVocabulary, pairs: PairTable) -> str:
    """Return the sha256 over all that ids of inputs and pairs mean, as 64 lower-case hex digits.

    That is the syllables, prefixes and hanzi in their order, and the pairs in theirs: an inventory
    of other syllables gives another digest.
    """
    content = {
        "inputs": [vocab.spell(input_id) for input_id in range(vocab.first_hanzi_id)],
        "hanzi": vocab.hanzi,
        "syllables": SYLLABLES,
        "pair_starts": pairs.starts.tolist(),
        "pair_hanzi": "".join(pairs.texts()),
    }
    return hashlib.sha256(json.dumps(content).encode("ascii")).hexdigest()
