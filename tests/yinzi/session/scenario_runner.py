"""Read and run scenario scripts: keys pressed in a session, and what is expected of it.

docs/session.md describes the format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from yinzi.converter import Candidate, Converter, LatePolicy
from yinzi.errors import YinziError
from yinzi.session import (
    Bell,
    Commit,
    ConverterEngine,
    Effect,
    Forget,
    LateQuestion,
    Learn,
    ModeChange,
    Outcome,
    RememberingEngine,
    Session,
    SessionSettings,
    Unlearn,
)

ARTIFACTS = ("tiny", "base")
_EFFECT_NAMES = {
    Commit: "commit",
    Learn: "learn",
    Unlearn: "unlearn",
    Forget: "forget",
    Bell: "bell",
    ModeChange: "mode",
}


class ScenarioSyntaxError(Exception):
    """A script cannot be read."""


class ScenarioFailedError(AssertionError):
    """A session did something else than its script expects."""


class Line(NamedTuple):
    number: int
    verb: str
    rest: str


@dataclass(frozen=True)
class Scenario:
    title: str
    name: str
    lines: tuple[Line, ...]

    @property
    def artifact(self) -> str:
        """Return the artifact that the scenario asks for."""
        return next((line.rest for line in self.lines if line.verb == "artifact"), "tiny")


class ScriptedEngine(ConverterEngine):
    """Answers late questions with what the script says, if it says anything."""

    late_answer: str | None = None

    def late_question(
        self, letters: str, left_context: str
    ) -> Callable[[], Candidate | None] | None:
        text = self.late_answer
        if text is None:
            return super().late_question(letters, left_context)
        return lambda: Candidate(text, 0.0, 0, len(letters), "sentence", ())


def read_scenarios(text: str, *, name: str) -> list[Scenario]:
    """Read a script.

    Raises:
        ScenarioSyntaxError: it names the script and the line.
    """
    scenarios: list[Scenario] = []
    lines: list[Line] = []
    titles: set[str] = set()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        where = f"{name}:{number}"
        if not line or line.startswith("# "):
            continue
        if line.startswith("=="):
            title = line[2:].strip()
            if not title or title in titles:
                raise ScenarioSyntaxError(f"{where}: expected a new title behind ==, got {line!r}")
            titles.add(title)
            lines = []
            scenarios.append(Scenario(title, name, ()))
            continue
        if not scenarios:
            raise ScenarioSyntaxError(f"{where}: expected a title (== …) before {line!r}")
        verb, _, rest = line.partition(" ")
        _check(verb, rest.strip(), where)
        lines.append(Line(number, verb, rest.strip()))
        scenarios[-1] = replace(scenarios[-1], lines=tuple(lines))
    for scenario in scenarios:
        if not any(line.verb == "expect" for line in scenario.lines):
            raise ScenarioSyntaxError(f"{name}: scenario {scenario.title!r} expects nothing")
    return scenarios


def _check(verb: str, rest: str, where: str) -> None:
    if verb not in _VERBS:
        raise ScenarioSyntaxError(f"{where}: unknown word {verb!r}, expected {sorted(_VERBS)}")
    if verb == "expect":
        what = rest.split(" ", 1)[0]
        if what not in _EXPECTATIONS:
            raise ScenarioSyntaxError(
                f"{where}: cannot expect {what!r}, expected one of {sorted(_EXPECTATIONS)}"
            )
    if verb == "artifact" and rest not in ARTIFACTS:
        raise ScenarioSyntaxError(f"{where}: unknown artifact {rest!r}, expected {ARTIFACTS}")
    if verb in {"press", "type", "set", "private"} and not rest:
        raise ScenarioSyntaxError(f"{where}: nothing behind {verb!r}")


class Run:
    """One scenario at work."""

    def __init__(self, scenario: Scenario, converter: Converter) -> None:
        self._scenario = scenario
        self._engine = ScriptedEngine(converter)
        memory = RememberingEngine(self._engine)
        self.session = Session(memory, learner=memory)
        self.outcome = Outcome(True, ())
        self.remembered: tuple[Candidate, ...] = ()
        self.question: LateQuestion | None = None

    def run(self) -> None:
        """Run all lines.

        Raises:
            ScenarioFailedError: the first expectation that is not met.
            ScenarioSyntaxError: a setting or a key is unknown.
        """
        for line in self._scenario.lines:
            where = f"{self._scenario.name}:{line.number}"
            try:
                _VERBS[line.verb](self, line.rest)
            except ScenarioFailedError as failure:
                raise ScenarioFailedError(
                    f"{where}: {self._scenario.title}\n  {line.verb} {line.rest}\n"
                    f"  {failure}\n  {self._picture()}"
                ) from None
            except (YinziError, ValueError, TypeError) as error:
                raise ScenarioSyntaxError(f"{where}: {line.verb} {line.rest}: {error}") from error

    def _picture(self) -> str:
        session = self.session
        text, cursor, _ = session.preedit
        page = " ".join(candidate.text for candidate in session.page)
        return (
            f"now: {text[:cursor]}|{text[cursor:]}  page {session.page_number + 1}/"
            f"{session.n_pages}: {page}  highlight {session.state.highlight + 1}  "
            f"effects {effect_names(self.outcome.effects) or ['none']}"
        )

    # What scripts do.

    def artifact(self, rest: str) -> None:
        """Was read before."""

    def set(self, rest: str) -> None:
        name, *values = rest.split()
        known = {field: getattr(self.session.settings, field) for field in _settings_fields()}
        if name not in known:
            raise ValueError(f"unknown setting, expected one of {sorted(known)}")
        value = _setting(known[name], values, name)
        self.session.settings = replace(self.session.settings, **{name: value})

    def context(self, rest: str) -> None:
        self.session.set_left_context(rest)

    def type(self, rest: str) -> None:
        self.outcome = self.session.type(rest)

    def press(self, rest: str) -> None:
        self.outcome = self.session.type(rest.split())

    def focus_out(self, rest: str) -> None:
        self.outcome = self.session.commit_letters()

    def reset(self, rest: str) -> None:
        self.session.reset(left_context=rest)

    def remember(self, rest: str) -> None:
        self.remembered = self.session.candidates

    def late_answer(self, rest: str) -> None:
        self._engine.late_answer = rest

    def ask_late(self, rest: str) -> None:
        self.question = self.session.late_question()

    def take_late(self, rest: str) -> None:
        if self.question is None:
            raise ScenarioFailedError("nothing was asked that could be answered")
        self.session.accept_late(self.question, self.question.ask())

    def late(self, rest: str) -> None:
        self.session.wait_for_late()

    def expect(self, rest: str) -> None:
        what, _, wanted = rest.partition(" ")
        _EXPECTATIONS[what](self, wanted.strip())


def effect_names(effects: Sequence[Effect]) -> list[str]:
    return [_EFFECT_NAMES[type(effect)] for effect in effects]


def _settings_fields() -> list[str]:
    return list(SessionSettings.__dataclass_fields__)


def _setting(old: Any, values: Sequence[str], name: str) -> Any:
    """Read a value as the kind that the setting has."""
    if list(values) == ["none"]:
        return () if isinstance(old, tuple) else "" if isinstance(old, str) else None
    if name == "late_policy":
        return LatePolicy(slot=int(values[0]))
    if name == "page_keys":
        return tuple(tuple(value.split("/")) for value in values)
    if isinstance(old, tuple):
        return tuple(values)
    if len(values) != 1:
        raise ValueError("expected one value")
    if isinstance(old, bool):
        return {"yes": True, "no": False}[values[0]] if values[0] in {"yes", "no"} else _no_claim()
    return int(values[0]) if isinstance(old, int) else values[0]


def _no_claim() -> bool:
    raise ValueError("expected yes or no")


def _texts(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.text for candidate in candidates]


def _equal(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise ScenarioFailedError(f"{what}: expected {wanted!r}, got {got!r}")


def _with_cursor(run: Run) -> str:
    text, cursor, _ = run.session.preedit
    return f"{text[:cursor]}|{text[cursor:]}"


def _expect_contains(run: Run, wanted: str) -> None:
    texts = _texts(run.session.candidates)
    missing = [text for text in wanted.split() if text not in texts]
    _equal("missing candidates", missing, [])


def _expect_absent(run: Run, wanted: str) -> None:
    texts = _texts(run.session.candidates)
    _equal("candidates that should be absent", [t for t in wanted.split() if t in texts], [])


def _expect_highlighted(run: Run, wanted: str) -> None:
    session = run.session
    at = session.state.highlight
    _equal("highlighted", _texts(session.candidates[at : at + 1]), [wanted])


def _expect_learned(run: Run, wanted: str) -> None:
    """Parts as text/letters, `*` behind those that were first."""
    got = [
        f"{part.text}/{part.letters}{'*' if part.was_first_candidate else ''}"
        for effect in run.outcome.effects
        if isinstance(effect, Learn)
        for part in effect.parts
    ]
    _equal("learned", got, wanted.split())


def _expect_same(run: Run, wanted: str) -> None:
    _equal("list", _texts(run.session.candidates), _texts(run.remembered))


def _expect_same_but(run: Run, wanted: str) -> None:
    """Return nothing; the list is the remembered one but for some texts, added or left out."""
    but = wanted.split()
    got, old = _texts(run.session.candidates), _texts(run.remembered)
    _equal("list", [t for t in got if t not in but], [t for t in old if t not in but])


def _expect_suggestions(run: Run, wanted: str) -> None:
    got = _texts(run.session.page) if run.session.state.is_suggesting else []
    _equal("suggestions", got, [] if wanted == "none" else wanted.split())


def _expect_suggested(run: Run, wanted: str) -> None:
    got = _texts(run.session.page) if run.session.state.is_suggesting else []
    _equal("missing suggestions", [text for text in wanted.split() if text not in got], [])


def _expect_page(run: Run, wanted: str) -> None:
    session = run.session
    _equal("page", f"{session.page_number + 1}/{session.n_pages}", wanted)


_VERBS: dict[str, Callable[[Run, str], None]] = {
    "artifact": Run.artifact,
    "set": Run.set,
    "context": Run.context,
    "type": Run.type,
    "press": Run.press,
    "focus-out": Run.focus_out,
    "reset": Run.reset,
    "remember": Run.remember,
    "late-answer": Run.late_answer,
    "late": Run.late,
    "ask-late": Run.ask_late,
    "take-late": Run.take_late,
    "expect": Run.expect,
}

_EXPECTATIONS: dict[str, Callable[[Run, str], None]] = {
    "preedit": lambda run, wanted: _equal("preedit", _with_cursor(run), wanted),
    "first": lambda run, wanted: _equal("first", _texts(run.session.candidates[:1]), [wanted]),
    "candidates": lambda run, wanted: _equal(
        "candidates on the page", _texts(run.session.page), wanted.split()
    ),
    "contains": _expect_contains,
    "absent": _expect_absent,
    "highlighted": _expect_highlighted,
    "page": _expect_page,
    "commit": lambda run, wanted: _equal("commit", run.outcome.committed or "nothing", wanted),
    "effects": lambda run, wanted: _equal(
        "effects", effect_names(run.outcome.effects) or ["none"], wanted.split()
    ),
    "handled": lambda run, wanted: _equal(
        "handled", "yes" if run.outcome.is_handled else "no", wanted
    ),
    "mode": lambda run, wanted: _equal("mode", run.session.mode.value, wanted),
    "context": lambda run, wanted: _equal(
        "left context", run.session.state.left_context or "nothing", wanted
    ),
    "learned": _expect_learned,
    "same-list": _expect_same,
    "same-list-but": _expect_same_but,
    "suggestions": _expect_suggestions,
    "suggested": _expect_suggested,
}
