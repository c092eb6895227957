from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.yinzi.decoding.test_fusion import make_scorer
from yinzi.converter import Candidate, Converter
from yinzi.errors import ConfigError
from yinzi.session import (
    Bell,
    CommittedPart,
    ConverterEngine,
    Forget,
    Key,
    Learn,
    Mode,
    RememberingEngine,
    Session,
    SessionMachine,
    SessionSettings,
    SessionState,
)
from yinzi.session.punctuation import CHINESE_PUNCTUATION, chinese_punctuation


@pytest.fixture(scope="module")
def engine(converter: Converter) -> ConverterEngine:
    return ConverterEngine(converter)


@pytest.fixture
def fused(converter: Converter) -> Converter:
    return Converter(converter.artifact, scorer=make_scorer(scale=8.0))


def texts(session: Session) -> list[str]:
    return [candidate.text for candidate in session.candidates]


# Keys and settings.


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a", Key("a")),
        ("A", Key("A")),
        (" ", Key("space")),
        ("+", Key("+")),
        ("ctrl++", Key("+", ctrl=True)),
        ("shift+tab", Key("tab", shift=True)),
        ("ctrl+alt+f4", Key("f4", ctrl=True, alt=True)),
    ],
)
def test_keys_are_read(text: str, key: Key) -> None:
    assert Key.parse(text) == key
    assert Key.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "pageleft", "ctrl+", "hyper+a", "a+b"])
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="key"):
        Key.parse(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"page_size": 4}, "page_size is 4"),
        ({"page_size": 10}, "page_size is 10"),
        ({"n_suggestions": -1}, "n_suggestions is -1"),
        ({"max_letters": 0}, "max_letters is 0"),
        ({"punctuation": "none"}, "punctuation is 'none'"),
        ({"starting_keys": ""}, "starting_keys is empty"),
        ({"third_keys": ("'",)}, 'key "\'" stands in joining_keys and third_keys'),
        ({"joining_keys": "';"}, "key ';' stands in joining_keys and second_keys"),
        ({"starting_keys": "23456789"}, "stands in select_keys and starting_keys"),
        ({"page_keys": (("[", "]"),)}, "key '\\[' stands in first_character_key and page_keys"),
        ({"page_keys": (("left-page", "]"),)}, "unknown key 'left-page'"),
    ],
)
def test_settings_that_clash_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SessionSettings(**changes)  # type: ignore[arg-type]


def test_every_mark_has_a_chinese_form_that_is_not_ascii() -> None:
    for key, form in CHINESE_PUNCTUATION.items():
        assert len(key) == 1
        assert not "".join(form).isascii()
        written, _ = chinese_punctuation(key, left_context="字", open_quotes=frozenset())
        assert written == (form if isinstance(form, str) else form[0])


# The machine.

KEYS = st.sampled_from(
    [
        *"aegilnohuxzsh'",
        *"nihaoxian",
        *'123;-=[],."UA',
        *("space", "enter", "escape", "backspace", "delete", "left", "right", "home", "end"),
        *("up", "down", "tab", "shift+tab", "pagedown", "ctrl+left", "ctrl+right", "shift"),
        *("f7", "ctrl+c", "ctrl+delete"),
    ]
)


@given(st.lists(KEYS, max_size=25))
@settings(max_examples=80, deadline=None)
def test_whatever_is_pressed(engine: ConverterEngine, keys: list[str]) -> None:
    machine = SessionMachine(engine, SessionSettings(n_suggestions=2), can_learn=True)
    state = SessionState()
    for key in map(Key.parse, keys):
        step = machine.press(state, key)
        assert machine.press(state, key) == step, "the same state and key give the same step"
        state = step.state
        check(machine, state)
        if key.name in {"f7", "c"}:
            assert not step.is_handled
        if not step.is_handled:
            assert not any(isinstance(effect, Bell) for effect in step.effects)


def check(machine: SessionMachine, state: SessionState) -> None:
    """Check what holds at every moment."""
    assert 0 <= state.cursor <= len(state.letters)
    assert 0 <= state.highlight < max(1, len(state.candidates))
    preedit = state.preedit
    assert 0 <= preedit.n_selected <= preedit.cursor <= len(preedit.text)
    assert preedit.text.replace(" ", "") == state.selected_text + state.letters.replace(" ", "")
    before_cursor = state.selected_text + state.letters[: state.cursor]
    assert preedit.text[: preedit.cursor].replace(" ", "") == before_cursor.replace(" ", "")
    if state.mode is Mode.ENGLISH or not state.is_composing:
        assert not state.letters
        assert not state.seen
    if state.letters and not state.is_english and not state.has_moved:
        asked = machine.engine.candidates(state.letters, state.rest_context)
        assert list(state.candidates) == list(asked), "the same input has the same list"
    if state.is_composing and not state.is_english:
        there = machine.press(state, Key("n")).state
        back = machine.press(there, Key("backspace")).state
        if there.letters != state.letters:
            assert (back.letters, back.cursor) == (state.letters, state.cursor)
            if not state.has_moved:
                assert back.candidates == state.candidates
    assert not machine.cancel(state).is_composing


