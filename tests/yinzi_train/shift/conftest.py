from __future__ import annotations

from pathlib import Path

import pytest

import yinzi
from yinzi.converter import Converter
from yinzi_train.shift.profile import WordDistribution, load_profile
from yinzi_train.shift.reference import Reference, load_reference
from yinzi_train.shift.run_counts import RunCounter

NEAR = """\
今天天气很好，我们一起去公园玩吧。
你什么时候有时间？我想请你吃饭。
这个问题我们已经讨论过很多次了。
公司今年的发展情况比去年好得多。
他说明天下午三点开会，请大家准时参加。
老师告诉我们，学习最重要的是坚持。
"""
FAR = """\
山空雲影瘦，竹靜露聲微。
舟泊寒汀外，漁燈照釣磯。
霜楓棲暮鵲，石磬落殘暉。
客夢隨潮去，孤帆幾日歸。
"""
"""Lines in the manner of old poems, in traditional hanzi."""


@pytest.fixture(scope="session")
def base_artifact() -> Path:
    """Return the folder of the shipped artifact, or leave the test out where it is not built."""
    folder = Path(yinzi.__file__).parent / "artifacts/base"
    if not (folder / "manifest.json").is_file():
        pytest.skip("the artifact 'base' is not built yet")
    return folder


@pytest.fixture(scope="session")
def converter(base_artifact: Path) -> Converter:
    return yinzi.load(base_artifact, uses_encoder=False)


@pytest.fixture(scope="session")
def distribution(converter: Converter) -> WordDistribution:
    return load_profile().on(converter)


@pytest.fixture(scope="session")
def counter(converter: Converter, distribution: WordDistribution) -> RunCounter:
    return RunCounter(converter, distribution.common)


@pytest.fixture(scope="session")
def reference() -> Reference:
    return load_reference()


@pytest.fixture
def near_path(tmp_path: Path) -> Path:
    path = tmp_path / "near.txt"
    path.write_text(NEAR, encoding="utf-8")
    return path


@pytest.fixture
def far_path(tmp_path: Path) -> Path:
    path = tmp_path / "far.txt"
    path.write_text(FAR, encoding="utf-8")
    return path
