"""Say how a session answers keys."""

from __future__ import annotations

import string
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from yinzi.converter.late_results import LatePolicy
from yinzi.errors import ConfigError
from yinzi.session.keys import Key

__all__ = ["SessionSettings"]


@dataclass(frozen=True)
class SessionSettings:
    """All settings of a session. Keys are written as `Key.parse` reads them.

    Attributes:
        page_size: candidates on a page, 5 to 9.
        page_keys: pairs of keys, to the page before and to the next one.
        select_keys: choose the first, second, … candidate on the page.
        second_keys: choose the second candidate too.
        third_keys: choose the third candidate too; `'` would have to leave `joining_keys`.
        first_character_key: takes only the first character of the highlighted word; "" for no key.
        last_character_key: takes only its last character; "" for no key.
        starting_keys: characters that begin an input and continue it.
        joining_keys: characters that only continue one.
        punctuation: "full" writes Chinese forms, "half" leaves these keys to the application.
        has_temporary_english: an upper-case letter begins an English word.
        n_suggestions: next words shown after a commit; 0 for none.
        max_letters: longest input; further letters ring the bell.
        is_private: learn nothing and suggest nothing, as in a password field.
        late_policy: where a late result may go; None lets none in.

    Raises:
        ConfigError: a value is out of range, or one key has two meanings.
    """

    page_size: int = 5
    page_keys: tuple[tuple[str, str], ...] = (("-", "="), ("pageup", "pagedown"))
    select_keys: tuple[str, ...] = tuple("123456789")
    second_keys: tuple[str, ...] = (";",)
    third_keys: tuple[str, ...] = ()
    first_character_key: str = "["
    last_character_key: str = "]"
    starting_keys: str = string.ascii_lowercase
    joining_keys: str = "'"
    punctuation: Literal["full", "half"] = "full"
    has_temporary_english: bool = True
    n_suggestions: int = 5
    max_letters: int = 200
    is_private: bool = False
    late_policy: LatePolicy | None = field(default_factory=LatePolicy)

    def __post_init__(self) -> None:
        if not 5 <= self.page_size <= 9:
            raise ConfigError(f"page_size is {self.page_size}: expected 5 to 9")
        if self.n_suggestions < 0:
            raise ConfigError(f"n_suggestions is {self.n_suggestions}: expected at least 0")
        if self.max_letters < 1:
            raise ConfigError(f"max_letters is {self.max_letters}: expected at least 1")
        if self.punctuation not in {"full", "half"}:
            raise ConfigError(f"punctuation is {self.punctuation!r}: expected 'full' or 'half'")
        if not self.starting_keys:
            raise ConfigError("starting_keys is empty: expected the letters that begin an input")
        self._check_clashes()

    def _check_clashes(self) -> None:
        roles: dict[Key, set[str]] = defaultdict(set)
        named = {
            "page_keys": [key for pair in self.page_keys for key in pair],
            "select_keys": self.select_keys,
            "second_keys": self.second_keys,
            "third_keys": self.third_keys,
            "first_character_key": (self.first_character_key,),
            "last_character_key": (self.last_character_key,),
            "starting_keys": self.starting_keys,
            "joining_keys": self.joining_keys,
        }
        for role, keys in named.items():
            for name in filter(None, keys):
                roles[Key.parse(name)].add(role)
        for key, of_key in roles.items():
            if len(of_key) > 1:
                raise ConfigError(
                    f"key {str(key)!r} stands in {' and '.join(sorted(of_key))}: "
                    "a key has one meaning, take it out of the others"
                )
