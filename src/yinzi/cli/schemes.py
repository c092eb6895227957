"""The command `yinzi schemes`: which input schemes there are, and what their keys type."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from yinzi.cli.running import DebugOption

if TYPE_CHECKING:
    from rich.console import Console

    from yinzi.pinyin import InputScheme
    from yinzi.pinyin.shuangpin import Layout

__all__ = ["EXAMPLES", "schemes"]

EXAMPLES = """Examples:

$ yinzi schemes xiaohe

$ yinzi schemes xiaohe --toml > mine.toml"""

_SAMPLE = ("zhong", "guo", "ren")
_KEYBOARD = ("qwertyuiop[]\\", "asdfghjkl;", "zxcvbnm,./")
_ZHUYIN_KEYBOARD = ("1234567890-", "qwertyuiop", "asdfghjkl;", "zxcvbnm,./")
_TELEPHONE = ("123", "456", "789")
_DESCRIPTIONS = {
    "pinyin": "letters as they are spelled",
    "xiaohe": "shuangpin 小鹤",
    "ziranma": "shuangpin 自然码",
    "microsoft": "shuangpin 微软",
    "sogou": "shuangpin 搜狗",
    "abc": "shuangpin 智能ABC",
    "jiajia": "shuangpin 拼音加加",
    "ziguang": "shuangpin 紫光",
    "nine-keys": "digits 2 to 9, as on a telephone",
    "zhuyin": "zhuyin symbols ㄅㄆㄇ",
    "daqian": "zhuyin, standard keyboard 大千",
}


def schemes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE", help="Scheme whose keys to show.", show_default=False),
    ] = None,
    *,
    as_toml: Annotated[
        bool,
        typer.Option(
            "--toml",
            help="Print a shuangpin as a scheme file, to be changed and used with --scheme.",
            show_default=False,
        ),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """List the input schemes, or show the keys of one.

    A scheme file is checked on the way: what is wrong with it is said with the line.
    """
    from yinzi.errors import ConfigError
    from yinzi.pinyin.scheme_files import format_layout
    from yinzi.pinyin.schemes import get_scheme, layout_of

    if name is None:
        if as_toml:
            raise typer.BadParameter("--toml needs the name of a shuangpin")
        _print_list()
        return
    scheme = get_scheme(name)
    layout = layout_of(scheme)
    if not as_toml:
        _print_scheme(scheme, layout)
    elif layout is None:
        raise ConfigError(f"{scheme.name!r} is no shuangpin: only those are described by files")
    else:
        print(format_layout(scheme.name, layout), end="")


def _console() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False)


def _print_list() -> None:
    from rich.table import Table

    from yinzi.pinyin.schemes import ALIASES, SCHEME_NAMES, get_scheme, to_keys

    table = Table()
    for column in ("scheme", "what it is", "zhong guo ren", "other names"):
        table.add_column(column, overflow="fold")
    for name in SCHEME_NAMES:
        aliases = ", ".join(alias for alias, known in ALIASES.items() if known == name)
        table.add_row(name, _DESCRIPTIONS[name], to_keys(_SAMPLE, get_scheme(name)), aliases)
    _console().print(table)


def _print_scheme(scheme: InputScheme, layout: Layout | None) -> None:
    from yinzi.pinyin.nine_keys import LETTERS_OF_DIGITS
    from yinzi.pinyin.schemes import to_keys
    from yinzi.pinyin.zhuyin_input import DAQIAN_KEYS

    if layout is not None:
        _print_keyboard(_KEYBOARD, _labels(layout))
        _print_zero_initials(layout)
    elif scheme.name == "daqian":
        labels = {key: [symbol, ""] for key, symbol in DAQIAN_KEYS.items()}
        _print_keyboard(_ZHUYIN_KEYBOARD, labels)
        print("blank: first tone, in a line with tones")
    elif scheme.name == "nine-keys":
        border = {"1": ["border", ""]}
        labels = border | {key: [letters, ""] for key, letters in LETTERS_OF_DIGITS.items()}
        _print_keyboard(_TELEPHONE, labels)
    else:
        print(f"{scheme.name}: {_DESCRIPTIONS.get(scheme.name, '')}")
    print(f"zhong guo ren: {to_keys(_SAMPLE, scheme)}")


def _labels(layout: Layout) -> dict[str, list[str]]:
    """Return what stands on each key: its initial, if it is another one, and its finals."""
    initials, finals = dict(layout.initials), layout.keys_of_finals
    labels: dict[str, list[str]] = {}
    for key in {code[0] for code in layout.by_code} | {code[1] for code in layout.by_code}:
        initial = next((name for name, own in initials.items() if own == key), "")
        labels[key] = [initial, " ".join(name for name, keys in finals.items() if key in keys)]
    return labels


def _print_keyboard(rows: Sequence[str], labels: Mapping[str, Sequence[str]]) -> None:
    """Print the keys in their rows, those of a keyboard each further to the right."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = _console()
    texts = {key: f"{key.upper()} {top}\n{below}".rstrip() for key, (top, below) in labels.items()}
    width = max(len(line) for text in texts.values() for line in text.splitlines())
    for index, row in enumerate(rows):
        keys = [key for key in row if key in labels]
        table = Table(show_header=False, padding=0)
        for _ in keys:
            table.add_column(width=max(width, 6), no_wrap=True)
        table.add_row(*(Text(texts[key]) for key in keys))
        indent = 0 if rows is _TELEPHONE else 2 * index
        console.print(Padding(table, (0, 0, 0, indent), expand=False))


def _print_zero_initials(layout: Layout) -> None:
    from yinzi.pinyin import SYLLABLES

    codes = ", ".join(f"{s} {codes[0]}" for s, codes in layout.codes.items() if s[0] in "aoe")
    print(f"without an initial: {codes}")
    for code in layout.shared:
        print(f"{code}: {' or '.join(SYLLABLES[index] for index in layout.by_code[code])}")
