"""The shipped artifact through the public converter; left out where it is not built."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

import yinzi
from tests.yinzi.decoding.reading_oracle import reading_matches
from yinzi.artifact import resolve_artifact
from yinzi.converter import Candidate, Converter
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


def assert_equal(candidates: list[Candidate], others: list[Candidate]) -> None:
    """Compare all but the last digits of probabilities: the encoder adds in another order."""
    exact = [replace(candidate, logprob=0.0) for candidate in candidates]
    assert exact == [replace(candidate, logprob=0.0) for candidate in others]
    logprobs = [candidate.logprob for candidate in candidates]
    assert logprobs == pytest.approx([candidate.logprob for candidate in others], abs=1e-3)


def test_base_gives_the_same_in_batches_alone_and_letter_by_letter(base: Converter) -> None:
    batch = base.convert_batch(LINES)
    for line, candidates in zip(LINES, batch, strict=True):
        assert_equal(candidates, base.convert(line))
        typing = base.type_keys()
        for end in range(1, len(line) + 1):
            offered = typing.update(line[:end])
            assert_equal(offered, base.candidates(line[:end]))
            assert all(reading_matches(line[:end], candidate) for candidate in offered)


@pytest.mark.parametrize("line", ["n" * 10_000, "woyaomaijipiao" * 715, "wymjp" * 2_000])
def test_base_converts_ten_thousand_letters_in_seconds(base: Converter, line: str) -> None:
    started = time.process_time()
    assert base.convert(line)[0].end == len(line)
    assert time.process_time() - started < 5


MEASURE = """
import sys, yinzi
converter = yinzi.load()
lines = ["woyaomaijipiao", "wo3 yao4", "wymjp"] * 100
if sys.argv[1] == "convert":
    converter.convert_batch(lines)
else:
    converter.convert_batch(lines, left_contexts=["我"] * 300)
    converter.annotate("中华人民共和国")
# Not getrusage: its peak counts that of the process before, too.
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(("what", "mebibytes"), [("convert", 200), ("segment_too", 240)])
def test_base_keeps_its_memory_budget(what: str, mebibytes: int) -> None:
    ended = subprocess.run([sys.executable, "-c", MEASURE, what], capture_output=True, check=True)
    assert int(ended.stdout) < mebibytes * 1024
