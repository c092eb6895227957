from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import yinzi
from tests.yinzi.tiny_lexicon import TINY


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences of few hanzi, all different."""
    chance = random.Random(0)
    words = yinzi.load(TINY).decoder.lexicon
    hanzi = [text for text in words.texts(np.arange(words.n_words)) if len(text) <= 2]
    lines = [
        chance.choice(hanzi) + chance.choice(hanzi) + chance.choice(hanzi) + "。"
        for _ in range(600)
    ]
    path = tmp_path_factory.mktemp("texts") / "my.txt"
    path.write_bytes("\n".join(dict.fromkeys(lines)).encode("gb18030"))
    return path
