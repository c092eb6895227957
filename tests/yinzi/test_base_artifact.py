"""The shipped artifact through the public converter; left out where it is not built."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

import yinzi
from tests.yinzi.decoding.reading_oracle import reading_matches
from yinzi.artifact import resolve_artifact
from yinzi.converter import Converter
from yinzi.errors import ArtifactError

LINES = [
    "woyaomaijipiao",
    "wo yao mai 5 zhang ji piao",
    "wymjp",
    "wǒmen jīntiān qù Xī'ān",
    "jin tian tian qi hen hao, wo men qu gong yuan ba!",
    "lvxingshe de nver",
    "ceishi",  # a syllable without hanzi
    "zhgrmghg",
    "iPhone15 Pro 我mai le",
    "😀\nni hao",
    "yidianr",
    "",
]


@pytest.fixture(scope="module")
def base() -> Converter:
    try:
        resolve_artifact("base")
    except ArtifactError:
        pytest.skip("the artifact 'base' is not built yet")
    return yinzi.load()


@pytest.mark.parametrize(
    ("pinyin", "text"),
    [
        ("woyaomaijipiao", "我要买机票"),
        ("nihao", "你好"),
        ("xi'an", "西安"),
        ("zhonghuarenmingongheguo", "中华人民共和国"),
        ("wo yao 5 zhang piao", "我要5张票"),
        ("ceishi", "cei是"),
    ],
)
def test_base_converts(base: Converter, pinyin: str, text: str) -> None:
    assert text in [candidate.text for candidate in base.convert(pinyin)]


def test_base_gives_the_same_in_batches_alone_and_letter_by_letter(base: Converter) -> None:
    batch = base.convert_batch(LINES)
    for line, candidates in zip(LINES, batch, strict=True):
        assert candidates == base.convert(line)
        typing = base.type_keys()
        for end in range(1, len(line) + 1):
            offered = typing.update(line[:end])
            assert offered == base.candidates(line[:end])
            assert all(reading_matches(line[:end], candidate) for candidate in offered)


@pytest.mark.parametrize("line", ["n" * 10_000, "woyaomaijipiao" * 715, "wymjp" * 2_000])
def test_base_converts_ten_thousand_letters_in_seconds(base: Converter, line: str) -> None:
    started = time.process_time()
    assert base.convert(line)[0].end == len(line)
    assert time.process_time() - started < 5


MEASURE = """
import yinzi
converter = yinzi.load()
converter.convert_batch(["woyaomaijipiao", "wo3 yao4", "wymjp"] * 100, left_contexts=["我"] * 300)
converter.annotate("中华人民共和国")
# Not getrusage: its peak counts that of the process before, too.
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.usefixtures("base")
def test_base_needs_at_most_200_mebibytes() -> None:
    ended = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True)
    assert int(ended.stdout) < 200 * 1024
