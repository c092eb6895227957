"""Name the keys that a session is told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from yinzi.errors import ConfigError

__all__ = ["NAMED_KEYS", "Key"]

NAMED_KEYS: Final = frozenset(
    {
        *("left", "right", "up", "down", "home", "end", "pageup", "pagedown"),
        *("backspace", "delete", "insert", "enter", "escape", "tab", "space", "shift"),
        *(f"f{number}" for number in range(1, 13)),
    }
)
"""Keys that write nothing, or a blank; `shift` is the key tapped alone."""


@dataclass(frozen=True)
class Key:
    """One key press.

    Attributes:
        name: what the key writes (`a`, `A`, `,`), or its name out of `NAMED_KEYS`.
        shift: Shift was held; for keys that write something, the character tells.
        ctrl: Control was held.
        alt: Alt, or Super, was held.
    """

    name: str
    shift: bool = False
    ctrl: bool = False
    alt: bool = False

    def __post_init__(self) -> None:
        if len(self.name) != 1 and self.name not in NAMED_KEYS:
            raise ConfigError(
                f"unknown key {self.name!r}: expected one character or one of "
                f"{', '.join(sorted(NAMED_KEYS))}"
            )

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read a key as people write it.

        >>> Key.parse("ctrl+delete")
        Key(name='delete', shift=False, ctrl=True, alt=False)
        >>> Key.parse("+").name
        '+'

        Raises:
            ConfigError: the name, or what stands before it, is unknown.
        """
        *held, name = text.split("+") if len(text) > 1 else [text]
        if text.endswith("++"):
            *held, name = [*text[:-2].split("+"), "+"]
        unknown = sorted(set(held) - {"shift", "ctrl", "alt"})
        if unknown:
            raise ConfigError(
                f"key {text!r} has {unknown[0]!r} before a plus: expected shift, ctrl or alt"
            )
        if name == " ":
            name = "space"
        return cls(name, shift="shift" in held, ctrl="ctrl" in held, alt="alt" in held)

    @property
    def character(self) -> str:
        """What the key would write by itself; nothing with Control or Alt held.

        >>> [Key.parse(text).character for text in ("a", "space", "tab", "ctrl+a")]
        ['a', ' ', '', '']
        """
        if self.ctrl or self.alt:
            return ""
        if self.name == "space":
            return " "
        return self.name if len(self.name) == 1 else ""

    def __str__(self) -> str:
        held = [name for name in ("ctrl", "alt", "shift") if getattr(self, name)]
        return "+".join([*held, self.name])
