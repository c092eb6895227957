from __future__ import annotations

import numpy as np
import pytest

from yinzi.lexicon import Lexicon
from yinzi.pinyin import parse_syllable, syllable_id
from yinzi_train.labelling import Labeller
from yinzi_train.labelling.network_files import NetworkFiles, read_network_files
from yinzi_train.lexicon.frequencies import word_logprobs
from yinzi_train.lexicon.readings import Reading
from yinzi_train.lexicon.tables import build_tables

# Words with their readings, the main one first, and how often they are used.
WORDS = {
    "我": ("wo3", 900),
    "们": ("men5", 10),
    "我们": ("wo3 men5", 300),
    "要": ("yao4", 500),
    "吧": ("ba1", 90),
    "呀": ("ya1", 90),
    "银行": ("yin2 hang2", 50),
    "行长": ("hang2 zhang3", 9),
    "银行行长": ("yin2 hang2 hang2 zhang3", 5),
    "行": ("xing2|hang2", 80),
    "长": ("chang2|zhang3", 80),
    "了": ("le5|liao3", 900),
    "了解": ("liao3 jie3", 60),
    "朝阳": ("zhao1 yang2|chao2 yang2", 9),
    "朝阳路": ("zhao1 yang2 lu4", 9),
    "最长": ("zui4 zhang3", 9),
    "一": ("yi1", 300),
    "一定": ("yi2 ding4", 60),
    "不": ("bu4", 300),
    "不是": ("bu2 shi4", 60),
    "没": ("mei2|mo4", 90),
    "来": ("lai2", 90),
    "很": ("hen3", 90),
    "路": ("lu4", 30),
    "这": ("zhe4", 90),
    "条": ("tiao2", 30),
    "说": ("shuo1", 90),
    "得": ("de2|dei3", 90),
    "重": ("zhong4|chong2", 90),
    "乐": ("le4|yue4", 90),
}


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    readings = {}
    for word, (texts, _) in WORDS.items():
        options = texts.split("|")
        readings[word] = [
            Reading(
                tuple(syllable_id(parse_syllable(text).toneless) for text in option.split()),
                tuple(parse_syllable(text).tone for text in option.split()),
                float(np.log((0.9 if rank == 0 else 0.1) if len(options) > 1 else 1.0)),
            )
            for rank, option in enumerate(options)
        ]
    tables = build_tables(readings, {word: float(count) for word, (_, count) in WORDS.items()})
    return Lexicon(tables.arrays)


@pytest.fixture(scope="session")
def logprobs(lexicon: Lexicon) -> np.ndarray:
    words = lexicon.texts(np.arange(lexicon.n_words))
    return word_logprobs(np.array([float(WORDS[word][1]) for word in words]))


@pytest.fixture(scope="session")
def network_files() -> NetworkFiles:
    return read_network_files()


@pytest.fixture(scope="session")
def labeller(lexicon: Lexicon, logprobs: np.ndarray, network_files: NetworkFiles) -> Labeller:
    return Labeller(lexicon, logprobs, files=network_files)
