from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Yinzi = Callable[..., "tuple[int, str, str]"]


def test_convert_prints_the_best_of_each_text(yinzi: Yinzi) -> None:
    assert yinzi("convert", "ni hao", "zai") == (0, "<ni hao>\n<zai>\n", "")


def test_convert_numbers_candidates(yinzi: Yinzi) -> None:
    status, out, _ = yinzi("convert", "-n", "2", "ni", "wo")
    assert status == 0
    assert out == "ni\n  1  <ni>\n  2  <ni>2\n\nwo\n  1  <wo>\n  2  <wo>2\n"


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["nothing", "dash"])
def test_convert_reads_stdin(yinzi: Yinzi, arguments: tuple[str, ...]) -> None:
    assert yinzi("convert", *arguments, stdin=b"ni\nwo\n") == (0, "<ni>\n<wo>\n", "")


PLAIN_LINES = {
    "two": (b"ni\nwo\n", "<ni>\t<ni>2\n<wo>\t<wo>2\n"),
    "no_input": (b"", ""),
    "empty_lines": (b"\nni\n\n\n", "\n<ni>\t<ni>2\n\n\n"),
    "no_last_end": (b"ni\nwo", "<ni>\t<ni>2\n<wo>\t<wo>2\n"),
    "windows": (b"ni\r\n\r\nwo\r\n", "<ni>\t<ni>2\n\n<wo>\t<wo>2\n"),
    "windows_mark": (b"\xef\xbb\xbfni\r\n", "<ni>\t<ni>2\n"),
    "tab": (b"ni\thao\n", "<ni hao>\t<ni hao>2\n"),
    "lone_carriage_return": (b"ni\rhao\n", "<ni hao>\t<ni hao>2\n"),
    "nul": (b"ni\0\n", "<ni\0>\t<ni\0>2\n"),
    "emoji_and_hanzi": ("😀你\n".encode(), "<😀你>\t<😀你>2\n"),
    "line_separator": ("ni\u2028hao\n".encode(), "<ni\u2028hao>\t<ni\u2028hao>2\n"),
}


@pytest.mark.parametrize(("stdin", "expected"), PLAIN_LINES.values(), ids=PLAIN_LINES.keys())
def test_plain_prints_one_line_per_line(yinzi: Yinzi, stdin: bytes, expected: str) -> None:
    assert yinzi("convert", "--plain", "-n", "2", stdin=stdin) == (0, expected, "")


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_batch_size_changes_nothing(yinzi: Yinzi, batch_size: int) -> None:
    lines = [f"line {number}" for number in range(20_000)]  # several reads
    stdin = "\n".join(lines).encode()
    status, out, _ = yinzi("convert", "--plain", "--batch-size", str(batch_size), stdin=stdin)
    assert status == 0
    assert out == "".join(f"<{line}>\n" for line in lines)


def test_line_longer_than_a_read_stays_whole(yinzi: Yinzi) -> None:
    status, out, _ = yinzi("convert", stdin=b"n" * 300_000 + b"\nwo")
    assert status == 0
    assert out == f"<{'n' * 300_000}>\n<wo>\n"


def test_json_tells_everything(yinzi: Yinzi) -> None:
    status, out, _ = yinzi("convert", "--json", "-n", "1", stdin="ni 好\n\n".encode())
    assert status == 0
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["input"] == "ni 好"
    assert first["candidates"] == [
        {"text": "<ni 好>", "logprob": -1.5, "span": [0, 4], "syllables": ["ni", "好"]}
    ]
    assert second == {"input": "", "candidates": []}


def test_left_context_reaches_the_converter(yinzi: Yinzi) -> None:
    _, out, _ = yinzi("convert", "--left-context", "我们", "hao", "ma")
    assert out == "我们<hao>\n我们<ma>\n"


def test_bytes_that_are_not_utf8_are_named(yinzi: Yinzi) -> None:
    status, out, err = yinzi("convert", "--plain", stdin=b"ni\nwo\nab\xff\nta\n")
    assert status == 1
    assert out == "<ni>\n<wo>\n"  # the lines before are not lost
    assert err.startswith(
        "yinzi: error: stdin line 3 is not UTF-8: byte 3 of the line is 0xff (offset 8)"
    )
    assert "--errors replace" in err


def test_bytes_that_are_not_utf8_can_be_replaced(yinzi: Yinzi) -> None:
    stdin = b"ab\xff\nta\n"
    assert yinzi("convert", "--errors", "replace", stdin=stdin) == (0, "<ab�>\n<ta>\n", "")


def test_argument_that_is_not_utf8_is_named(yinzi: Yinzi) -> None:
    status, out, err = yinzi("convert", "ni\udcff")
    assert (status, out) == (1, "")
    assert "the argument's line 1 is not UTF-8: byte 3 of the line is 0xff" in err


USAGE_ERRORS = {
    "plain_json": (["--plain", "--json", "ni"], "exclude each other"),
    "zero": (["-n", "0", "ni"], "--n-best"),
    "no_number": (["-n", "many", "ni"], "--n-best"),
    "mixed_dash": (["ni", "-"], "not both"),
    "option": (["--colour", "ni"], "--colour"),
    "errors": (["--errors", "ignore", "ni"], "--errors"),
}


@pytest.mark.parametrize(("arguments", "message"), USAGE_ERRORS.values(), ids=USAGE_ERRORS.keys())
def test_wrong_usage_exits_with_2(yinzi: Yinzi, arguments: list[str], message: str) -> None:
    status, out, err = yinzi("convert", *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_nothing_on_a_terminal_is_wrong_usage(yinzi: Yinzi) -> None:
    status, _, err = yinzi("convert", stdin=None)
    assert status == 2
    assert "pipe lines to stdin" in err


def test_text_after_two_dashes_may_look_like_an_option(yinzi: Yinzi) -> None:
    assert yinzi("convert", "--", "--debug") == (0, "<--debug>\n", "")


def test_left_context_that_is_not_utf8_is_wrong_usage(yinzi: Yinzi) -> None:
    status, out, err = yinzi("convert", "--left-context", "\udcff", "ni")
    assert (status, out) == (2, "")
    assert "--left-context" in err