@given(st.lists(st.sampled_from([*"nihaoxan", "1", "2", "space", "="]), max_size=20))
@settings(max_examples=30, deadline=None)
def test_every_letter_is_committed_once(engine: ConverterEngine, keys: list[str]) -> None:
    session = Session(engine, settings=SessionSettings(n_suggestions=0), learner=Silent())
    learned: list[Learn] = []
    typed = ""
    for key in [*keys, *["space"] * 20]:
        is_letter = key.isalpha() and len(key) == 1
        typed += key if is_letter else ""
        outcome = session.press(key)
        learned += [effect for effect in outcome.effects if isinstance(effect, Learn)]
    assert "".join(part.letters for one in learned for part in one.parts) == typed


class Silent:
    """A learner that remembers nothing and forgets nothing."""

    def learn(self, parts: object, left_context: str) -> None: ...

    def unlearn(self, parts: object, left_context: str) -> None: ...

    def forget(self, part: object, left_context: str) -> bool:
        return False


def test_a_learner_that_refuses_to_forget_rings_the_bell(engine: ConverterEngine) -> None:
    session = Session(engine, learner=Silent())
    session.type("nihao")
    before = session.state
    outcome = session.press("ctrl+delete")
    assert outcome.effects == (Bell(),)
    assert session.state == before


def test_without_a_learner_nothing_is_learned_or_forgotten(engine: ConverterEngine) -> None:
    session = Session(engine)
    session.type("nihao")
    assert session.press("ctrl+delete").effects == (Bell(),)
    assert [type(effect).__name__ for effect in session.press("2").effects] == ["Commit"]
    assert session.press("backspace").effects == ()


class Counting(ConverterEngine):
    """Counts how often it was told that what is known has changed."""

    n_dropped = 0

    def drop_work(self) -> None:
        self.n_dropped += 1
        super().drop_work()


def test_the_engine_is_told_when_something_was_learned(converter: Converter) -> None:
    engine = Counting(converter)
    memory = RememberingEngine(engine)
    session = Session(memory, learner=memory)
    for keys, n_dropped in (
        (["n", "i", "enter"], 0),
        (["n", "i", "space"], 1),
        (["backspace"], 2),
        (["n", "i", "ctrl+delete", "escape"], 3),
    ):
        session.type(keys)
        assert engine.n_dropped == n_dropped
    session = Session(engine, learner=Silent())
    session.type(["n", "i", "ctrl+delete"])
    assert engine.n_dropped == 3, "nothing was forgotten"


def test_a_state_can_be_taken_up_again(engine: ConverterEngine) -> None:
    session = Session(engine)
    session.type("nihao")
    moment = session.state
    session.press("space")
    session.state = moment
    assert session.press("2").committed == "你号"


def test_changing_settings_keeps_the_input(engine: ConverterEngine) -> None:
    session = Session(engine)
    session.type("shishi")
    session.press("=")
    session.settings = replace(session.settings, page_size=9)
    assert (session.page_number, session.n_pages, len(session.page)) == (0, 3, 9)
    assert session.highlight_on_page == 5


def test_private_from_now_on_takes_nothing_back(engine: ConverterEngine) -> None:
    memory = RememberingEngine(engine)
    session = Session(memory, learner=memory)
    session.type("fangan2")
    session.settings = replace(session.settings, is_private=True)
    assert session.press("backspace").effects == ()


def test_the_left_context_cannot_change_in_the_middle_of_an_input(
    engine: ConverterEngine,
) -> None:
    session = Session(engine)
    session.type("ni")
    session.set_left_context("我")
    assert session.state.left_context == ""


def test_outcomes_of_many_keys_are_joined(engine: ConverterEngine) -> None:
    outcome = Session(engine).type("nihao2")
    assert (outcome.committed, outcome.is_handled) == ("你号", True)
    assert not Session(engine).type(["n", "f5"]).is_handled


# The converter behind a session.


@pytest.mark.parametrize(
    ("letters", "splits"),
    [
        ("nihao", (2, 5)),
        ("wymjp", (1, 2, 3, 4, 5)),
        ("xi'an", (3, 5)),
        ("woUSB mai", (2, 6, 9)),
        ("ni3hao", (3, 6)),
    ],
)
def test_letters_are_split_by_the_graph(
    engine: ConverterEngine, letters: str, splits: tuple[int, ...]
) -> None:
    best = engine.candidates(letters, "")[0]
    if letters == "woUSB mai":  # as the session writes it: a blank before the English word
        letters, splits = "wo USB mai", (3, 7, 10)
        best = engine.candidates(letters, "")[0]
    assert tuple(engine.split(letters, best)) == splits


