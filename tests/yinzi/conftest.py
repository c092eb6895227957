from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

import yinzi
from tests.yinzi.tiny_lexicon import TINY
from yinzi.converter import Converter
from yinzi.decoding import Decoder
from yinzi.lexicon import Lexicon

# Every run tries the same examples, and a busy machine fails none of them.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def tiny_folder() -> Path:
    """Return the folder of the tiny artifact; tests that change it work on a copy."""
    return TINY


@pytest.fixture(scope="session")
def converter(tiny_folder: Path) -> Converter:
    """Return a converter of the tiny artifact."""
    return yinzi.load(tiny_folder)


@pytest.fixture(scope="session")
def decoder(converter: Converter) -> Decoder:
    return converter.decoder


@pytest.fixture(scope="session")
def lexicon(decoder: Decoder) -> Lexicon:
    return decoder.lexicon
