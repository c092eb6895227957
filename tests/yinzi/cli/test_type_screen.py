"""The screen of `yinzi type`, without a terminal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

import yinzi
from tests.yinzi.decoding.test_fusion import make_scorer
from yinzi.cli import type_schemes, type_screen
from yinzi.cli.type_screen import TypeApp
from yinzi.converter import Converter
from yinzi.errors import ConfigError
from yinzi.pinyin import FULL_PINYIN, EdgeKind, InputScheme
from yinzi.pinyin.edges import Proposal
from yinzi.session import CommittedPart, SessionSettings

Steps = Callable[[Pilot[str]], Awaitable[None]]


def drive(converter: Converter, steps: Steps) -> str | None:
    """Run the screen through some steps and return its text."""

    async def run() -> str | None:
        app = TypeApp(converter, settings=SessionSettings())
        async with app.run_test(size=(100, 24)) as pilot:
            await steps(pilot)
            if app.is_running:
                await pilot.press("ctrl+q")
        return app.return_value

    return asyncio.run(run())


def shown(pilot: Pilot[str], name: str) -> str:
    return str(pilot.app.screen_stack[0].query_one(f"#{name}", Static).content)


def test_a_sentence_with_everything_around_it(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press(*"nihao")
        assert shown(pilot, "preedit") == "ni hao "
        assert shown(pilot, "candidates").startswith("1 你好  2 你号")
        await pilot.press("space")
        assert "next words" in shown(pilot, "candidates")
        await pilot.press("comma", *"fangan", "2", "full_stop", "enter", *"xian", "2")
        assert "ms" in shown(pilot, "status")

    assert drive(converter, steps) == "你好，反感。\n西安"


def test_backspace_takes_back_and_deletes(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press(*"fangan", "2")
        assert "learned 反感" in shown(pilot, "status")
        await pilot.press("backspace")
        assert "took back 反感" in shown(pilot, "status")
        await pilot.press(*"fangan")
        assert shown(pilot, "candidates").startswith("1 方案")
        await pilot.press("ctrl+delete")
        assert "forgot 方案" in shown(pilot, "status")
        await pilot.press("escape")

    assert drive(converter, steps) == "反"


def test_a_commit_takes_the_place_of_what_is_selected(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press(*"woyao", "space", *"nihao", "space", "shift+left", "shift+left")
        await pilot.press(*"mai")
        assert pilot.app.session.state.left_context == "我要"  # type: ignore[attr-defined]
        await pilot.press("space", *"jipiao", "space")

    assert drive(converter, steps) == "我要买机票"


def test_the_text_before_the_cursor_is_context(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press(*"woyaomai", "space", *"nihao", "space", "left", "left")
        await pilot.press(*"jipiao")
        assert pilot.app.session.state.left_context == "我要买"  # type: ignore[attr-defined]
        await pilot.press("space")

    assert drive(converter, steps) == "我要买机票你好"


def test_switches_without_schemes_and_accents_say_so(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press("f5")
        assert "private" in shown(pilot, "status")
        await pilot.press("f5", "f6")
        assert "learning · ." in shown(pilot, "status")
        await pilot.press("comma", "f2")
        assert shown(pilot, "status").startswith("EN")
        await pilot.press(*"ok", "f2", "f6")
        assert shown(pilot, "status").startswith("中")

    assert drive(converter, steps) == ",ok"


def test_a_learner_of_the_callers_is_told(converter: Converter) -> None:
    learned: list[str] = []

    class Learner:
        def learn(self, parts: Sequence[CommittedPart], left_context: str) -> None:
            learned.extend(part.text for part in parts)

        def unlearn(self, parts: Sequence[CommittedPart], left_context: str) -> None: ...

        def forget(self, part: CommittedPart, left_context: str) -> bool:
            return False

    async def run() -> None:
        app = TypeApp(converter, settings=SessionSettings(), learner=Learner())
        async with app.run_test() as pilot:
            await pilot.press(*"fangan", "2", *"fangan")
            assert app.session.candidates[0].text == "方案"
            await pilot.press("ctrl+q")

    asyncio.run(run())
    assert learned == ["反感"]


def test_help_covers_the_screen_until_a_key_comes(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press("f1")
        assert len(pilot.app.screen_stack) == 2
        await pilot.press("n")
        assert len(pilot.app.screen_stack) == 1

    assert drive(converter, steps) == ""


def test_leaving_from_the_help_keeps_the_text(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press(*"nihao", "space", "f1", "ctrl+q")

    assert drive(converter, steps) == "你好"


def test_leaving_adds_the_letters_that_are_not_committed(converter: Converter) -> None:
    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press(*"nihao")

    assert drive(converter, steps) == "nihao"


def test_schemes_and_accents_go_round(
    converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, str]] = []

    def make(converter: Converter, name: str, accent: str) -> Converter:
        made.append((name, accent))
        if name == "broken":
            raise ConfigError("scheme is broken")
        return converter

    monkeypatch.setattr(type_screen, "scheme_names", lambda: ("pinyin", "xiaohe"))
    monkeypatch.setattr(type_screen, "accent_names", lambda: ("exact", "southern"))
    monkeypatch.setattr(type_screen, "typed_as", make)

    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press(*"nihao", "f4")
        assert "xiaohe · accent exact" in shown(pilot, "status")
        assert shown(pilot, "candidates").startswith("1 你好")
        await pilot.press("f3")
        assert "xiaohe · accent southern" in shown(pilot, "status")
        await pilot.press("f4", "f3")
        assert "pinyin · accent exact" in shown(pilot, "status")
        monkeypatch.setattr(type_screen, "scheme_names", lambda: ("pinyin", "broken"))
        await pilot.press("f4")
        assert "scheme is broken" in shown(pilot, "status")
        assert "pinyin · accent exact" in shown(pilot, "status")
        await pilot.press("escape")

    drive(converter, steps)
    assert made == [
        ("pinyin", "exact"),
        ("xiaohe", "exact"),
        ("xiaohe", "southern"),
        ("pinyin", "southern"),
        ("pinyin", "exact"),
        ("broken", "exact"),
    ]


def test_a_single_scheme_says_that_there_is_no_other(
    converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type_screen, "scheme_names", lambda: ("pinyin",))

    async def steps(pilot: Pilot[str]) -> None:
        await pilot.press("f4")
        assert "no other" in shown(pilot, "status")

    drive(converter, steps)


def test_keys_do_not_wait_for_the_neural_model(tiny_folder: Path) -> None:
    fused = Converter(yinzi.load(tiny_folder).artifact, scorer=make_scorer(scale=8.0))
    may_answer = threading.Event()
    n_asked = 0

    async def steps(pilot: Pilot[str]) -> None:
        app = pilot.app
        assert isinstance(app, TypeApp)
        real = app.session.late_question

        def slow() -> object:
            question = real()
            if question is None:
                return None

            def ask() -> object:
                nonlocal n_asked
                n_asked += 1
                assert may_answer.wait(20)
                return question.ask()

            return question._replace(ask=ask)

        app.session.late_question = slow  # type: ignore[method-assign, assignment]
        await pilot.press(*"shish")
        await pilot.pause(0.2)
        await pilot.press("i")  # the model is still busy with the letters before
        assert shown(pilot, "preedit") == "shi shi "
        before = [candidate.text for candidate in app.session.candidates]
        assert n_asked == 1
        may_answer.set()
        await pilot.pause(0.2)
        await app.workers.wait_for_complete()
        await pilot.pause(0.2)
        after = [candidate.text for candidate in app.session.candidates]
        best = fused.convert("shishi")[0].text
        assert n_asked == 2
        assert after[0] == before[0]
        assert best in after[:2]
        assert [text for text in after if text != best] == [t for t in before if t != best]
        await pilot.press("escape")

    drive(fused, steps)


def test_schemes_typed_with_letters_are_offered() -> None:
    assert type_schemes.scheme_names()[0] == "pinyin"
    assert {"xiaohe", "microsoft"} <= set(type_schemes.scheme_names())
    assert "nine-keys" not in type_schemes.scheme_names()
    assert {"exact", "southern"} <= set(type_schemes.accent_names())


def test_scheme_and_accent_are_read_together(converter: Converter) -> None:
    plain = type_schemes.typed_as(converter, "xiaohe", "exact")
    assert plain.convert("nihc")[0].text == "你好"
    southern = type_schemes.typed_as(converter, "pinyin", "southern")
    assert "是" in {one.text for one in southern.candidates("si")}
    assert "是" not in {one.text for one in plain.candidates("si")}
    with pytest.raises(ConfigError, match="unknown fuzzy switch 'northern'"):
        type_schemes.typed_as(converter, "pinyin", "northern")
    with pytest.raises(ConfigError, match="nothing"):
        type_schemes.typed_as(converter, "nothing", "exact")


def test_the_semicolon_is_a_letter_where_the_scheme_spells_with_it() -> None:
    def read(text: str) -> object:
        from yinzi.pinyin.reading import Span, Stretch

        return 0, [Span(tuple(range(len(text) + 1)), Stretch(text, is_tail=True))]

    def source(stretch: object, options: object) -> list[Proposal]:
        letters = stretch.letters  # type: ignore[attr-defined]
        if letters != "y;":
            return []
        return [Proposal(0, 2, 5, 6, EdgeKind.FULL, 0.0, 0)]

    scheme = InputScheme("with ;", (source,), read)  # type: ignore[arg-type]
    settings = type_schemes.settings_for(scheme, SessionSettings(page_size=7))
    assert settings.joining_keys == "';"
    assert settings.second_keys == ()
    assert settings.page_size == 7
    usual = type_schemes.settings_for(FULL_PINYIN, settings)
    assert (usual.joining_keys, usual.second_keys) == ("'", (";",))