def test_every_candidate_is_split_up_to_its_end(engine: ConverterEngine) -> None:
    for letters in ("woyaomaijipiao", "xian", "fangan", "yidianr", "nverwymjp", "iphone"):
        for candidate in engine.candidates(letters, ""):
            ends = list(engine.split(letters, candidate))
            assert ends == sorted(set(ends))
            assert ends[-1] == candidate.end
            assert len(ends) == len(candidate.syllables)


def test_a_text_of_other_letters_is_one_piece(engine: ConverterEngine) -> None:
    strange = Candidate("你", 0.0, 0, 4, "sentence", ("ni",))
    assert list(engine.split("xian", strange)) == [4]
    unknown = Candidate("OK", 0.0, 0, 4, "sentence", ("OK",))
    assert list(engine.split("xian", unknown)) == [4]


def test_late_results_of_a_converter(fused: Converter) -> None:
    session = Session(ConverterEngine(fused))
    session.type("shishi")
    at_once = texts(session)
    assert session.wait_for_late()
    best = fused.convert("shishi")[0].text
    assert texts(session)[0] == at_once[0]
    assert best == texts(session)[1]
    assert [text for text in texts(session) if text != best] == [t for t in at_once if t != best]
    assert session.late_question() is None
    assert not session.wait_for_late()
    with_late = texts(session)
    session.type("n")
    session.press("backspace")
    assert texts(session) == with_late
    assert session.late_question() is None, "the answer is known"


def test_a_late_question_can_be_asked_in_a_thread_while_letters_come(fused: Converter) -> None:
    session = Session(ConverterEngine(fused))
    session.type("shishi")
    question = session.late_question()
    assert question is not None
    answers: list[Candidate | None] = []
    thread = threading.Thread(target=lambda: answers.append(question.ask()))
    thread.start()
    session.type("fangan")
    thread.join()
    assert answers[0] is not None
    assert answers[0].text == fused.convert("shishi")[0].text
    assert not session.accept_late(question, answers[0]), "the input is another one"


def test_a_list_shown_again_can_still_be_asked_about(fused: Converter) -> None:
    session = Session(ConverterEngine(fused))
    session.type("shishi")
    session.type("f")
    session.press("backspace")
    assert session.wait_for_late()
    assert texts(session)[1] == fused.convert("shishi")[0].text


def test_without_late_results_the_neural_model_answers_at_once(fused: Converter) -> None:
    session = Session(ConverterEngine(fused, has_late_results=False))
    session.type("shishi")
    assert texts(session)[0] == fused.convert("shishi")[0].text
    assert session.late_question() is None


def test_another_engine_is_asked_anew(engine: ConverterEngine, fused: Converter) -> None:
    session = Session(engine)
    session.type("shishi")
    session.engine = ConverterEngine(fused, has_late_results=False)
    assert texts(session)[0] == fused.convert("shishi")[0].text
    assert session.engine is not engine


def test_warming_up_changes_no_answer(converter: Converter) -> None:
    warm = ConverterEngine(converter)
    warm.warm_up()
    assert warm.candidates("xian", "") == ConverterEngine(converter).candidates("xian", "")


# The learner in memory.


def test_memory_keeps_to_one_reading_of_letters(engine: ConverterEngine) -> None:
    memory = RememberingEngine(engine)
    memory.learn([CommittedPart("锡安", ("xi", "an"), "xi'an", False)], "")
    assert memory.candidates("xian", "")[0].text == "锡安"
    assert memory.candidates("xiana", "")[0].text != "锡安"
    memory.unlearn([], "")
    assert memory.candidates("xian", "") == list(engine.candidates("xian", ""))
    memory.unlearn([], "")


def test_memory_forgets_words_in_front_of_other_letters_too(engine: ConverterEngine) -> None:
    memory = RememberingEngine(engine)
    assert memory.forget(CommittedPart("我", ("wo",), "wo", False), "")
    assert "我" not in [one.text for one in memory.candidates("woyao", "")]
    assert "我要" in [one.text for one in memory.candidates("woyao", "")]


def test_a_suggestion_is_learned_without_letters(engine: ConverterEngine) -> None:
    memory = RememberingEngine(engine)
    session = Session(memory, learner=memory)
    session.type("nihao")
    session.press("space")
    outcome = session.press("1")
    assert [type(effect).__name__ for effect in outcome.effects] == ["Commit", "Learn"]
    learned = outcome.effects[1]
    assert isinstance(learned, Learn)
    assert learned.parts[0].letters == ""
    assert learned.left_context == "你好"
    assert len(learned.parts[0].syllables) == len(learned.parts[0].text)


def test_forgetting_tells_letters_and_context(engine: ConverterEngine) -> None:
    memory = RememberingEngine(engine)
    session = Session(memory, learner=memory)
    session.set_left_context("我")
    session.type("nihao")
    session.press("down")
    (effect,) = session.press("ctrl+delete").effects
    assert effect == Forget(CommittedPart("你号", ("ni", "hao"), "nihao", False), "我")
